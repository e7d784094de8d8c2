"""What devices do just now."""

from __future__ import annotations

from typing import Any

import pytest

from handfed.server.runs.live import LiveExchange


@pytest.fixture
def live(clock: Any) -> LiveExchange:
    """Nothing yet."""
    return LiveExchange(clock)


def _doing(live: LiveExchange) -> dict[int, str]:
    return {node: each.activity for node, each in live.now().devices.items()}


def test_a_device_is_asked_works_and_answers(live: LiveExchange) -> None:
    live.asked("train", [1, 2, 3])
    live.fetched(1)
    live.fetched(2)
    live.answered(2)
    assert _doing(live) == {1: "working", 2: "answered", 3: "asked"}
    assert live.now().kind == "train"


def test_what_is_sent_in_parts_is_one_exchange(live: LiveExchange) -> None:
    live.asked("evaluate", [1])
    live.asked("evaluate", [2])
    assert set(_doing(live)) == {1, 2}


def test_another_kind_of_message_begins_another_exchange(live: LiveExchange, clock: Any) -> None:
    live.asked("train", [1, 2])
    clock.forward(seconds=5)
    live.asked("evaluate", [1])
    assert _doing(live) == {1: "asked"}
    assert live.now().began_at == clock()


def test_who_has_answered_and_is_asked_again_is_in_the_next_round(live: LiveExchange) -> None:
    live.asked("train", [1, 2])
    live.answered(1)
    live.asked("train", [1])
    assert _doing(live) == {1: "asked"}


def test_whom_nobody_asked_is_not_there(live: LiveExchange) -> None:
    live.fetched(7)
    live.answered(7)
    assert not live.now().devices


def test_a_message_that_is_handed_out_again_does_not_take_an_answer_back(live: LiveExchange) -> None:
    live.asked("train", [1])
    live.answered(1)
    live.fetched(1)
    assert _doing(live) == {1: "answered"}


def test_another_run_begins_without_the_last_ones_devices(live: LiveExchange) -> None:
    live.asked("train", [1])
    live.forget()
    assert live.now().kind is None
    assert not live.now().devices
