"""The hours in which a device takes part."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device.hours import Hours
from handfed.shared.errors import SettingError

CASES = [
    ("22:00-06:00", "21:59", False),
    ("22:00-06:00", "22:00", True),
    ("22:00-06:00", "00:00", True),
    ("22:00-06:00", "06:00", False),
    ("08:00 - 16:30", "16:29", True),
    ("08:00-16:30", "16:30", False),
    ("08:00-16:30", "07:00", False),
]


@pytest.mark.parametrize(("text", "moment", "inside"), CASES)
def test_hours_begin_with_their_first_minute_and_end_before_their_last(text: str, moment: str, inside: bool) -> None:
    assert Hours.parse(text).includes(time.fromisoformat(moment)) is inside


@pytest.mark.parametrize("text", ["", "22:00", "22:00-22:00", "22-", "25:00-06:00", "night", "22:00-06:00-07:00"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="written like 22:00-06:00"):
        Hours.parse(text)


@given(begin=st.times(), end=st.times(), moment=st.times())
def test_a_moment_is_in_a_part_of_the_day_or_in_the_rest_of_it(begin: time, end: time, moment: time) -> None:
    if begin != end:
        assert Hours(begin, end).includes(moment) is not Hours(end, begin).includes(moment)
