"""The server's time, learned from its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device.server_clock import ServerClock

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def asked(clock: ServerClock, server: datetime, *, held_s: float = 0.0, refused: bool = False) -> bool:
    """An answer that the server gives at `server`, which is when it is there."""
    received = clock.now()
    date = format_datetime(server, usegmt=True)
    return clock.observe(received - timedelta(seconds=held_s), received, date, refused=refused)


@given(error_s=st.floats(-1e6, 1e6), moment_s=st.floats(0, 1e6))
def test_after_a_refusal_a_clock_is_right_within_what_a_server_takes(error_s: float, moment_s: float) -> None:
    server = NOON + timedelta(seconds=moment_s)
    clock = ServerClock(lambda: server.timestamp() + error_s)
    asked(clock, server, refused=True)
    lag_s = (server - clock.now()).total_seconds()
    assert -2 < lag_s < 3  # it takes five seconds ahead, and five minutes behind


@pytest.mark.parametrize("error_s", [0.9, 6.0, -20.0])
def test_a_clock_that_does_not_stand_in_the_way_is_left_alone(error_s: float) -> None:
    clock = ServerClock(lambda: NOON.timestamp() + error_s)
    assert not asked(clock, NOON)
    assert clock.ahead_s == 0


def test_a_clock_that_may_be_right_is_not_what_a_server_refused() -> None:
    clock = ServerClock(lambda: NOON.timestamp() + 0.9)
    assert not asked(clock, NOON, refused=True)


def test_an_answer_that_was_held_says_little_about_the_time() -> None:
    clock = ServerClock(lambda: NOON.timestamp() + 15)
    assert not asked(clock, NOON, held_s=20, refused=True)
    assert asked(clock, NOON, held_s=0.1, refused=True)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Mar 2027 12:00:00 GMT"])
def test_an_answer_without_a_time_changes_nothing(date: str | None) -> None:
    clock = ServerClock(NOON.timestamp)
    assert not clock.observe(NOON, NOON, date, refused=True)


def test_a_clock_that_is_set_meanwhile_is_followed() -> None:
    ahead = [3600.0]
    clock = ServerClock(lambda: NOON.timestamp() + ahead[0])
    assert asked(clock, NOON)
    ahead[0] = 0
    assert asked(clock, NOON)
    assert abs(clock.ahead_s) < 1
