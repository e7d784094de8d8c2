"""What a server asks devices beside training, and what it makes of the answers.

A reply that breaks a rule is passed over; a query that a quorum of devices did not answer ends the run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid

from handfed.server.flower.aggregation import median, weighted_mean
from handfed.server.flower.exchange import check_number, read_array, read_reply, replies_by_device, send
from handfed.server.flower.state import Arrays
from handfed.server.runs.schemas import DeviceResult, Rejection
from handfed.shared import wire
from handfed.shared.calibration import TEMPERATURES, TemperatureCurve
from handfed.shared.disclosure import Detail, checked, combined
from handfed.shared.errors import QuorumError
from handfed.shared.scores import Score
from handfed.shared.wire import Flat, Reason, RejectedError, Role, Schema

_NEWCOMERS_S = (
    5.0  # that a run which goes on waits for who has come; an answer that takes longer counts when it is there
)
_LOOK_S = 0.2
MOST_ASKED = 64  # devices that measure or calibrate: thousands of images give the moments of all
_MOST_SAMPLES = 10**7  # on one device
_MOST_NATS = 1e6  # of a sample, at any temperature
_LONGEST = 10_000  # characters of a sample, as written or as read

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Device:
    """What a device says of itself when a run begins."""

    examples: int
    held_out: int


@dataclass(frozen=True)
class Verdict:
    """How an INT8 file did against the float model on the devices' held-out samples, in counts.

    Attributes:
        samples: How many were read.
        float_correct: Of them, how many the float model read without an error.
        int8_correct: And the INT8 file.
        only_float: How many only the float model did.
        only_int8: And only the INT8 file.
        characters: Characters that the samples show.
        float_edits: Characters that the float model read wrong.
        int8_edits: And the INT8 file.
    """

    samples: int = 0
    float_correct: int = 0
    int8_correct: int = 0
    only_float: int = 0
    only_int8: int = 0
    characters: int = 0
    float_edits: int = 0
    int8_edits: int = 0

    @property
    def accuracy_float(self) -> float:
        """Of the float model: 1 less its character error rate, which of single characters is the fraction right."""
        return max(1 - self.float_edits / max(self.characters, 1), 0.0)

    @property
    def accuracy_int8(self) -> float:
        """Of the INT8 file."""
        return max(1 - self.int8_edits / max(self.characters, 1), 0.0)

    @property
    def worse(self) -> float:
        """By which fraction of the characters the INT8 file reads more of them wrong than float; less than 0: fewer."""
        return self.accuracy_float - self.accuracy_int8

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


class Queries:
    """Asks the devices of one run.

    Attributes:
        devices: What each device said of itself, by node id; empty before `describe`.
        there: The devices that were online when `describe` looked.

    Args:
        grid: The devices.
        common: What every message says of the run.
        deadline_s: Seconds that a query waits.
        quorum: Fraction of the devices asked that must answer.
        by_sums: Whether the server may see sums over devices only.
        caps: How many samples a device counts for at most, by node id.
        classes: How many the run's alphabet has; 0 of texts, of which devices say nothing by class.
    """

    def __init__(
        self,
        grid: Grid,
        common: Mapping[str, Any],
        *,
        deadline_s: float,
        quorum: float,
        by_sums: bool,
        caps: Mapping[int, int] | None = None,
        classes: int = 0,
    ) -> None:
        self._grid = grid
        self._common = dict(common)
        self._deadline_s = deadline_s
        self._quorum = quorum
        self._by_sums = by_sums
        self._caps = caps or {}
        self._classes = classes
        self.devices: dict[int, Device] = {}
        self.there: frozenset[int] = frozenset()
        self._asked: frozenset[int] = frozenset()  # of those there, who need not be asked to describe themselves
        self._waiting: set[str] = set()  # ids of messages that ask it and are not answered

    @property
    def training(self) -> list[int]:
        """The devices that have something to train on."""
        return [device for device, known in self.devices.items() if known.examples]

    @property
    def evaluating(self) -> list[int]:
        """The devices that hold something out, of those that are there."""
        return [device for device, known in self.devices.items() if known.held_out and device in self.there]

    def describe(self) -> tuple[Rejection, ...] | None:
        """Asks the devices that have come since it was last called, or come back; fills `devices` and `there`.

        Where devices are known, a run can go on, and nobody keeps it waiting: who takes long takes part later.

        Returns:
            Those of them that take no part, and why; None where there is no news of anybody.
        """
        self.there = frozenset(self._grid.get_node_ids())
        coming, self._asked = sorted(self.there - self._asked), self.there
        found: dict[int, Device] = {}
        rejections: list[Rejection] = []
        content = RecordDict({wire.CONFIG: self._config()})
        for reply in self._newcomers(content, coming) if self.devices else self._send(wire.DESCRIBE, content, coming):
            device = reply.metadata.src_node_id
            try:
                _, metrics = read_reply(reply)
                found[device] = Device(
                    wire.check_count(metrics.get(wire.NUM_EXAMPLES), most=_MOST_SAMPLES),
                    wire.check_count(metrics.get(wire.NUM_HELD_OUT), most=_MOST_SAMPLES),
                )
            except RejectedError as rejection:
                rejections.append(Rejection(device, rejection.reason, rejection.detail))
        if not found and not rejections:
            return None
        self.devices = dict(sorted({**self.devices, **found}.items()))
        return tuple(rejections)

    def _newcomers(self, content: RecordDict, coming: Sequence[int]) -> list[Message]:
        """Asks those who have come, and gives what they, and others before them, have answered by now."""
        messages = [Message(content=content, message_type=wire.DESCRIBE, dst_node_id=device) for device in coming]
        if messages:
            self._waiting |= set(self._grid.push_messages(messages))
        found: list[Message] = []
        end = time.monotonic() + (_NEWCOMERS_S if coming else 0)
        while self._waiting:
            fresh = list(self._grid.pull_messages(self._waiting))
            found += fresh
            self._waiting -= {reply.metadata.reply_to_message_id for reply in fresh}
            if time.monotonic() >= end:
                break
            time.sleep(_LOOK_S if self._waiting else 0)
        return replies_by_device(found)

    def ask_again(self, devices: Iterable[int]) -> None:
        """Has devices describe themselves anew: what they hold is no longer what they said."""
        self._asked -= set(devices)

    def measure(self, model: ArrayRecord, schema: Schema) -> Arrays:
        """Moments of every batch normalisation under a model, over the images of all devices.

        Args:
            model: Of the float schema.
            schema: One that holds means and second moments.

        Raises:
            QuorumError: Too few devices answered, or what they answered makes no sense together.
        """
        moments = schema.only(Role.MEAN, Role.SECOND_MOMENT)

        def read(reply: Message) -> tuple[Flat, int]:
            carried, metrics = read_reply(reply)
            sent = read_array(carried, moments, values=not self._by_sums)
            most = self.devices[reply.metadata.src_node_id].examples
            count = wire.check_count(metrics.get(wire.NUM_EXAMPLES), least=1, most=most)
            return sent, 1 if self._by_sums else min(count, self._caps.get(reply.metadata.src_node_id, count))

        answers = self._answers(wire.MEASURE, model, read, "measured their batch statistics")
        return _possible(weighted_mean([sent for sent, _ in answers], [count for _, count in answers]), moments)

    def calibrate(self, model: ArrayRecord, schema: Schema) -> Arrays:
        """The median over devices (by sums: the mean) of each activation's range under a model.

        Args:
            model: Of the float schema.
            schema: One that holds ranges.

        Raises:
            QuorumError: Too few devices answered, or what they answered makes no sense together.
        """
        ranges = schema.only(Role.RANGE)

        def read(reply: Message) -> Flat:
            carried, _ = read_reply(reply)
            return read_array(carried, ranges, values=not self._by_sums)

        answers = self._answers(wire.CALIBRATE, model, read, "calibrated")
        return _possible(weighted_mean(answers, [1] * len(answers)) if self._by_sums else median(answers), ranges)

    def evaluate(self, model: ArrayRecord, *, quantized: bool) -> Iterator[tuple[DeviceResult, Detail]]:
        """What each device counts on its held-out images, and says of writers and classes beside totals."""
        content = RecordDict({wire.ARRAYS: model, wire.CONFIG: self._config(quantized=quantized)})
        for reply in self._send(wire.EVALUATE, content, self.evaluating):
            device = reply.metadata.src_node_id
            try:
                _, metrics = read_reply(reply)
                held_out = wire.check_count(metrics.get(wire.NUM_EXAMPLES), most=self.devices[device].held_out)
                correct = wire.check_count(metrics.get(wire.NUM_CORRECT), most=held_out)
                characters, edits = _edits(metrics, wire.NUM_EDITS, held_out, correct)
                loss = check_number(metrics, wire.LOSS)
                total = Score(held_out, correct, characters, edits)
                detail = checked(metrics, total, self._classes)
            except RejectedError as rejection:
                if rejection.reason == Reason.COUNT:
                    self.ask_again([device])
                continue
            counted = replace(
                DeviceResult(device),
                held_out=held_out,
                correct=correct,
                held_out_loss=loss,
                characters=characters,
                edits=edits,
            )
            yield counted, detail

    def judge(self, floating: ArrayRecord, int8: bytes) -> tuple[Verdict, TemperatureCurve, Detail]:
        """Has every device compare an INT8 file with the float model on its held-out samples, and calibrate it.

        Returns:
            The counts, how well each temperature explains what was written, and how the file reads classes.
        """
        content = RecordDict({wire.ARRAYS: floating, wire.CONFIG: self._config(**{wire.MODEL: int8})})
        verdict, curve = Verdict(), TemperatureCurve.empty()
        details: list[Detail] = []
        for reply in self._send(wire.JUDGE, content, self.evaluating):
            try:
                _, metrics = read_reply(reply)
                one = _checked_verdict(metrics, self.devices[reply.metadata.src_node_id].held_out)
                total = Score(one.samples, one.int8_correct, one.characters, one.int8_edits)
                detail = checked(metrics, total, self._classes)
                curve += _checked_curve(metrics, one.samples)
            except RejectedError:
                continue
            verdict += one
            details.append(detail)
        return verdict, curve, combined(details)

    def _answers(self, kind: str, model: ArrayRecord, read: Callable[[Message], Answer], what: str) -> list[Answer]:
        """What `read` makes of replies of training devices that are there (of many, a sample), a quorum at least."""
        asked = [device for device in self.training if device in self.there]
        if len(asked) > MOST_ASKED:  # a mean or a median of so many is as good, and devices have other work
            asked = sorted(random.Random(f"{self._common['seed']}/{kind}").sample(asked, MOST_ASKED))  # noqa: S311
        found: list[Answer] = []
        content = RecordDict({wire.ARRAYS: model, wire.CONFIG: self._config()})
        for reply in self._send(kind, content, asked):
            try:
                found.append(read(reply))
            except RejectedError:
                continue
        if len(found) < max(1, self._quorum * len(asked)):
            raise QuorumError(f"only {len(found)} of {len(asked)} devices {what}; the quorum is {self._quorum:.0%}")
        return found

    def _config(self, **beside: int | bytes) -> ConfigRecord:
        """What every message says of the run, and what one says beside."""
        return ConfigRecord({**self._common, **beside})

    def _send(self, kind: str, content: RecordDict, devices: Sequence[int]) -> Iterator[Message]:
        return send(self._grid, kind, content, devices, deadline_s=self._deadline_s)


def _possible(combined: Flat, schema: Schema) -> Arrays:
    """What was combined, by name, where it can be: of updates that nobody may look at, only the result can be checked.

    Raises:
        QuorumError: It holds what no handwriting gives.
    """
    try:
        schema.check(combined)
    except RejectedError as error:
        raise QuorumError(f"what the devices measured does not combine ({error}); one of them may be broken") from error
    return schema.unpack(combined)


def _checked_verdict(metrics: MetricRecord, held_out: int) -> Verdict:
    """One device's counts, which must fit one another: four cells of a table of `samples`.

    Raises:
        RejectedError: They do not, or exceed what the device has.
    """
    samples = wire.check_count(metrics.get(wire.NUM_EXAMPLES), most=held_out)
    float_correct = wire.check_count(metrics.get(wire.NUM_CORRECT), most=samples)
    only_float = wire.check_count(metrics.get(wire.ONLY_FLOAT_CORRECT), most=float_correct)
    only_int8 = wire.check_count(metrics.get(wire.ONLY_INT8_CORRECT), most=samples - float_correct)
    int8_correct = float_correct - only_float + only_int8
    wire.check_count(metrics.get(wire.INT8_CORRECT), least=int8_correct, most=int8_correct)
    characters, float_edits = _edits(metrics, wire.NUM_EDITS, samples, float_correct)
    _, int8_edits = _edits(metrics, wire.INT8_EDITS, samples, int8_correct)
    return Verdict(samples, float_correct, int8_correct, only_float, only_int8, characters, float_edits, int8_edits)


def _checked_curve(metrics: MetricRecord, samples: int) -> TemperatureCurve:
    """One device's nats at each temperature.

    Raises:
        RejectedError: They are not as many as there are temperatures, negative, or not finite.
    """
    count = wire.check_count(metrics.get(wire.CURVE_EXAMPLES), most=samples)
    nats = np.asarray(metrics.get(wire.CURVE), np.float64)
    if nats.shape != TEMPERATURES.shape or not (nats >= 0).all() or not (nats <= count * _MOST_NATS).all():
        raise RejectedError(Reason.CONTENT, "the curve over temperatures is none")
    return TemperatureCurve(count, nats)


def _edits(metrics: MetricRecord, key: str, samples: int, correct: int) -> tuple[int, int]:
    """Characters and edits, which must fit the samples: each shows a character, and each that is wrong needs an edit.

    Raises:
        RejectedError: They do not.
    """
    characters = wire.check_count(metrics.get(wire.NUM_CHARACTERS), least=samples, most=samples * _LONGEST)
    most = (samples - correct) * _LONGEST
    return characters, wire.check_count(metrics.get(key), least=samples - correct, most=most)
