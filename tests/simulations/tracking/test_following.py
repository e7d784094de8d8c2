"""A run is followed to its end, and outlives what follows it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from handfed.server.flower.state import Arrays, RunState
from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.simulations.scenario import Scenario
from handfed.simulations.tracking import Ending, Following, TrackingError, follow


class Notes:
    """A tracker that notes what it is told, and fails at what it is told to fail at."""

    def __init__(self, *failing: object) -> None:
        self.notes: list[object] = []
        self.failing = failing

    def begin(self, run: RecordedRun, settings: Mapping[str, str], *, resumed: bool) -> None:
        del settings
        self._note(("begin", run.id, resumed))

    def round(self, result: RoundResult, arrays: Arrays) -> None:
        del arrays
        self._note(result.number)

    def end(self, ending: Ending, figures: Mapping[str, float], marks: Mapping[str, str]) -> None:
        self._note((ending, dict(figures), dict(marks)))

    def _note(self, note: object) -> None:
        if note in self.failing or (isinstance(note, tuple) and note[0] in self.failing):
            raise TrackingError("it is gone")
        self.notes.append(note)


def ended(following: Following, result: RoundResult) -> None:
    following.round_ended(result, RunState(result.number, {}))


def test_a_run_is_followed_to_its_end(run: RecordedRun, rounds: list[RoundResult]) -> None:
    notes = Notes()
    with Following(Scenario(), [notes]) as following:
        following.begin(run, resumed=True)
        for result in rounds:
            ended(following, result)
        following.done({"accuracy_int8": 0.5, "release": 3})
    assert notes.notes == [("begin", 12, True), 1, 2, ("done", {"accuracy_int8": 0.5}, {"release": "3"})]


@pytest.mark.parametrize(("error", "ending"), [(ValueError("x"), "failed"), (KeyboardInterrupt(), "stopped")])
def test_a_run_that_broke_off_is_told_as_such(run: RecordedRun, error: BaseException, ending: str) -> None:
    notes = Notes()
    following = Following(Scenario(), [notes])
    following.begin(run, resumed=False)
    with pytest.raises(type(error)), following:
        raise error
    assert notes.notes[-1] == (ending, {}, {})


def test_what_fails_after_a_run_is_done_does_not_change_its_end(run: RecordedRun) -> None:
    notes = Notes()
    following = Following(Scenario(), [notes])
    following.begin(run, resumed=False)
    following.done({})
    with pytest.raises(OSError, match="report"), following:
        raise OSError("the report")
    assert notes.notes[1:] == [("done", {}, {})]


def test_a_run_that_never_began_is_not_told_of() -> None:
    notes = Notes()
    with pytest.raises(ValueError, match="before"), Following(Scenario(), [notes]):
        raise ValueError("before it began")
    assert notes.notes == []


def test_a_tool_that_fails_for_a_moment_is_warned_of_and_told_the_rest(
    run: RecordedRun, rounds: list[RoundResult], caplog: pytest.LogCaptureFixture
) -> None:
    shaky, steady = Notes(1), Notes()
    with caplog.at_level(logging.WARNING), Following(Scenario(), [shaky, steady]) as following:
        following.begin(run, resumed=False)
        for result in rounds:
            ended(following, result)
        following.done({})
    assert shaky.notes == [("begin", 12, False), 2, ("done", {}, {})]
    assert steady.notes == [("begin", 12, False), 1, 2, ("done", {}, {})]
    assert [record.getMessage() for record in caplog.records] == ["it is gone"]


def test_a_tool_that_stays_away_is_left_alone(
    run: RecordedRun, rounds: list[RoundResult], caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes(1, 2)
    with caplog.at_level(logging.WARNING), Following(Scenario(), [notes]) as following:
        following.begin(run, resumed=False)
        for result in [*rounds, *rounds]:
            ended(following, result)
        following.done({})
    assert notes.notes == [("begin", 12, False)]
    assert len(caplog.records) == 3
    assert "the rest of the run is not told there" in caplog.records[-1].getMessage()


def test_a_tool_that_has_no_place_for_a_run_is_told_nothing_of_it(run: RecordedRun, rounds: list[RoundResult]) -> None:
    notes = Notes("begin")
    with Following(Scenario(), [notes]) as following:
        following.begin(run, resumed=False)
        ended(following, rounds[0])
        following.done({})
    assert notes.notes == []


def test_who_names_no_tool_is_followed_by_none(run: RecordedRun, rounds: list[RoundResult]) -> None:
    with follow(Scenario(), None, None) as following:
        following.begin(run, resumed=False)
        ended(following, rounds[0])
        following.done({})


def test_a_tool_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrackingError, match=r"TensorBoard's folder .* cannot be made"):
        follow(Scenario(), tmp_path / "file" / "logs", None)
