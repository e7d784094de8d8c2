"""What a tracker is: it writes the course of one run to one tool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Final, Literal, Protocol

from handfed.server.flower.state import Arrays
from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.shared.errors import HandfedError
from handfed.simulations.scenario import Scenario

EXTRA: Final = "handfed-simulations[tracking]"

Ending = Literal["done", "failed", "stopped"]


class TrackingError(HandfedError):
    """A tool cannot be reached, or does not take what a tracker has for it."""


class Tracker(Protocol):
    """Writes to one tool; every method raises a `TrackingError` when the tool does not take it."""

    def begin(self, run: RecordedRun, settings: Mapping[str, str], *, resumed: bool) -> None:
        """Opens a place for a run, or the one that it had before it broke off.

        Args:
            run: As recorded.
            settings: What may be told of its scenario.
            resumed: Whether it goes on where it broke off.
        """

    def round(self, result: RoundResult, arrays: Arrays) -> None:
        """Writes a round.

        Args:
            result: What happened in it.
            arrays: The combined model after it.
        """

    def end(self, ending: Ending, figures: Mapping[str, float], marks: Mapping[str, str]) -> None:
        """Writes how the run ended.

        Args:
            ending: As the record has it.
            figures: Closing figures by name; none where the run was not done.
            marks: What the run left, such as the number of its release.
        """


def place(run: RecordedRun) -> str:
    """What a run is called in a tool, where runs of several data directories may meet."""
    return f"{run.started_at.astimezone(UTC):%Y%m%d-%H%M%S}-run-{run.id:04d}"


def tellable(scenario: Scenario) -> dict[str, str]:
    """The settings that may leave this machine, by name (rule 1 of the package)."""
    from handfed.clients.datasets import named
    from handfed.shared.tasks import TASKS

    values = scenario.to_mapping()
    if scenario.data not in named.names():
        values["data"] = "a file or folder"
    if scenario.task not in TASKS:
        values["task"] = "a file"
    if scenario.run.class_alpha:
        values["class_alpha"] = "set"
    return {name: str(value) for name, value in values.items()}


def scalars(result: RoundResult) -> dict[str, float]:
    """The figures of a round by name; what is not known is left out."""
    found = {
        "loss": result.loss,
        "accuracy": result.accuracy,
        "bytes/down": result.bytes_down,
        "bytes/up": result.bytes_up,
        "updates/accepted": result.accepted,
        "updates/rejected": len(result.rejections),
        "seconds/round": result.seconds,
        "seconds/training": result.train_seconds,
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def closing(summary: Mapping[str, object]) -> tuple[dict[str, float], dict[str, str]]:
    """The closing figures of a run, and what it left, from its summary on record; paths are left out."""
    figures: dict[str, float] = {}
    for name, value in summary.items():
        if isinstance(value, Mapping):
            figures |= {f"{name}/{each}": figure for each, figure in closing(value)[0].items()}
        elif isinstance(value, int | float) and name not in _MARKS:
            figures[name] = float(value)
    return figures, {name: str(summary[name]) for name in _MARKS if name in summary}


_MARKS: Final = ("run", "release", "weights_sha256")
