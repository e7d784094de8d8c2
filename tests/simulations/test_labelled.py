"""Devices that have labels for a part of what they train on."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Context, RecordDict

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.simulations.continual.handwriting import Handwriting
from handfed.simulations.continual.methods import methods_of
from handfed.simulations.federation import Federation
from handfed.simulations.partition import Partition, split
from handfed.simulations.scenario import Scenario


def parted(dataset: Dataset, labelled: float, *, devices: int = 3, seed: int = 0) -> Partition:
    return split(dataset, scheme="iid", devices=devices, held_out=0.2, seed=seed, labelled=labelled)


def test_each_device_has_labels_for_a_part_drawn_at_random_always_alike_and_nothing_is_lost(digits: Dataset) -> None:
    whole, part, again = (parted(digits, each) for each in (1.0, 0.1, 0.1))
    assert not whole.unlabelled.any()
    for device in range(3):
        rows, without = part.training_rows(device), part.unlabelled_rows(device)
        assert len(rows) == -(-len(whole.training_rows(device)) // 10)
        assert sorted([*rows, *without]) == whole.training_rows(device).tolist()
        assert part.held_out_rows(device).tolist() == whole.held_out_rows(device).tolist()
    assert part.unlabelled.tolist() == again.unlabelled.tolist()
    assert part.unlabelled.tolist() != parted(digits, 0.1, seed=1).unlabelled.tolist()


def test_a_device_is_not_left_without_any_label(digits: Dataset) -> None:
    part = parted(digits.take(np.arange(100)), 0.001, devices=5)
    assert [len(part.training_rows(device)) for device in range(5)] == [1] * 5


def test_a_device_holds_the_rest_without_labels_and_all_that_is_held_out(digits: Dataset) -> None:
    context = Context(1, 1, {"partition-id": 1}, RecordDict(), {})
    whole, part = (Federation(digits, parted(digits, labelled), Scenario()) for labelled in (1.0, 0.25))
    everything, found = (each.handwriting_of(context, each.subject) for each in (whole, part))
    assert everything.unlabelled is None
    assert found.unlabelled is not None
    assert len(found.training) == -(-len(everything.training) // 4)
    assert len(found.training) + len(found.unlabelled) == len(everything.training)
    np.testing.assert_array_equal(found.held_out.images, everything.held_out.images)


@pytest.mark.parametrize("method", ["naive", "joint"])
def test_what_has_a_label_keeps_it_from_step_to_step(digits: Dataset, method: str) -> None:
    part = parted(digits, 0.1)
    handwriting = Handwriting.of(digits, part, "classes:5", 0)
    (how,) = methods_of(method)
    _, in_step, _ = handwriting.of_step(1, how, [1])
    rows = np.flatnonzero(part.held_out | (handwriting.steps.step >= (0 if method == "joint" else 1)))
    assert in_step.unlabelled.tolist() == part.unlabelled[rows].tolist()


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, float("nan")])
def test_a_fraction_that_is_none_is_refused(digits: Dataset, fraction: float) -> None:
    with pytest.raises(SettingError, match="labelled is"):
        parted(digits, fraction)
