"""A release of every manifest format that was ever written is kept here, and must load for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handfed.clients.edge import Recogniser
from handfed.shared import manifest

KEPT = sorted(Path(__file__).parent.glob("manifest-*"))


def test_every_format_so_far_is_kept() -> None:
    assert [directory.name for directory in KEPT] == [f"manifest-{number}" for number in range(1, manifest.FORMAT + 1)]


@pytest.mark.parametrize("directory", KEPT, ids=lambda directory: directory.name)
def test_a_release_of_each_format_loads_and_passes_its_self_test(directory: Path) -> None:
    recogniser = Recogniser.open(directory)
    recogniser.self_test()
    assert recogniser.alphabet.names == tuple("0123456789")
    assert recogniser.manifest is not None
    assert (directory / manifest.MODEL_CARD).is_file()
    best = recogniser.manifest.self_test.logits.argmax(axis=1)
    np.testing.assert_array_equal(recogniser.read_all(recogniser.manifest.self_test.pictures[..., 0]).labels, best)


@pytest.mark.parametrize("directory", KEPT, ids=lambda directory: directory.name)
def test_what_is_kept_stays_small(directory: Path) -> None:
    assert sum(path.stat().st_size for path in directory.iterdir()) < 100_000
