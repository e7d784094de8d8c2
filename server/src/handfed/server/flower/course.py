"""The course of a run: who is there, float rounds, calibration, quantization-aware rounds, and the model they give.

The server never reads an image. What it knows of handwriting is what devices send: arrays, and counts over their own
training and held-out images.

    describe    each device says how many samples it has, of this alphabet
    measure     (batch_statistics = fixed) moments of the untrained model, combined over the federation, then fixed
    float       rounds 1 .. rounds - qat_rounds, or fewer (early_stopping), of which the best model goes on
    calibrate   each device's range of every activation; the median counts
    qat         the last qat_rounds, on the quantization-aware twin

A round is a function of the run's state (`handfed.server.flower.state`), so a run goes on from any state it once had.

Devices come and go. A round begins once so many are there that it can reach its quorum, or when it has waited as long
as it would for their answers; who has come meanwhile is asked to describe itself, and trains like the others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from flwr.serverapp import Grid

from handfed.server.flower import earlier as taken_over
from handfed.server.flower.averaging import averaged
from handfed.server.flower.earlier import Earlier, none_on_record
from handfed.server.flower.exchange import array_bytes, collect, read_array, record, reply_bytes
from handfed.server.flower.guard import Guarded, Rules
from handfed.server.flower.queries import Device, Queries
from handfed.server.flower.state import Arrays, RunState
from handfed.server.flower.strategies import memory_of, remember, strategy
from handfed.server.runs.schemas import DeviceResult, Phase, Rejection, RoundResult
from handfed.shared import schedules, wire
from handfed.shared.disclosure import Detail
from handfed.shared.disclosure import combined as disclosed
from handfed.shared.errors import QuorumError
from handfed.shared.local_training import LocalTraining, Teacher
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import Subject
from handfed.shared.tf.training import Trainer
from handfed.shared.wire import Reason, Schema

VOID_ROUNDS_IN_A_ROW = 3  # so many rounds below the quorum end a run
_LOOK_S = 1.0  # while there are too few devices

PHASE_FLOAT: Phase = "float"
PHASE_QAT: Phase = "qat"


class Listener(Protocol):
    """Is told what happens in a run, as it happens."""

    def described(self, devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        """The devices that take part are known; told again, with all of them, when others have come."""

    def round_started(self, number: int, phase: Phase, asked: int) -> None:
        """A round's messages go out."""

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        """A round is over, and left this state; it is told once."""


