"""The course of a run: who is there, float rounds, calibration, quantization-aware rounds, and the model they give.

The server never reads an image. What it knows of handwriting is what devices send: arrays, and counts over their own
training and held-out images.

    describe    each device says how many samples it has, of this alphabet
    measure     (batch_statistics = fixed) moments of the untrained model, combined over the federation, then fixed
    float       rounds 1 .. rounds - qat_rounds
    calibrate   each device's range of every activation; the median counts
    qat         the last rounds, on the quantization-aware twin

A round is a function of the run's state (`handfed.server.flower.state`), so a run goes on from any state it once had.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from flwr.app import ArrayRecord, ConfigRecord
from flwr.serverapp import Grid

from handfed.server.flower.exchange import array_bytes, collect, record, reply_bytes
from handfed.server.flower.guard import Guarded, Rules
from handfed.server.flower.queries import Device, Queries
from handfed.server.flower.state import Arrays, RunState
from handfed.server.flower.strategies import memory_of, remember, strategy
from handfed.server.runs.schemas import DeviceResult, Phase, Rejection, RoundResult
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import QuorumError
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.schedules import cosine_with_warmup
from handfed.shared.tf.training import Trainer

VOID_ROUNDS_IN_A_ROW = 3  # so many rounds below the quorum end a run

PHASE_FLOAT: Phase = "float"
PHASE_QAT: Phase = "qat"


class Listener(Protocol):
    """Is told what happens in a run, as it happens."""

    def described(self, devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        """The devices that take part are known."""

    def round_started(self, number: int, phase: Phase, asked: int) -> None:
        """A round's messages go out."""

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        """A round is over, and left this state; it is told once."""


