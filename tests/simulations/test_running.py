"""From a scenario to the handwriting that its devices hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handfed.shared import planes
from handfed.shared.run_settings import RunSettings
from handfed.simulations.running import _split
from handfed.simulations.scenario import Scenario


@pytest.mark.parametrize("partition", ["iid", "feature:pen"])
def test_what_is_beside_the_ink_is_of_the_picture_as_its_device_has_it(tmp_path: Path, partition: str) -> None:
    rings = np.zeros((40, 20, 20), np.uint8)
    rings[:, 4:16, 5:15] = 255
    rings[:, 7:13, 8:12] = 0
    np.savez(tmp_path / "rings.npz", x=rings, y=np.arange(40) % 2, allow_pickle=False)
    scenario = Scenario(
        data=str(tmp_path / "rings.npz"), partition=partition, devices=4, run=RunSettings(inputs="topology")
    )
    samples = _split(scenario)[0].samples
    assert len(np.unique(samples.images, axis=0)) == (1 if partition == "iid" else 4)
    np.testing.assert_array_equal(samples.pictures, planes.seen(samples.images, ("topology",)))
