"""The course of a run, by the real server and devices: when its float rounds end, and what goes on from them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from handfed.clients.trainer.app import Handwriting
from handfed.clients.trainer.app import create_app as client_app
from handfed.server.flower.app import ALPHABET_KEY, HEIGHT_KEY
from handfed.server.flower.app import create_app as server_app
from handfed.server.flower.course import Course
from handfed.server.flower.state import RunState
from handfed.server.runs.schemas import RoundResult
from handfed.shared import wire
from handfed.shared.datasets import Dataset
from handfed.shared.run_settings import RunSettings
from handfed.simulations.engines import ENGINES, Workers

SETTINGS = RunSettings(
    rounds=8, qat_rounds=1, warmup_rounds=0, local_epochs=1, augmentation=0.0, dropout=0.0, learning_rate=0.01
)
Asked = dict[str, Any]  # the configuration of a training message


class Ended:
    """A run: its rounds, the state after each, what devices were asked, and the last state."""

    def __init__(self) -> None:
        self.rounds: list[RoundResult] = []
        self.states: list[RunState] = []
        self.asked: list[Asked] = []
        self.last = RunState(0, {})

    def described(self, *_: object) -> None:
        pass

    def round_started(self, *_: object) -> None:
        pass

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        self.rounds.append(result)
        self.states.append(state)

    def publish(self, _course: Course, state: RunState) -> None:
        self.last = state


Run = Callable[..., Ended]


@pytest.fixture
def run(digits: Dataset) -> Run:
    """Runs two devices of thirty digits each; their held-out loss is what `losses` says, round by round."""

    def go(resume: RunState | None = None, losses: Sequence[float] = (), **settings: Any) -> Ended:
        ended = Ended()

        def scripted(message: Message, context: Context, answer: ClientAppCallable) -> Message:
            kind, config = message.metadata.message_type, dict(message.content.config_records[wire.CONFIG])
            if kind == wire.TRAIN:
                ended.asked.append(config)
            reply = answer(message, context)
            if kind == wire.EVALUATE and losses and not config["quantized"]:
                reply.content.metric_records[wire.METRICS][wire.LOSS] = losses[ended.asked[-1]["round"] - 1]
            return reply

        def handwriting(context: Context) -> Handwriting:
            first = 40 * int(context.node_config["partition-id"])
            rows = np.arange(first, first + 40)
            return Handwriting(digits.alphabet, digits.samples.take(rows[:30]), digits.samples.take(rows[30:]))

        chosen = dataclasses.replace(SETTINGS, **settings)
        ENGINES["in-process"](
            server_app(ended.publish, [ended], resume),
            lambda: client_app(handwriting, [scripted]),
            devices=2,
            run_config={**chosen.to_mapping(), ALPHABET_KEY: json.dumps(digits.alphabet.names), HEIGHT_KEY: 28},
            progress=lambda *_: None,
            workers=Workers(),
        )
        return ended

    return go


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
    assert ended.last.floating is not None
    assert all(np.array_equal(ended.last.floating[name], array) for name, array in best.items())
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
    assert ended.last.floating is ended.states[2].arrays
    assert all(state.best is None for state in ended.states)


def test_where_all_rounds_are_made_the_best_model_goes_on_all_the_same(run: Run) -> None:
    ended = run(rounds=4, losses=[0.5, 1.0, 2.0], early_stopping=5, evaluate_every=3)
    assert [each.held_out_loss for each in ended.rounds[:3]] == [None, None, 2.0]
    again = run(rounds=4, losses=[0.5, 1.0, 2.0], early_stopping=5)
    assert again.last.floating is not None
    np.testing.assert_array_equal(again.last.floating["conv1/kernel"], again.states[0].arrays["conv1/kernel"])


def test_at_a_plateau_the_rate_falls_and_stays_low_after_a_break(run: Run) -> None:
    losses = [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    settings: dict[str, Any] = {"schedule": "plateau", "plateau_rounds": 2, "plateau_factor": 0.5}
    whole = run(losses=losses, **settings)
    rates = [asked["learning-rate"] for asked in whole.asked[::2]]
    assert rates[:7] == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025])
    resumed = run(RunState.from_bytes(whole.states[4].to_bytes()), losses, **settings)
    assert [asked["learning-rate"] for asked in resumed.asked[::2]] == rates[5:]
