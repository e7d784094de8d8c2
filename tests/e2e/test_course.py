"""The course of a run, by the real server and devices: what it starts from, and when its float rounds end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable
from numpy.typing import NDArray

from handfed.clients.trainer.app import Handwriting
from handfed.clients.trainer.app import create_app as client_app
from handfed.server.flower.app import create_app as server_app
from handfed.server.flower.course import Course
from handfed.server.flower.earlier import Earlier, none_on_record
from handfed.server.flower.state import Model, RunState
from handfed.server.runs.schemas import RoundResult
from handfed.shared import wire
from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.shared.litert import Int8Model
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import Subject
from handfed.shared.tf.export import to_int8
from handfed.simulations.engines import ENGINES, Workers

SETTINGS = RunSettings(
    rounds=8, qat_rounds=1, warmup_rounds=0, local_epochs=1, augmentation=0.0, dropout=0.0, learning_rate=0.01
)
Asked = dict[str, Any]  # the configuration of a training message


class Ended:
    """A run: its rounds, the state after each, what devices were asked, what they judged, and the last state."""

    def __init__(self) -> None:
        self.rounds: list[RoundResult] = []
        self.states: list[RunState] = []
        self.asked: list[Asked] = []
        self.judged: dict[int, NDArray[np.float32]] = {}
        self.last = RunState(0, {})

    def described(self, *_: object) -> None:
        pass

    def round_started(self, *_: object) -> None:
        pass

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        self.rounds.append(result)
        self.states.append(state)

    def publish(self, course: Course, state: RunState) -> None:
        self.course, self.last = course, state


Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def run(digits: Dataset) -> Run:
    """Runs two devices of thirty digits each; their held-out loss is what `losses` says, round by round."""

    def go(
        resume: RunState | None = None, losses: Sequence[float] = (), earlier: Earlier = none_on_record, **settings: Any
    ) -> Ended:
        ended = Ended()

        def scripted(message: Message, context: Context, answer: ClientAppCallable) -> Message:
            kind, config = message.metadata.message_type, dict(message.content.config_records[wire.CONFIG])
            if kind == wire.TRAIN:
                ended.asked.append(config | {"records": set(message.content.array_records)})
            if kind == wire.EVALUATE:
                (sent,) = message.content.array_records.values()
                ended.judged[ended.asked[-1]["round"]] = next(iter(sent.values())).numpy()
            reply = answer(message, context)
            if kind == wire.EVALUATE and losses and not config["quantized"]:
                reply.content.metric_records[wire.METRICS][wire.LOSS] = losses[ended.asked[-1]["round"] - 1]
            return reply

        def handwriting(context: Context, _subject: Subject) -> Handwriting:
            first = 40 * int(context.node_config["partition-id"])
            rows = np.arange(first, first + 40)
            return Handwriting(digits.alphabet, digits.samples.take(rows[:30]), digits.samples.take(rows[30:]))

        chosen = dataclasses.replace(SETTINGS, **settings)
        ENGINES["in-process"](
            server_app(ended.publish, [ended], resume, earlier),
            lambda: client_app(handwriting, [scripted]),
            devices=2,
            run_config={**chosen.to_mapping(), **Subject(digits.alphabet).to_config()},
            progress=lambda *_: None,
            workers=Workers(),
        )
        return ended

    return go


def goes_on_from(ended: Ended, arrays: Mapping[str, np.ndarray] | None) -> bool:
    """Whether the quantization-aware rounds begin with these arrays, the logits' own sum taken off."""
    floating = ended.last.floating
    if arrays is None or floating is None:
        return False
    wanted = ended.course.trainer.centred(arrays)
    same = wanted.keys() == floating.keys() and all(np.array_equal(floating[each], wanted[each]) for each in wanted)
    return same and np.abs(floating["logits/kernel"].sum(axis=-1)).max() < 1e-5


LOSSES = [1.0, 0.8, 0.9, 0.85, 0.7, 0.6, 0.5]  # better again, but too late


