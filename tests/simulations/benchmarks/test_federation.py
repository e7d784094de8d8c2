"""What the benchmark of a real federation makes of the record and of memory."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from handfed.server.runs.schemas import DeviceResult, RoundResult
from handfed.simulations.benchmarks import federation
from handfed.simulations.benchmarks.federation import DEVICES, FLOAT_ROUNDS, IMAGES, Held, Split

BEGUN = datetime(2026, 5, 6, 12, tzinfo=UTC)


def a_round(number: int, *training: float) -> RoundResult:
    """The round that began `number` squared seconds after the run."""
    devices = tuple(DeviceResult(device, seconds=seconds) for device, seconds in enumerate(training))
    return RoundResult(number, "float", BEGUN + timedelta(seconds=number**2), 1.0, 1.0, 2, 2, 10, devices=devices)


def test_a_round_lasts_until_the_next_and_the_first_and_the_last_are_not_counted() -> None:
    rounds = [a_round(number, 0.5, 1.5) for number in range(1, FLOAT_ROUNDS + 2)]
    splits = federation._splits(rounds)
    assert splits == [Split(2 * number + 1, 1.5) for number in range(2, FLOAT_ROUNDS)]
    assert len(splits) >= 5
    assert splits[0].rest == pytest.approx(3.5)


def test_devices_have_different_digits() -> None:
    rows = federation._rows()
    assert [len(each) for each in rows] == [IMAGES] * len(DEVICES)
    assert len({row for each in rows for row in each}) == IMAGES * len(DEVICES)


def test_memory_that_counts_is_the_most_of_who_waits() -> None:
    mb = 1_000_000
    held = {
        "server, before": Held(1, 100 * mb, 2),
        "server, after": Held(1, 300 * mb, 2),
        "device, before TensorFlow": Held(1, 90 * mb, 1),
        "device, with TensorFlow": Held(1, 900 * mb, 2),
        "device, after TensorFlow was let go": Held(1, 110 * mb, 1),
    }
    splits = [Split(seconds, 1.0) for seconds in (4.0, 5.0, 7.0)]
    figures = federation._figures(44.0, splits, held)
    assert [each.value for each in figures] == [44.0, 5.0, 300.0, 110.0]
    assert all(each.met for each in figures)


def test_a_process_holds_what_it_holds() -> None:
    made = SimpleNamespace(processes={"me": SimpleNamespace(pid=os.getpid())})
    held = federation._held(made, "me")  # type: ignore[arg-type] # of a federation it has the processes
    assert 0 < held.proportional <= held.resident
    assert held.processes >= 1
