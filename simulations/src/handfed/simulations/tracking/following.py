"""Following a run: a listener that passes what happens on to trackers, and outlives those that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from handfed.server.flower.queries import Device
from handfed.server.flower.state import RunState
from handfed.server.runs.schemas import RecordedRun, Rejection, RoundResult
from handfed.simulations.scenario import Scenario
from handfed.simulations.tracking.tracker import Ending, Tracker, TrackingError, closing, tellable

_PATIENCE: Final = 3  # failures in a row, after which a tool is left alone
_LOG: Final = logging.getLogger(__name__)


class Following:
    """A `handfed.server.flower.course.Listener`, to be used in a `with` statement around a run.

    Args:
        scenario: What is run.
        trackers: Where it is told; none is fine.
    """

    def __init__(self, scenario: Scenario, trackers: Sequence[Tracker]) -> None:
        self._settings = tellable(scenario)
        self._failures = dict.fromkeys(trackers, 0)
        self._running = False

    def begin(self, run: RecordedRun, *, resumed: bool) -> None:
        """The run has its number; to be called once."""
        self._running = True
        self._tell(lambda tracker: tracker.begin(run, self._settings, resumed=resumed), patience=1)

    def described(self, devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        """The devices are known."""

    def round_started(self, number: int, phase: str, asked: int) -> None:
        """A round's messages go out."""

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        """Passes the round on."""
        self._tell(lambda tracker: tracker.round(result, state.outcome))

    def done(self, summary: Mapping[str, object]) -> None:
        """Passes the closing figures on."""
        self._end("done", summary)

    def __enter__(self) -> Self:
        """The listener itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A run that did not come to `done` failed, or was stopped."""
        if self._running:
            self._end("stopped" if isinstance(error, KeyboardInterrupt) else "failed", {})

    def _end(self, ending: Ending, summary: Mapping[str, object]) -> None:
        self._running = False
        figures, marks = closing(summary)
        self._tell(lambda tracker: tracker.end(ending, figures, marks))

    def _tell(self, call: Callable[[Tracker], None], patience: int = _PATIENCE) -> None:
        for tracker in list(self._failures):
            try:
                call(tracker)
            except TrackingError as error:
                self._failures[tracker] += 1
                leave = self._failures[tracker] >= patience
                _LOG.warning("%s%s", error, "; the rest of the run is not told there" if leave else "")
                if leave:
                    del self._failures[tracker]
            else:
                self._failures[tracker] = 0


def follow(scenario: Scenario, tensorboard: Path | None, mlflow: str | None) -> Following:
    """A follower that tells the tools that are named.

    Args:
        scenario: What is run.
        tensorboard: A folder for TensorBoard.
        mlflow: URI of an MLflow tracking store.

    Raises:
        MissingExtraError: The tool's library is not installed.
        TrackingError: The tool cannot be reached or written.
    """
    trackers: list[Tracker] = []
    if tensorboard is not None:
        from handfed.simulations.tracking.event_files import EventFiles

        trackers.append(EventFiles(tensorboard))
    if mlflow is not None:
        from handfed.simulations.tracking.mlflow_store import MlflowStore

        trackers.append(MlflowStore(mlflow))
    return Following(scenario, trackers)
