"""What a federation is measured against sees the data as often as the federation does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.shared.run_settings import RunSettings
from handfed.simulations.baselines import central, passes
from handfed.simulations.faults import Faults
from handfed.simulations.scenario import Scenario


@given(st.integers(1, 500), st.integers(1, 20), st.floats(0.01, 1.0), st.integers(1, 5))
def test_training_in_one_place_makes_as_many_passes(
    rounds: int, qat_rounds: int, participation: float, epochs: int
) -> None:
    run = RunSettings(
        rounds=rounds + qat_rounds, qat_rounds=qat_rounds, participation=participation, local_epochs=epochs
    )
    same = central(Scenario(run=run)).run
    expected = passes(run, run.rounds)
    assert abs(same.rounds - max(expected, 2)) <= 1.5
    assert passes(same, same.rounds) == same.rounds


def test_training_in_one_place_is_a_federation_of_one_device_without_faults() -> None:
    run = RunSettings(strategy="krum", norm_bound=2.0, learning_rate=0.02)
    found = central(Scenario(partition="shards:2", devices=10, run=run, faults=Faults(nan=0.5)))
    assert (found.partition, found.devices, found.run.strategy, found.faults) == ("iid", 1, "fedavg", Faults())
    assert (found.held_out, found.run.learning_rate, found.run.norm_bound) == (0.2, 0.02, 0.0)


def test_batch_statistics_are_frozen_after_as_many_passes() -> None:
    run = RunSettings(rounds=300, qat_rounds=20, participation=0.1, local_epochs=1, freeze_round=280)
    assert central(Scenario(run=run)).run.freeze_round == 28


def test_steps_cannot_be_compared_with_passes() -> None:
    with pytest.raises(SettingError, match="counts steps"):
        central(Scenario(run=RunSettings(local_steps=5)))


def test_devices_that_train_alone_read_less_than_all_together(digits: Dataset) -> None:
    from handfed.simulations.alone import accuracy_alone
    from handfed.simulations.federation import Federation
    from handfed.simulations.partition import split

    part = digits.take(np.arange(600))
    partition = split(part, scheme="shards:2", devices=5, held_out=0.2, seed=0)
    federation = Federation(part, partition, Scenario(partition="shards:2", devices=5))
    accuracy = accuracy_alone(federation, 3, 0)
    assert 0.02 < accuracy < 0.4  # it has seen two classes of ten
    assert accuracy_alone(federation, 3, 0) == accuracy
