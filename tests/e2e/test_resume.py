"""A run that SIGKILL ends goes on to the rounds, the weights and the one release that it would have had.

`python -m handfed.simulations.benchmarks resume` does the same at many more places.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handfed.simulations.benchmarks.lives import Death, Ended, live, on_record
from handfed.simulations.benchmarks.resume import small_federation
from handfed.simulations.federation import Federation

DEVICES, ROUNDS, QAT_ROUNDS = 2, 3, 1
KILLS = {
    "in a float round, after the checkpoint of the one before": (Death("message train", DEVICES + 1), 1),
    "in calibration": (Death("message query.calibrate", 1), 2),
    "in publishing, when the release has its files and not its name": (Death("os.rename releases/0001", 1), 3),
}


@pytest.fixture(scope="module")
def federation() -> Federation:
    return small_federation(devices=DEVICES, images=60, rounds=ROUNDS, qat_rounds=QAT_ROUNDS)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_that_is_killed_goes_on_and_loses_no_round_and_counts_none_twice(
    federation: Federation, tmp_path: Path
) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    with ThreadPoolExecutor(1) as beside:
        uninterrupted = beside.submit(live, federation, alone, resume=None, death=None)
        left = []
        for death, _ in KILLS.values():
            ended = live(federation, killed, resume=on_record(killed).run, death=death)
            assert ended.killed
            assert ended.event.startswith(death.event)
            left.append(on_record(killed))
        last = live(federation, killed, resume=on_record(killed).run, death=None)
        assert uninterrupted.result().killed is last.killed is False
    whole = on_record(alone)
    assert [(number, phase) for number, phase, _ in whole.rounds] == [(1, "float"), (2, "float"), (3, "qat")]
    for (_, rounds), found in zip(KILLS.values(), left, strict=True):
        assert (found.status, found.releases) == ("running", 0)
        assert found.rounds == whole.rounds[:rounds]
    assert on_record(killed) == whole
    assert whole.releases == 1
    assert whole.weights_sha256


def test_a_run_that_dies_before_it_is_on_record_leaves_nothing_to_resume(
    federation: Federation, tmp_path: Path
) -> None:
    ended = live(federation, tmp_path, resume=None, death=Death("sql INSERT", 1))
    assert ended == Ended(killed=True, event="sql INSERT", events=ended.events)
    assert on_record(tmp_path).run is None
