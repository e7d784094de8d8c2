"""What tests of several parts share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from handfed.shared.datasets import Dataset

# A busy machine is no failure; pytest's own timeout catches what hangs.
settings.register_profile("handfed", deadline=None)
settings.load_profile("handfed")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real handwriting beside the repository; it is no part of the project."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real handwriting is not here: there is no folder ../shared/data beside the repository")
    return folder


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The 5,000 real digits that a dependency ships, shuffled: they come sorted by class."""
    from handfed.simulations.datasets.mnist5k import MNIST5K

    dataset = MNIST5K.load()
    return dataset.take(np.random.default_rng(0).permutation(len(dataset)))
