"""When an alert begins and is over, and when a message is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.alerts.rules import LONGEST_PAUSE, SETTLED, SPACING, Key, changes, is_due

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
DEVICE: Key = ("device-away", "device/7")


def test_what_is_seen_begins_once() -> None:
    assert changes({}, {DEVICE}, NOON).begun == {DEVICE}
    assert not changes({DEVICE: None}, {DEVICE}, NOON)


def test_what_is_no_longer_seen_is_over_when_it_stays_away() -> None:
    assert changes({DEVICE: None}, (), NOON).gone == {DEVICE}
    assert not changes({DEVICE: NOON}, (), NOON + SETTLED - timedelta(seconds=1))
    assert changes({DEVICE: NOON}, (), NOON + SETTLED).over == {DEVICE}


def test_what_comes_back_in_time_is_the_same_alert() -> None:
    found = changes({DEVICE: NOON}, {DEVICE}, NOON + timedelta(minutes=3))
    assert found.back == {DEVICE}
    assert not found.begun | found.over


@given(st.lists(st.booleans(), max_size=200))
def test_however_something_flaps_an_alert_takes_a_calm_to_be_over(seen: list[bool]) -> None:
    """A minute a look: two alerts of one matter are never nearer than the time it takes to settle."""
    known: dict[Key, datetime | None] = {}
    begun: list[datetime] = []
    for minute, is_there in enumerate(seen):
        at = NOON + timedelta(minutes=minute)
        found = changes(known, {DEVICE} if is_there else (), at)
        begun += [at for _ in found.begun]
        known |= dict.fromkeys(found.begun | found.back) | dict.fromkeys(found.gone, at)
        for key in found.over:
            del known[key]
    assert all(later - earlier > SETTLED for earlier, later in pairwise(begun))


def test_a_channel_that_was_never_tried_is_due() -> None:
    assert is_due(None, 0, NOON)


@pytest.mark.parametrize(("failures", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (500, 60)])
def test_pauses_double_up_to_an_hour(failures: int, minutes: int) -> None:
    pause = timedelta(minutes=minutes)
    assert SPACING <= pause <= LONGEST_PAUSE
    assert not is_due(NOON, failures, NOON + pause - timedelta(seconds=1))
    assert is_due(NOON, failures, NOON + pause)


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    assert is_due(NOON, 7, NOON - timedelta(days=1))