class Course:
    """One federated run over a Flower grid.

    Attributes:
        settings: How to train.
        alphabet: What the recogniser tells apart.
        trainer: The recogniser; it holds no state between calls.
        queries: Asks the devices what is not training.

    Args:
        grid: The devices.
        settings: How to train.
        alphabet: What the recogniser tells apart.
        trainer: The recogniser.
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
        self._common: dict[str, int | str] = {
            wire.WIRE_VERSION: wire.VERSION,
            "recogniser": settings.recogniser,
            "alphabet": json.dumps(alphabet.names),
            "height": trainer.height,
            "class-alpha": settings.class_alpha,
            "seed": settings.seed,
        }
        self._rules = Rules.of(settings)
        self.queries = Queries(
            grid,
            self._common,
            deadline_s=settings.deadline_s,
            quorum=settings.quorum,
            by_sums=not self._rules.inspected,
        )
        self._last_float = settings.rounds - settings.qat_rounds

    def train(self, state: RunState | None = None) -> RunState:
        """Trains to the end.

        Args:
            state: Where the run stands; None for one that has not begun.

        Returns:
            The state after the last round, with the float model and the calibrated one.

        Raises:
            QuorumError: Too few devices took part.
        """
        self._describe()
        if state is None:
            state = RunState(0, self._start())
        if state.calibrated is None:
            state = self._calibrated(self._rounds(state, self._last_float, PHASE_FLOAT))
        return self._rounds(state, self.settings.rounds, PHASE_QAT)

    def _describe(self) -> None:
        rejections = self.queries.describe()
        for listener in self._listeners:
            listener.described(self.queries.devices, rejections)
        if not self.queries.training:
            raise QuorumError("no device has training samples for this run; check what the devices said of themselves")

    def _start(self) -> Arrays:
        """The untrained model, with the federation's batch statistics where those stay fixed."""
        arrays = self.trainer.initial()
        if self.settings.batch_statistics == "fixed":
            arrays |= self.queries.measure(arrays, self.trainer.schema(quantized=False))
        return arrays

    def _calibrated(self, state: RunState) -> RunState:
        """The state in which the quantization-aware rounds begin; the strategy begins anew too."""
        schema = self.trainer.schema(quantized=True)
        full = state.arrays | self.queries.calibrate(state.arrays, schema)
        calibrated = {name: full[name] for name in schema.names()}
        return replace(state, arrays=calibrated, memory={}, floating=state.arrays, calibrated=calibrated)

    def _rounds(self, state: RunState, last: int, phase: Phase) -> RunState:
        if state.number >= last:
            return state
        examples = {device: known.examples for device, known in self.queries.devices.items()}
        flower = strategy(self.settings, self._rules.needed(len(self.queries.training)))
        remember(flower, state.memory)
        guard = Guarded(flower, self.trainer.schema(quantized=phase == PHASE_QAT), examples, self._rules)
        while state.number < last:
            arrays, result = self._round(guard, state.number + 1, phase, record(state.arrays))
            state = replace(
                state,
                number=result.number,
                arrays=state.arrays if arrays is None else arrays,
                memory=memory_of(flower),
                void=0 if arrays is not None else state.void + 1,
            )
            for listener in self._listeners:
                listener.round_ended(result, state)
            if state.void >= VOID_ROUNDS_IN_A_ROW:
                raise QuorumError(
                    f"in {state.void} rounds in a row fewer devices than the quorum returned a usable update;"
                    " see the reasons in the record of the run"
                )
        return state

    def _round(self, guard: Guarded, number: int, phase: Phase, sent: ArrayRecord) -> tuple[Arrays | None, RoundResult]:
        """One round; None in place of arrays where it stayed below the quorum."""
        started_at, started = datetime.now(UTC), time.monotonic()
        messages = list(guard.configure_train(number, sent, self._config(number, phase), self._grid))
        for listener in self._listeners:
            listener.round_started(number, phase, len(messages))
        replies = collect(self._grid, messages, enough=guard.needed, deadline_s=self.settings.deadline_s)
        sizes = {reply.metadata.src_node_id: reply_bytes(reply) for reply in replies}
        combined, _ = guard.aggregate_train(number, replies)
        devices = {
            update.device: DeviceResult(
                update.device, update.examples, update.loss, update.seconds, sizes[update.device]
            )
            for update in guard.accepted
        }
        asked = len(messages)
        if number % self.settings.evaluate_every == 0 or number == self.settings.rounds:
            self._evaluate(combined or sent, phase, devices)
            asked += len(self.queries.evaluating)
        examples = sum(update.examples for update in guard.accepted)
        loss = sum(update.loss * update.examples for update in guard.accepted)
        evaluated, characters, edits = (
            sum(getattr(device, count) or 0 for device in devices.values())
            for count in ("held_out", "characters", "edits")
        )
        arrays = None if combined is None else {name: array.numpy() for name, array in combined.items()}
        return arrays, RoundResult(
            number=number,
            phase=phase,
            started_at=started_at,
            seconds=time.monotonic() - started,
            train_seconds=sum(update.seconds for update in guard.accepted),
            participants=len(messages),
            accepted=len(guard.accepted),
            examples=examples,
            loss=loss / examples if examples else None,
            accuracy=max(1 - edits / characters, 0.0) if characters else None,
            evaluated=evaluated,
            bytes_down=array_bytes(sent) * asked,
            bytes_up=sum(sizes.values()),
            devices=tuple(devices[device] for device in sorted(devices)) if self._rules.inspected else (),
            rejections=guard.rejections,
        )

    def _evaluate(self, model: ArrayRecord, phase: Phase, devices: dict[int, DeviceResult]) -> None:
        """Adds what the devices counted on their held-out images to their results."""
        for counted in self.queries.evaluate(model, quantized=phase == PHASE_QAT):
            trained = devices.get(counted.device, counted)
            devices[counted.device] = replace(
                trained,
                held_out=counted.held_out,
                correct=counted.correct,
                characters=counted.characters,
                edits=counted.edits,
                held_out_loss=counted.held_out_loss,
            )

    def _config(self, number: int, phase: Phase) -> ConfigRecord:
        """What a device needs to know of a round."""
        settings = self.settings
        quantized = phase == PHASE_QAT
        first, last = (self._last_float, settings.rounds) if quantized else (0, self._last_float)
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
                "clip-update": settings.clip_update,
                **LocalTraining.of(settings, learning_rate=rate, freeze_statistics=frozen).to_config(),
            }
        )
