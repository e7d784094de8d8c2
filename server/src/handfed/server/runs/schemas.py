"""What goes into the record of runs and what comes out of it, as values.

Rates are fractions from 0 to 1; times are aware; a figure that is not finite counts as unknown (None).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from handfed.server.wording import spans
from handfed.shared.disclosure import LEAST_DEVICES, ClassCount, spread
from handfed.shared.errors import StorageError, UsageError
from handfed.shared.metrics import Spread

Status = Literal["queued", "running", "done", "failed", "stopped"]
Phase = Literal["float", "qat"]
Outcome = Literal["accepted", "late", "rejected", "evaluated"]


class UnknownRunError(UsageError):
    """A run is asked for that is not on record."""

    def __init__(self, run_id: int, existing: Sequence[int]) -> None:
        there = f"there are {spans(existing)}" if existing else "no run is recorded yet: handfed simulate makes one"
        super().__init__(f"run {run_id} is not on record; {there}")


class RunStateError(StorageError):
    """A run cannot take what is to be recorded: it has ended, or has it already."""


@dataclass(frozen=True)
class RunStart:
    """What is known of a run when it starts.

    Attributes:
        task: Name of what is recognised.
        recogniser: Name of the recogniser that is trained.
        strategy: Name of the strategy that combines updates.
        seed: What the run's randomness starts from.
        settings: Every setting of the run, as JSON can hold it.
        devices: How many devices there are.
        engine: What moves messages: a simulation's engine, or the federation itself.
    """

    task: str
    recogniser: str
    strategy: str
    seed: int
    settings: Mapping[str, Any]
    devices: int
    engine: str


@dataclass(frozen=True)
class DeviceResult:
    """What one device did in a round.

    Attributes:
        device: The device's number, 0 to 2**64 - 1.
        examples: Samples it trained on.
        loss: Mean training loss.
        seconds: Seconds it trained, as it says.
        bytes_up: Bytes of its reply.
        held_out: Held-out samples it evaluated on; None when it was not asked to.
        correct: How many of those were right.
        held_out_loss: Mean loss on those.
        characters: Characters that those show.
        edits: Characters to insert, delete or replace in what was read to make it what they show.
    """

    device: int
    examples: int = 0
    loss: float | None = None
    seconds: float | None = None
    bytes_up: int = 0
    held_out: int | None = None
    correct: int | None = None
    held_out_loss: float | None = None
    characters: int | None = None
    edits: int | None = None


@dataclass(frozen=True)
class Rejection:
    """A reply that was not used.

    Attributes:
        device: The device's number, 0 to 2**64 - 1.
        reason: The rule it broke, as a short code such as `not-finite`.
        detail: What was found, for a person; no value of the update.
    """

    device: int
    reason: str
    detail: str


@dataclass(frozen=True)
class RoundResult:
    """One round, complete.

    Attributes:
        number: Counted from 1.
        phase: `float`, or `qat` for a quantization-aware round.
        started_at: When the round began.
        seconds: How long it took.
        train_seconds: Seconds of training, summed over its devices.
        participants: Devices that were asked.
        accepted: Devices whose update was used.
        examples: Samples behind the accepted updates.
        loss: Mean training loss over those samples.
        accuracy: Fraction of `evaluated` that was right, of texts 1 less the character error rate; None when nothing
            was evaluated.
        evaluated: Held-out samples that the devices evaluated the combined model on.
        bytes_down: Bytes from the server to devices.
        bytes_up: Bytes from devices to the server.
        devices: What each device did, where the run's visibility lets the server see it.
        rejections: Replies that were not used.
        held_out_loss: Mean loss on `evaluated`, in nats a sample; None when nothing was evaluated.
        ended: Why the phase ended with this round, for a person; None where it went on, or came to its planned end.
        writer_bins: Writers by accuracy, as `handfed.shared.disclosure.Detail` has them; empty where nothing is told.
        class_counts: Samples and right readings by class, of classes that enough devices told of.
    """

    number: int
    phase: Phase
    started_at: datetime
    seconds: float
    train_seconds: float
    participants: int
    accepted: int
    examples: int
    loss: float | None = None
    accuracy: float | None = None
    evaluated: int = 0
    bytes_down: int = 0
    bytes_up: int = 0
    devices: tuple[DeviceResult, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    held_out_loss: float | None = None
    ended: str | None = None
    writer_bins: tuple[int, ...] = ()
    class_counts: tuple[ClassCount, ...] = ()


@dataclass(frozen=True)
class RecordedRun:
    """A run as recorded: what it started with, and how it ended if it has.

    Attributes:
        id: Number of the run.
        status: `running`, `done`, `failed` or `stopped`; a run whose process was killed stays `running`.
        rounds: How many rounds are recorded.
        started_at: When it started, in UTC.
        ended_at: When it ended, in UTC.
        error: Why it failed.
        summary: Closing figures, such as `accuracy_float`, `accuracy_int8`, `wall_s` and `weights_sha256`.
    """

    id: int
    status: Status
    task: str
    recogniser: str
    strategy: str
    seed: int
    settings: Mapping[str, Any]
    devices: int
    engine: str
    rounds: int
    started_at: datetime
    ended_at: datetime | None
    error: str | None
    summary: Mapping[str, Any] | None


@dataclass(frozen=True)
class RecordedRound:
    """A round as recorded; fields as in `RoundResult`."""

    number: int
    phase: Phase
    started_at: datetime
    seconds: float | None
    train_seconds: float | None
    participants: int
    accepted: int
    examples: int
    loss: float | None
    accuracy: float | None
    evaluated: int
    bytes_down: int
    bytes_up: int
    held_out_loss: float | None = None
    ended: str | None = None
    writer_bins: tuple[int, ...] = ()
    class_counts: tuple[ClassCount, ...] = ()

    @property
    def writers(self) -> Spread | None:
        """How accuracy differs between writers; None where nothing is told of them."""
        return spread(self.writer_bins)


@dataclass(frozen=True)
class News:
    """What is new of a run to who knows it up to a round.

    Attributes:
        status: How it stands.
        rounds: Those that came after, in order.
    """

    status: Status
    rounds: tuple[RecordedRound, ...]


@dataclass(frozen=True)
class RecordedDevice:
    """What one device did in one round, as recorded; fields as in `DeviceResult`."""

    round: int
    device: int
    examples: int
    loss: float | None
    seconds: float | None
    bytes_up: int
    held_out: int | None
    correct: int | None
    held_out_loss: float | None
    characters: int | None
    edits: int | None


@dataclass(frozen=True)
class RoundInDetail:
    """A round, and how accuracy differs between devices.

    Attributes:
        round: The round.
        device_bins: Devices by accuracy, in the bins of `handfed.shared.disclosure`; empty where nothing is told.
    """

    round: RecordedRound
    device_bins: tuple[int, ...]

    @property
    def devices(self) -> Spread | None:
        """How accuracy differs between devices; None where nothing is told of them."""
        return spread(self.device_bins, LEAST_DEVICES)


@dataclass(frozen=True)
class Participant:
    """What one of the federation's devices did in a round.

    Attributes:
        device: Number of the device.
        name: As people call it.
        organisation: Number of the organisation that it belongs to.
        outcome: What became of its update; `evaluated` where it was asked for no update, or none was needed.
        reason: Why an update was rejected, by its code.
        samples: Samples that it trained on.
        loss: Mean training loss, in nats.
        seconds: Seconds that it trained, as it says.
        bytes_up: Bytes of its update.
        held_out: Samples that it read with the combined model.
        accuracy: How well it read them; None below the floor.
    """

    device: int
    name: str
    organisation: int
    outcome: Outcome
    reason: str | None
    samples: int
    loss: float | None
    seconds: float | None
    bytes_up: int
    held_out: int | None
    accuracy: float | None


@dataclass(frozen=True)
class LiveDevice:
    """What a device does just now; see `handfed.server.runs.live`."""

    device: int
    name: str
    organisation: int
    activity: str
    since: datetime


@dataclass(frozen=True)
class LiveRound:
    """What devices do for a run just now.

    Attributes:
        kind: Of the messages that were sent; None where nothing goes on.
        round: The round that will be on record next.
        began_at: When the first message was sent.
        asked: Devices that were sent one.
        working: Of these, how many have fetched it and not answered.
        answered: How many have answered.
        devices: Those within the scope of who asks; none in a secure run.
    """

    kind: str | None
    round: int | None
    began_at: datetime | None
    asked: int
    working: int
    answered: int
    devices: tuple[LiveDevice, ...]


@dataclass(frozen=True)
class RecordedRejection:
    """A reply that was not used, as recorded; fields as in `Rejection`."""

    round: int
    device: int
    reason: str
    detail: str