class Course:
    """One federated run over a Flower grid.

    Attributes:
        settings: How to train.
        subject: What it is of.
        trainer: The recogniser; it holds no state between calls.
        queries: Asks the devices what is not training.

    Args:
        grid: The devices.
        settings: How to train.
        subject: What it is of.
        trainer: The recogniser.
        listeners: Told of every round.
        earlier: Runs that this one may start from, or learn from.
        caps: How many samples a device counts for at most, by node id.
        number: Of the run on the server's record, which devices note what they trained on by; 0 where there is none.
    """

    def __init__(
        self,
        grid: Grid,
        settings: RunSettings,
        subject: Subject,
        trainer: Trainer,
        listeners: Iterable[Listener],
        *,
        earlier: Earlier = none_on_record,
        caps: Mapping[int, int] | None = None,
        number: int = 0,
    ) -> None:
        self._grid = grid
        self.settings = settings
        self.subject = subject
        self.trainer = trainer
        self._listeners = tuple(listeners)
        self._earlier = earlier
        self._model = taken_over.model_of(earlier, settings, subject)
        self._teacher = taken_over.teacher(earlier, settings.teacher, self._model) if settings.teacher else None
        self._lesson = None if self._teacher is None else self._taught_by(self._teacher)
        self._common: dict[str, int | float | str] = {
            wire.WIRE_VERSION: wire.VERSION,
            "recogniser": settings.recogniser,
            **subject.to_config(),
            "pruning": settings.pruning,
            "class-alpha": settings.class_alpha,
            "seed": settings.seed,
            wire.RUN: number,
            "start-from": settings.start_from,
            "replay-memory": settings.replay_memory,
        }
        self._rules = Rules.of(settings, caps)
        self.queries = Queries(
            grid,
            self._common,
            deadline_s=settings.deadline_s,
            quorum=settings.quorum,
            by_sums=not self._rules.inspected,
            caps=caps,
            classes=len(subject.alphabet) if subject.kind == "characters" else 0,
        )

    def train(self, state: RunState | None = None) -> RunState:
        """Trains to the end.

        Args:
            state: Where the run stands; None for one that has not begun.

        Returns:
            The state after the last round, with the float model and the calibrated one.

        Raises:
            QuorumError: Too few devices took part.
        """
        away = self._describe()
        if state is None and not self.queries.training:
            raise QuorumError(f"no device has training samples for this run: {_who(len(self.queries.devices), away)}")
        if state is None and not any(known.held_out for known in self.queries.devices.values()):
            raise QuorumError(
                "no device holds handwriting out, so none could judge what would be published: have one import another"
                " writer with --side held-out"
            )
        if state is None:
            state = RunState(0, self._start())
        state = replace(state, model=self._model)
        if state.calibrated is None:
            state = self._calibrated(self._rounds(state, self._float_rounds(state), PHASE_FLOAT))
        state = self._rounds(state, self._float_rounds(state) + self.settings.qat_rounds, PHASE_QAT)
        self._gather(state)  # they are to judge what comes of it
        return state

    def _taught_by(self, teacher: Teacher) -> ArrayRecord:
        """A teacher as it goes along with every training message."""
        known = None if teacher.classes is None else len(teacher.classes)
        return record(teacher.arrays, self.trainer.teacher_schema(teacher.recogniser, teacher.pruning, known))

    def _schema(self, phase: Phase) -> Schema:
        return self.trainer.schema(quantized=phase == PHASE_QAT)

    def _describe(self) -> tuple[Rejection, ...]:
        """Asks who has come; returns those that take no part, and why."""
        rejections = self.queries.describe()
        if rejections is not None:
            for listener in self._listeners:
                listener.described(self.queries.devices, rejections)
        return rejections or ()

    def _gather(self, state: RunState) -> None:
        """Asks who has come; where too few devices are there for a round's quorum, waits for them."""
        end = time.monotonic() + self.settings.deadline_s
        while True:
            self._describe()
            there = self.queries.there.intersection(self.queries.training)
            if len(there) >= self._rules.least(self._size(state)) or time.monotonic() > end:
                return
            time.sleep(_LOOK_S)

    def _size(self, state: RunState) -> int:
        """How many devices have trained or can."""
        return len({*self.queries.training, *state.turns})

    def _start(self) -> Arrays:
        """What the first round begins with.

        That is the untrained model, with the federation's batch statistics where those stay fixed; or an earlier run's,
        whose weights have learnt with the statistics that it has.
        """
        if self.settings.start_from:
            return taken_over.start(self._earlier, self.settings.start_from, self._model, self.trainer)
        arrays = self.trainer.initial()
        if self.settings.batch_statistics == "fixed":
            schema = self._schema(PHASE_FLOAT)
            arrays |= self.queries.measure(record(arrays, schema), schema)
        return arrays

    def _calibrated(self, state: RunState) -> RunState:
        """The state in which the quantization-aware rounds begin; the strategy begins anew too."""
        self._gather(state)
        floating = self.trainer.centred(state.outcome if state.best is None else state.best)
        schema = self._schema(PHASE_QAT)
        full = floating | self.queries.calibrate(record(floating, self._schema(PHASE_FLOAT)), schema)
        calibrated = {name: full[name] for name in schema.names()}
        return replace(
            state,
            arrays=calibrated,
            memory={},
            average=None,
            floating=floating,
            calibrated=calibrated,
            float_rounds=state.number,
            best=None,
        )

    def _float_rounds(self, state: RunState) -> int:
        """How many float rounds there are, or were."""
        return state.float_rounds or self.settings.rounds - self.settings.qat_rounds

    def _ended(self, state: RunState, phase: Phase) -> bool:
        """Whether the float rounds end before their time."""
        return phase == PHASE_FLOAT and state.watch.ends(state.number, self.settings.early_stopping)

    def _rounds(self, state: RunState, last: int, phase: Phase) -> RunState:
        if state.number >= last or self._ended(state, phase):
            return state
        while state.number < last and not self._ended(state, phase):
            self._gather(state)
            examples = {device: known.examples for device, known in self.queries.devices.items()}
            flower = strategy(self.settings, self._rules.needed(self._size(state)))
            remember(flower, state.memory)
            guard = Guarded(flower, self._schema(phase), examples, self._rules, state.turns)
            moved, result = self._round(guard, state, phase, last)
            self.queries.ask_again(rejected.device for rejected in result.rejections if rejected.reason == Reason.COUNT)
            state = replace(
                moved or state,
                number=result.number,
                memory=memory_of(flower),
                turns=guard.turns,
                void=0 if moved else state.void + 1,
            )
            if phase == PHASE_FLOAT and result.held_out_loss is not None:
                state = self._watched(state, result.held_out_loss)
            if self._ended(state, phase) and state.number < last:
                result = replace(result, ended=_too_long(state))
            for listener in self._listeners:
                listener.round_ended(result, state)
            if state.void >= VOID_ROUNDS_IN_A_ROW:
                raise QuorumError(
                    f"in {state.void} rounds in a row fewer devices than the quorum returned a usable update;"
                    " see the reasons in the record of the run"
                )
        return state

    @property
    def _lesson_bytes(self) -> int:
        """Bytes of the teacher, which goes along with every training message."""
        return 0 if self._lesson is None else array_bytes(self._lesson)

    def _watched(self, state: RunState, loss: float) -> RunState:
        """The state that knows of one more loss on held-out handwriting."""
        watch = state.watch.seen(state.number, loss, patience=self.settings.plateau_rounds)
        better = self.settings.early_stopping and watch.best_round == state.number
        return replace(state, watch=watch, best=state.outcome if better else state.best)

    def _moved(self, state: RunState, arrays: Arrays) -> RunState:
        """The state with the combined model of the round after it."""
        decay, rounds = self.settings.server_averaging, state.number + 1 - state.float_rounds
        return replace(state, arrays=arrays, average=averaged(state.average, arrays, rounds, decay) if decay else None)

    def _round(self, guard: Guarded, state: RunState, phase: Phase, last: int) -> tuple[RunState | None, RoundResult]:
        """One round: the state with what it moved, None where it stayed below the quorum, and what there is to say."""
        started_at, started = datetime.now(UTC), time.monotonic()
        schema = self._schema(phase)
        number, sent = state.number + 1, record(state.arrays, schema)
        messages = list(guard.configure_train(number, sent, self._config(state, phase), self._grid))
        if self._lesson is not None:
            for message in messages:
                message.content = RecordDict({**message.content, wire.TEACHER: self._lesson})
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
        moved = (
            None if combined is None else self._moved(state, schema.unpack(read_array(combined, schema, values=False)))
        )
        asked, detail = len(messages), Detail()
        if number % self.settings.evaluate_every == 0 or (number == last and self._judged_at_end(last, phase)):
            detail = self._evaluate(record((moved or state).outcome, schema), phase, devices)
            asked += len(self.queries.evaluating)
        examples = sum(update.examples for update in guard.accepted)
        loss = sum(update.loss * update.examples for update in guard.accepted)
        evaluated, characters, edits = (
            sum(getattr(device, count) or 0 for device in devices.values())
            for count in ("held_out", "characters", "edits")
        )
        held_out_loss = sum((device.held_out_loss or 0) * (device.held_out or 0) for device in devices.values())
        return moved, RoundResult(
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
            held_out_loss=held_out_loss / evaluated if evaluated else None,
            evaluated=evaluated,
            bytes_down=array_bytes(sent) * asked + self._lesson_bytes * len(messages),
            bytes_up=sum(sizes.values()),
            devices=tuple(devices[device] for device in sorted(devices)) if self._rules.inspected else (),
            rejections=guard.rejections,
            writer_bins=detail.writers,
            class_counts=detail.classes,
        )

    def _judged_at_end(self, last: int, phase: Phase) -> bool:
        """Whether the last round of a phase is evaluated in any case: that of the run, or where the best one counts."""
        return phase == PHASE_QAT or last == self.settings.rounds or self.settings.early_stopping > 0

    def _evaluate(self, model: ArrayRecord, phase: Phase, devices: dict[int, DeviceResult]) -> Detail:
        """Adds what the devices counted on their held-out images to their results; gives what they said beside."""
        details: list[Detail] = []
        for counted, detail in self.queries.evaluate(model, quantized=phase == PHASE_QAT):
            details.append(detail)
            trained = devices.get(counted.device, counted)
            devices[counted.device] = replace(
                trained,
                held_out=counted.held_out,
                correct=counted.correct,
                characters=counted.characters,
                edits=counted.edits,
                held_out_loss=counted.held_out_loss,
            )
        return disclosed(details)

    def _learning_rate(self, state: RunState, phase: Phase) -> float:
        """That of the round after `state`."""
        settings, floating, number = self.settings, self._float_rounds(state), state.number + 1
        if phase == PHASE_FLOAT:
            return schedules.rate(settings, number, floating, drops=state.watch.drops)
        return schedules.cosine_with_warmup(
            number - floating,
            settings.qat_rounds,
            peak=settings.learning_rate * settings.qat_learning_rate,
            warmup=0,
        )

    def _config(self, state: RunState, phase: Phase) -> ConfigRecord:
        """What a device needs to know of the round after `state`."""
        settings, number = self.settings, state.number + 1
        quantized = phase == PHASE_QAT
        rate = self._learning_rate(state, phase)
        frozen = quantized or settings.batch_statistics == "fixed" or number >= settings.freeze_round
        return ConfigRecord(
            {
                **self._common,
                "round": number,
                "quantized": quantized,
                "clip-update": settings.clip_update,
                "teacher": self._teacher.recogniser if self._teacher else "",
                "teacher-pruning": self._teacher.pruning if self._teacher else 0.0,
                **_classes_of(self._teacher),
                **LocalTraining.of(settings, learning_rate=rate, freeze_statistics=frozen).to_config(),
            }
        )


def _classes_of(teacher: Teacher | None) -> dict[str, list[int]]:
    """Which classes a teacher knows; left out where it knows all, as devices of an earlier version expect."""
    return {} if teacher is None or teacher.classes is None else {"teacher-classes": list(teacher.classes)}


def _who(answered: int, away: tuple[Rejection, ...]) -> str:
    """Who answered, for a person who finds that nobody can train."""
    if not answered and not away:
        return "none is there; see handfed devices list"
    reasons = Counter(each.reason for each in away)
    refused = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "none"
    return f"{answered} hold none of its task and alphabet, and of those turned away there are: {refused}"


def _too_long(state: RunState) -> str:
    """Why the float rounds end, for a person."""
    watch = state.watch
    return (
        f"early stopping: {state.number - watch.best_round} rounds without a lower held-out loss than the"
        f" {watch.best:.4f} nats of round {watch.best_round}, whose model goes on"
    )
