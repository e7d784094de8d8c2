"""Devices that have labels for a part of what they train on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Context, RecordDict

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.simulations.federation import Federation
from handfed.simulations.partition import split
from handfed.simulations.partition.labelled import parted
from handfed.simulations.scenario import Scenario


def test_rows_are_parted_at_random_always_alike_and_nothing_is_lost() -> None:
    rows = np.arange(100, 200)
    labelled, without = parted(rows, 0.1, seed=1, device=3)
    assert (len(labelled), len(without)) == (10, 90)
    assert sorted([*labelled, *without]) == rows.tolist()
    assert np.diff(labelled).min() > 0
    again, _ = parted(rows, 0.1, seed=1, device=3)
    other, _ = parted(rows, 0.1, seed=1, device=4)
    assert labelled.tolist() == again.tolist() != other.tolist()
    assert [len(part) for part in parted(rows, 1.0, seed=1, device=3)] == [100, 0]
    assert len(parted(rows[:3], 0.1, seed=1, device=3)[0]) == 1  # a device is not left without any


def test_a_device_holds_the_rest_without_labels_and_all_that_is_held_out(digits: Dataset) -> None:
    partition = split(digits, scheme="iid", devices=2, held_out=0.2, seed=0)
    whole = Federation(digits, partition, Scenario())
    part = replace(whole, scenario=Scenario(labelled=0.25))
    context = Context(1, 1, {"partition-id": 1}, RecordDict(), {})
    everything, found = (each.handwriting_of(context, each.subject) for each in (whole, part))
    assert everything.unlabelled is None
    assert found.unlabelled is not None
    assert len(found.training) == -(-len(everything.training) // 4)
    assert len(found.training) + len(found.unlabelled) == len(everything.training)
    np.testing.assert_array_equal(found.held_out.images, everything.held_out.images)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(SettingError, match="labelled is"):
        Scenario.from_mapping({"data": "mnist5k", "labelled": fraction})
