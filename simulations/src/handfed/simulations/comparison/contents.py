"""What a comparison is made from, as values, and what follows from it.

A round without an evaluation says nothing of accuracy, so "rounds to 95 %" is the first evaluated round that reached
it: with `evaluate-every 25` it may have been up to 24 rounds earlier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from handfed.server import wording
from handfed.server.runs.schemas import RecordedRound, RecordedRun
from handfed.server.runs.service import RunRecord

LEVELS: Final = (0.90, 0.95, 0.98, 0.99)  # accuracies that are waited for

_MOST_NAMED: Final = 3  # settings in a label
_UNKNOWN: Final = "-"


@dataclass(frozen=True)
class Compared:
    """One of the runs.

    Attributes:
        label: What tells it from the others, in a few words; may be empty.
        run: As recorded.
        rounds: Its rounds, in order.
    """

    label: str
    run: RecordedRun
    rounds: Sequence[RecordedRound]

    @property
    def name(self) -> str:
        """Number and label."""
        return f"run {self.run.id}: {self.label}" if self.label else f"run {self.run.id}"

    @property
    def settings(self) -> dict[str, str]:
        """Everything it was started with, as people read it; nested settings by dotted name."""
        run = self.run
        own = {"task": run.task, "devices": str(run.devices), "engine": run.engine}
        return own | {name.replace("_", "-"): value for name, value in wording.entries(run.settings)}

    @property
    def curve(self) -> list[tuple[int, float]]:
        """Number and accuracy of the rounds that were evaluated."""
        return [(each.number, each.accuracy) for each in self.rounds if each.accuracy is not None]

    @property
    def accuracy(self) -> float | None:
        """Of what it published, or else of the last evaluated round."""
        published = self.figure("accuracy_int8")
        if published is not None:
            return published
        return self.curve[-1][1] if self.curve else None

    @property
    def bytes_sent(self) -> int:
        """Bytes both ways, over all rounds."""
        return sum(each.bytes_down + each.bytes_up for each in self.rounds)

    def rounds_to(self, accuracy: float) -> int | None:
        """The first evaluated round that reached an accuracy; None where none did."""
        return next((number for number, value in self.curve if value >= accuracy), None)

    def figure(self, name: str) -> float | None:
        """A closing figure; None where the run has none."""
        value = (self.run.summary or {}).get(name)
        return float(value) if isinstance(value, int | float) else None


def read(record: RunRecord, labels: Mapping[int, str]) -> list[Compared]:
    """Reads runs from the record.

    Args:
        record: The record.
        labels: What tells each from the others, by number of the run.

    Raises:
        UnknownRunError: There is no such run.
    """
    return [Compared(label, record.get(number), record.rounds(number)) for number, label in labels.items()]


def differing(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """The settings in which runs differ, by name, with the value of each run in order; `-` where it has none."""
    found = [run.settings for run in runs]
    names = dict.fromkeys(name for settings in found for name in settings)
    values = {name: [settings.get(name, _UNKNOWN) for settings in found] for name in names}
    return {name: each for name, each in values.items() if len(set(each)) > 1}


def named(runs: Sequence[Compared]) -> list[Compared]:
    """The runs, labelled by the settings in which they differ where these are few."""
    found = differing(runs)
    if len(found) > _MOST_NAMED:
        return list(runs)
    return [
        replace(run, label=", ".join(f"{name}={values[place]}" for name, values in found.items()))
        for place, run in enumerate(runs)
    ]


def columns(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """The comparison as columns by heading, each with a cell a run: what differs, then what came of it."""
    table = {"run": [str(run.run.id) for run in runs]}
    table |= differing(runs)
    table["status"] = [run.run.status for run in runs]
    table["rounds done"] = [str(len(run.rounds)) for run in runs]
    for heading, name in (
        ("accuracy, INT8", "accuracy_int8"),
        ("calibration alone", "accuracy_int8_calibrated_only"),
        ("accuracy, float", "accuracy_float"),
    ):
        table[heading] = [wording.percent(run.figure(name)) for run in runs]
    for level in LEVELS:
        table[f"rounds to {level:.0%}"] = [str(run.rounds_to(level) or _UNKNOWN) for run in runs]
    table["sent"] = [wording.megabytes(run.bytes_sent) for run in runs]
    table["seconds"] = [wording.decimals(run.figure("wall_s"), 0) for run in runs]
    return table


def as_json(runs: Sequence[Compared]) -> dict[str, object]:
    """The comparison as JSON can hold it; `handfed.simulations.comparison.cli` says what is in it."""
    return {
        "differing": differing(runs),
        "runs": [
            {
                "run": run.run.id,
                "label": run.label,
                "status": run.run.status,
                "rounds": len(run.rounds),
                "rounds_to": {f"{level:.2f}": run.rounds_to(level) for level in LEVELS},
                "bytes_sent": run.bytes_sent,
                "summary": run.run.summary,
                "accuracy_by_round": run.curve,
            }
            for run in runs
        ],
    }