def test_float_rounds_end_after_so_many_without_a_lower_loss_and_the_best_model_goes_on(run: Run) -> None:
    ended = run(losses=LOSSES, early_stopping=2)
    assert [(each.number, each.phase) for each in ended.rounds] == [
        (1, "float"), (2, "float"), (3, "float"), (4, "float"), (5, "qat")
    ]  # fmt: skip
    assert ended.rounds[3].ended is not None
    assert "round 2" in ended.rounds[3].ended
    assert [each.ended for each in ended.rounds if each.number != 4] == [None] * 4
    best = ended.states[1].arrays
    assert goes_on_from(ended, best)
    assert not np.array_equal(ended.states[3].arrays["conv1/kernel"], best["conv1/kernel"])
    assert ended.last.float_rounds == 4


def test_a_run_that_breaks_off_ends_its_float_rounds_in_the_same_round(run: Run) -> None:
    whole = run(losses=LOSSES, early_stopping=2)
    for state in whole.states:
        resumed = run(RunState.from_bytes(state.to_bytes()), LOSSES, early_stopping=2)
        assert [each.number for each in resumed.rounds] == list(range(state.number + 1, 6))
        for name, array in whole.last.arrays.items():
            np.testing.assert_array_equal(resumed.last.arrays[name], array)


def test_without_early_stopping_every_round_is_made_and_the_last_model_goes_on(run: Run) -> None:
    ended = run(rounds=4, losses=[0.5, 1.0, 2.0])
    assert [each.phase for each in ended.rounds] == ["float", "float", "float", "qat"]
    assert [each.held_out_loss for each in ended.rounds[:3]] == [0.5, 1.0, 2.0]
    assert goes_on_from(ended, ended.states[2].arrays)
    assert all(state.best is None for state in ended.states)


def test_where_all_rounds_are_made_the_best_model_goes_on_all_the_same(run: Run) -> None:
    ended = run(rounds=4, losses=[0.5, 1.0, 2.0], early_stopping=5, evaluate_every=3)
    assert [each.held_out_loss for each in ended.rounds[:3]] == [None, None, 2.0]
    again = run(rounds=4, losses=[0.5, 1.0, 2.0], early_stopping=5)
    assert again.last.floating is not None
    np.testing.assert_array_equal(again.last.floating["conv1/kernel"], again.states[0].arrays["conv1/kernel"])


def test_the_average_over_rounds_is_judged_and_goes_on_and_devices_train_on_from_the_last_model(run: Run) -> None:
    ended = run(rounds=6, qat_rounds=2, server_averaging=0.5)
    schemas = {phase: ended.course.trainer.schema(quantized=phase == "qat") for phase in ("float", "qat")}
    for each, state in zip(ended.rounds, ended.states, strict=True):
        assert state.average is not None
        assert state.outcome is state.average
        np.testing.assert_array_equal(ended.judged[each.number], schemas[each.phase].pack(state.average))
    first, second = ended.states[:2]
    np.testing.assert_array_equal(first.outcome["conv1/kernel"], first.arrays["conv1/kernel"])
    kept = np.float32(2 / 11)
    mean = kept * first.arrays["conv1/kernel"] + (1 - kept) * second.arrays["conv1/kernel"]
    np.testing.assert_allclose(second.outcome["conv1/kernel"], mean, rtol=1e-6)
    assert goes_on_from(ended, ended.states[3].average)
    np.testing.assert_array_equal(ended.states[4].outcome["conv1/kernel"], ended.states[4].arrays["conv1/kernel"])
    assert not np.array_equal(ended.last.outcome["conv1/kernel"], ended.last.arrays["conv1/kernel"])

    for state in ended.states:
        resumed = run(RunState.from_bytes(state.to_bytes()), rounds=6, qat_rounds=2, server_averaging=0.5)
        for name, array in ended.last.outcome.items():
            np.testing.assert_array_equal(resumed.last.outcome[name], array)


def test_the_best_average_goes_on_where_float_rounds_end_early(run: Run) -> None:
    ended = run(losses=LOSSES, early_stopping=2, server_averaging=0.5)
    assert goes_on_from(ended, ended.states[1].outcome)


