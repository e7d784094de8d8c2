"""The course of a run: who is there, float rounds, calibration, quantization-aware rounds, and the model they give.

The server never reads an image. What it knows of handwriting is what devices send: arrays, and counts over their own
training and held-out images.

    describe    each device says how many samples it has, of this alphabet
    measure     (batch_statistics = fixed) moments of the untrained model, combined over the federation, then fixed
    float       rounds 1 .. rounds - qat_rounds
    calibrate   each device's range of every activation; the median counts
    qat         the last rounds, on the quantization-aware twin
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from handfed.server.flower.aggregation import weighted_mean
from handfed.server.flower.guard import Guarded, check_number, read_reply
from handfed.server.flower.strategies import strategy
from handfed.server.runs.schemas import DeviceResult, Phase, Rejection, RoundResult
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import QuorumError
from handfed.shared.run_settings import RunSettings
from handfed.shared.schedules import cosine_with_warmup
from handfed.shared.tf.training import Trainer
from handfed.shared.wire import RejectedError, Role

Arrays = dict[str, NDArray[np.float32]]
VOID_ROUNDS_IN_A_ROW = 3  # so many rounds below the quorum end a run

PHASE_FLOAT: Phase = "float"
PHASE_QAT: Phase = "qat"


@dataclass(frozen=True)
class Device:
    """What a device says of itself when a run begins."""

    examples: int
    held_out: int


@dataclass(frozen=True)
class Verdict:
    """How an INT8 file did against the float model on the devices' held-out images, in counts."""

    samples: int
    float_correct: int
    int8_correct: int
    only_float: int
    only_int8: int

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(
            self.samples + other.samples,
            self.float_correct + other.float_correct,
            self.int8_correct + other.int8_correct,
            self.only_float + other.only_float,
            self.only_int8 + other.only_int8,
        )