def test_at_a_plateau_the_rate_falls_and_stays_low_after_a_break(run: Run) -> None:
    losses = [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    settings: dict[str, Any] = {"schedule": "plateau", "plateau_rounds": 2, "plateau_factor": 0.5}
    whole = run(losses=losses, **settings)
    rates = [asked["learning-rate"] for asked in whole.asked[::2]]
    assert rates[:7] == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025])
    resumed = run(RunState.from_bytes(whole.states[4].to_bytes()), losses, **settings)
    assert [asked["learning-rate"] for asked in resumed.asked[::2]] == rates[5:]


@pytest.fixture(scope="module")
def before(run: Run) -> RunState:
    """Where an earlier run ended, as its checkpoint holds it."""
    return RunState.from_bytes(run(rounds=2).last.to_bytes())


def test_a_run_goes_on_from_the_float_model_of_an_earlier_one(run: Run, before: RunState) -> None:
    unmoved = run(rounds=2, learning_rate=1e-6, start_from=7, earlier=lambda _: before)
    assert before.floating is not None
    for name, array in before.floating.items():
        np.testing.assert_allclose(unmoved.states[0].arrays[name], array, rtol=1e-4, atol=1e-5)


def test_a_pruned_run_has_smaller_arrays_and_a_smaller_file_and_goes_on_after_a_break(
    run: Run, before: RunState
) -> None:
    settings: dict[str, Any] = {"start_from": 7, "pruning": 0.5, "teacher": 7, "earlier": lambda _: before}
    whole = run(rounds=3, **settings)
    assert before.floating is not None
    assert whole.last.model == Model("cnn", tuple("0123456789"), 28, 0.5)
    assert len(whole.states[0].to_bytes()) < 0.6 * len(before.to_bytes())
    files = [
        to_int8(ended.course.trainer.quantized_model(ended.last.arrays)) for ended in (whole, run(before, rounds=2))
    ]
    assert len(files[0]) < 0.6 * len(files[1])
    assert all(Int8Model(file).operators_with_floats() == [] for file in files)
    resumed = run(RunState.from_bytes(whole.states[0].to_bytes()), rounds=3, **settings)
    for name, array in whole.last.arrays.items():
        np.testing.assert_array_equal(resumed.last.arrays[name], array)


def test_a_teacher_travels_with_every_training_message_and_with_no_other_run(run: Run, before: RunState) -> None:
    taught = run(rounds=2, teacher=7, earlier=lambda _: before)
    plain = run(rounds=2)
    assert [asked["teacher"] for asked in taught.asked] == ["cnn"] * 4
    assert all(asked["records"] == {wire.ARRAYS, wire.TEACHER} for asked in taught.asked)
    assert all(asked["records"] == {wire.ARRAYS} and not asked["teacher"] for asked in plain.asked)
    assert taught.rounds[0].bytes_down > 1.4 * plain.rounds[0].bytes_down
    assert not np.array_equal(taught.last.arrays["conv1/kernel"], plain.last.arrays["conv1/kernel"])


MODEL = Model("cnn", tuple("0123456789"), 28)


@pytest.mark.parametrize("setting", ["start_from", "teacher"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"floating": None}, "has not come to the end of its float rounds"),
        ({"model": None}, "did not note its alphabet"),
        ({"model": dataclasses.replace(MODEL, alphabet=("a", "b"))}, "has another alphabet"),
        ({"model": dataclasses.replace(MODEL, height=32)}, "of another height"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(
    setting: str, changes: dict[str, Any], said: str, run: Run, before: RunState
) -> None:
    with pytest.raises(SettingError, match=said):
        run(earlier=lambda _: dataclasses.replace(before, **changes), **{setting: 7})


def test_only_the_same_family_with_as_many_channels_is_started_from(run: Run, before: RunState) -> None:
    def of(**changes: Any) -> Earlier:
        return lambda _: dataclasses.replace(before, model=dataclasses.replace(MODEL, **changes))

    with pytest.raises(SettingError, match="trained recogniser lenet, not cnn"):
        run(start_from=7, earlier=of(recogniser="lenet"))
    with pytest.raises(SettingError, match=r"pruned by 0\.5 already"):
        run(start_from=7, pruning=0.2, earlier=of(pruning=0.5))
    with pytest.raises(SettingError, match="cannot teach cnn"):
        run(teacher=7, earlier=of(recogniser="tcn"))
    with pytest.raises(SettingError, match="run 7 is not on record here"):
        run(teacher=7)