class Listener(Protocol):
    """Is told what happens in a run, as it happens."""

    def described(self, devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        """The devices that take part are known."""

    def round_started(self, number: int, phase: Phase, asked: int) -> None:
        """A round's messages go out."""

    def round_ended(self, result: RoundResult) -> None:
        """A round is over; it is told once."""


class Course:
    """One federated run over a Flower grid.

    Attributes:
        devices: What each device said of itself, by node id; known once training began.

    Args:
        grid: The devices.
        settings: How to train.
        alphabet: What the recogniser tells apart.
        trainer: The recogniser; it holds no state between calls.
        listeners: Told of every round.
    """

    def __init__(
        self,
        grid: Grid,
        settings: RunSettings,
        alphabet: Alphabet,
        trainer: Trainer,
        listeners: Iterable[Listener],
    ) -> None:
        self._grid = grid
        self.settings = settings
        self.alphabet = alphabet
        self.trainer = trainer
        self._listeners = tuple(listeners)
        self._common: dict[str, Any] = {
            wire.WIRE_VERSION: wire.VERSION,
            "recogniser": settings.recogniser,
            "alphabet": json.dumps(alphabet.names),
            "class-alpha": settings.class_alpha,
            "seed": settings.seed,
        }
        self.devices: dict[int, Device] = {}

    def train_float(self) -> Arrays:
        """Describes the devices, measures batch statistics and runs the float rounds."""
        self.devices = self._describe()
        arrays = self.trainer.initial()
        if self.settings.batch_statistics == "fixed":
            arrays |= self._measure(arrays)
        return self._rounds(arrays, 1, self.settings.rounds - self.settings.qat_rounds, PHASE_FLOAT)

    def calibrate(self, arrays: Arrays) -> Arrays:
        """`arrays` with the median over devices of each activation's range."""
        replies = self._query(wire.CALIBRATE, arrays, self._training())
        names = self.trainer.schema(quantized=True).names(Role.RANGE)
        found: list[Arrays] = []
        for reply in replies:
            try:
                found.append(self._checked_ranges(reply, names))
            except RejectedError:
                continue
        self._require(len(found), len(self._training()), "calibrated")
        medians = {name: np.median([ranges[name] for ranges in found], axis=0).astype(np.float32) for name in names}
        full = arrays | medians
        return {name: full[name] for name in self.trainer.schema(quantized=True).names()}

    def train_quantized(self, arrays: Arrays) -> Arrays:
        """Runs the quantization-aware rounds on calibrated arrays."""
        first = self.settings.rounds - self.settings.qat_rounds + 1
        return self._rounds(arrays, first, self.settings.rounds, PHASE_QAT)

    def judge(self, arrays: Arrays, model: bytes) -> Verdict:
        """Has every device compare an INT8 file with the float model on its held-out images."""
        config = ConfigRecord({**self._common, wire.MODEL: model})
        content = RecordDict({wire.ARRAYS: _record(arrays), wire.CONFIG: config})
        verdict = Verdict(0, 0, 0, 0, 0)
        for reply in self._send(wire.JUDGE, content, self._evaluating()):
            try:
                _, metrics = read_reply(reply)
                verdict += _checked_verdict(metrics, self.devices[reply.metadata.src_node_id].held_out)
            except RejectedError:
                continue
        return verdict

    def _describe(self) -> dict[int, Device]:
        replies = self._query(wire.DESCRIBE, {}, sorted(self._grid.get_node_ids()))
        found: dict[int, Device] = {}
        rejections: list[Rejection] = []
        for reply in replies:
            device = reply.metadata.src_node_id
            try:
                _, metrics = read_reply(reply)
                found[device] = Device(
                    wire.check_count(metrics.get(wire.NUM_EXAMPLES), most=10**7),
                    wire.check_count(metrics.get(wire.NUM_HELD_OUT), most=10**7),
                )
            except RejectedError as rejection:
                rejections.append(Rejection(device, rejection.reason, rejection.detail))
        for listener in self._listeners:
            listener.described(found, tuple(rejections))
        if not any(device.examples for device in found.values()):
            raise QuorumError("no device has training samples for this run; check what the devices said of themselves")
        return dict(sorted(found.items()))

    def _measure(self, arrays: Arrays) -> Arrays:
        replies = self._query(wire.MEASURE, arrays, self._training())
        schema = self.trainer.schema(quantized=False).only(Role.MEAN, Role.SECOND_MOMENT)
        found: list[Arrays] = []
        counts: list[int] = []
        for reply in replies:
            try:
                sent, metrics = read_reply(reply)
                schema.check(sent)
                counts.append(self._count(reply, metrics))
                found.append(sent)
            except RejectedError:
                continue
        self._require(len(found), len(self._training()), "measured their batch statistics")
        return {name: weighted_mean([each[name] for each in found], counts) for name in schema.names()}

    def _rounds(self, arrays: Arrays, first: int, last: int, phase: Phase) -> Arrays:
        quantized = phase == PHASE_QAT
        guard = Guarded(
            strategy(self.settings),
            self.trainer.schema(quantized=quantized),
            {device: known.examples for device, known in self.devices.items()},
            participation=self.settings.participation,
            quorum=self.settings.quorum,
            seed=self.settings.seed,
        )
        record, void = _record(arrays), 0
        for number in range(first, last + 1):
            combined, result = self._round(guard, number, phase, record)
            void = 0 if combined else void + 1
            record = combined or record
            for listener in self._listeners:
                listener.round_ended(result)
            if void == VOID_ROUNDS_IN_A_ROW:
                raise QuorumError(
                    f"in {void} rounds in a row fewer devices than the quorum returned a usable update;"
                    " see the reasons in the record of the run"
                )
        return {name: array.numpy() for name, array in record.items()}

    def _round(
        self, guard: Guarded, number: int, phase: Phase, record: ArrayRecord
    ) -> tuple[ArrayRecord | None, RoundResult]:
        """One round; None in place of arrays where it stayed below the quorum."""
        started_at, started = datetime.now(UTC), time.monotonic()
        messages = list(guard.configure_train(number, record, self._config(number, phase), self._grid))
        for listener in self._listeners:
            listener.round_started(number, phase, len(messages))
        bytes_down = _array_bytes(record) * len(messages)
        replies = list(self._grid.send_and_receive(messages, timeout=self.settings.deadline_s))
        sizes = {reply.metadata.src_node_id: _reply_bytes(reply) for reply in replies}
        combined, _ = guard.aggregate_train(number, replies)
        devices = {
            update.device: DeviceResult(
                update.device, update.examples, update.loss, update.seconds, sizes[update.device]
            )
            for update in guard.accepted
        }
        examples = sum(update.examples for update in guard.accepted)
        loss = sum(update.loss * update.examples for update in guard.accepted)
        if number % self.settings.evaluate_every == 0 or number == self.settings.rounds:
            self._evaluate(combined or record, phase, devices)
            bytes_down += _array_bytes(record) * len(self._evaluating())
        evaluated = sum(device.held_out or 0 for device in devices.values())
        correct = sum(device.correct or 0 for device in devices.values())
        return combined, RoundResult(
            number=number,
            phase=phase,
            started_at=started_at,
            seconds=time.monotonic() - started,
            train_seconds=sum(update.seconds for update in guard.accepted),
            participants=len(messages),
            accepted=len(guard.accepted),
            examples=examples,
            loss=loss / examples if examples else None,
            accuracy=correct / evaluated if evaluated else None,
            evaluated=evaluated,
            bytes_down=bytes_down,
            bytes_up=sum(sizes.values()),
            devices=tuple(devices[device] for device in sorted(devices)),
            rejections=guard.rejections,
        )

    def _evaluate(self, record: ArrayRecord, phase: Phase, devices: dict[int, DeviceResult]) -> None:
        """Adds what the devices counted on their held-out images to their results."""
        config = ConfigRecord({**self._common, "quantized": phase == PHASE_QAT})
        content = RecordDict({wire.ARRAYS: record, wire.CONFIG: config})
        for reply in self._send(wire.EVALUATE, content, self._evaluating()):
            device = reply.metadata.src_node_id
            try:
                _, metrics = read_reply(reply)
                held_out = wire.check_count(metrics.get(wire.NUM_EXAMPLES), most=self.devices[device].held_out)
                correct = wire.check_count(metrics.get(wire.NUM_CORRECT), most=held_out)
                loss = check_number(metrics, wire.LOSS)
            except RejectedError:
                continue
            trained = devices.get(device, DeviceResult(device))
            devices[device] = replace(trained, held_out=held_out, correct=correct, held_out_loss=loss)

    def _config(self, number: int, phase: Phase) -> ConfigRecord:
        """What a device needs to know of a round."""
        settings = self.settings
        quantized = phase == PHASE_QAT
        first, last = (
            (settings.rounds - settings.qat_rounds, settings.rounds)
            if quantized
            else (0, settings.rounds - settings.qat_rounds)
        )
        rate = cosine_with_warmup(
            number - first,
            last - first,
            peak=settings.learning_rate * (settings.qat_learning_rate if quantized else 1.0),
            warmup=0 if quantized else settings.warmup_rounds,
        )
        frozen = quantized or settings.batch_statistics == "fixed" or number >= settings.freeze_round
        return ConfigRecord(
            {
                **self._common,
                "round": number,
                "quantized": quantized,
                "local-epochs": settings.local_epochs,
                "batch-size": settings.batch_size,
                "learning-rate": rate,
                "momentum": settings.momentum,
                "clip-norm": settings.clip_norm,
                "focal-gamma": settings.focal_gamma,
                "label-prior": settings.label_prior,
                "freeze-statistics": frozen,
                "augmentation": settings.augmentation,
            }
        )

    def _training(self) -> list[int]:
        return [device for device, known in self.devices.items() if known.examples]

    def _evaluating(self) -> list[int]:
        return [device for device, known in self.devices.items() if known.held_out]

    def _count(self, reply: Message, metrics: MetricRecord) -> int:
        most = self.devices[reply.metadata.src_node_id].examples
        return wire.check_count(metrics.get(wire.NUM_EXAMPLES), least=1, most=most)

    def _checked_ranges(self, reply: Message, names: tuple[str, ...]) -> Arrays:
        arrays, _ = read_reply(reply)
        self.trainer.schema(quantized=True).only(Role.RANGE).check(arrays)
        return {name: arrays[name] for name in names}

    def _require(self, found: int, asked: int, what: str) -> None:
        if found < max(1, self.settings.quorum * asked):
            raise QuorumError(f"only {found} of {asked} devices {what}; the quorum is {self.settings.quorum:.0%}")

    def _query(self, kind: str, arrays: Mapping[str, NDArray[np.float32]], devices: list[int]) -> list[Message]:
        content = RecordDict({wire.ARRAYS: _record(arrays), wire.CONFIG: ConfigRecord(self._common)})
        return self._send(kind, content, devices)

    def _send(self, kind: str, content: RecordDict, devices: list[int]) -> list[Message]:
        """Sends one content to many devices; replies come back in the order of their ids."""
        messages = [Message(content=content, message_type=kind, dst_node_id=device) for device in devices]
        replies = self._grid.send_and_receive(messages, timeout=self.settings.deadline_s)
        asked = set(devices)
        return sorted(
            (reply for reply in replies if reply.metadata.src_node_id in asked),
            key=lambda reply: reply.metadata.src_node_id,
        )


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
    return Verdict(samples, float_correct, int8_correct, only_float, only_int8)


def _record(arrays: Mapping[str, NDArray[np.float32]]) -> ArrayRecord:
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def _array_bytes(record: ArrayRecord) -> int:
    return sum(len(array.data) for array in record.values())


def _reply_bytes(reply: Message) -> int:
    if reply.has_error():
        return 0
    return sum(_array_bytes(record) for record in reply.content.array_records.values())
