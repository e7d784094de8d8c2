"""Whether to learn anew is decided by counts, a drift score and a clock, and every decision says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.errors import SettingError
from handfed.shared.learning.policy import Drift, Facts, Role, decide, next_due
from handfed.shared.learning.settings import RANGES, LearningSettings

NOW = datetime(2027, 3, 3, 12, tzinfo=UTC)
SETTINGS = LearningSettings()
READY = Facts(
    enabled_at=NOW - timedelta(days=30),
    champion=3,
    champion_run=7,
    last_ended=NOW - timedelta(days=2),
    last_started=NOW - timedelta(days=2),
    fresh=dict.fromkeys(range(10), 100),
)
DRIFT = Drift(found=True, devices=10, what="slant differs")


def test_enough_new_samples_over_enough_devices_start_a_run() -> None:
    found = decide(READY, SETTINGS, NOW)
    assert found.start
    assert found.reason == "new samples: 1,000 on 10 devices that have 20 or more"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (replace(READY, enabled_at=None), "disabled"),
        (replace(READY, champion=None, champion_run=None), "no release is in use yet"),
        (replace(READY, champion_run=None), "its run is not on record here"),
        (replace(READY, busy=9), "run 9 goes on or waits"),
        (replace(READY, last_ended=NOW - timedelta(hours=23)), "23 hours since the last run ended, of 24 hours"),
        (replace(READY, failures=2), "48 hours since the last run ended, of 4.0 days"),
    ],
)
def test_nothing_is_started_while_something_stands_in_the_way_whatever_calls_for_it(facts: Facts, why: str) -> None:
    found = decide(replace(facts, drift=DRIFT), SETTINGS, NOW)
    assert not found.start
    assert why in found.reason
    assert "new samples and drift would call for a run" in found.reason


@pytest.mark.parametrize(
    "fresh",
    [
        dict.fromkeys(range(9), 100),  # too few
        {0: 10_000, 1: 10, 2: 10, 3: 10, 4: 10, 5: 10},  # of one device: it cannot start a run alone
        dict.fromkeys(range(4), 1000),  # of too few devices
        dict.fromkeys(range(1000), 10),  # none of which counts
        {},
    ],
)
def test_too_few_samples_or_devices_start_nothing(fresh: dict[int, int]) -> None:
    found = decide(replace(READY, fresh=fresh), SETTINGS, NOW)
    assert not found.start
    assert found.reason.startswith("nothing calls for a run")


def test_drift_starts_a_run_where_it_was_found_on_enough_devices() -> None:
    facts = replace(READY, fresh={}, drift=DRIFT)
    assert decide(facts, SETTINGS, NOW).reason == "drift: slant differs"
    assert not decide(replace(facts, drift=replace(DRIFT, devices=4)), SETTINGS, NOW).start
    assert not decide(facts, replace(SETTINGS, drift_error_rate=0.0), NOW).start


def test_a_schedule_starts_a_run_at_its_hour_where_there_is_anything_new() -> None:
    weekly = replace(SETTINGS, every_days=7, at_hour=2)
    started = datetime(2027, 3, 1, 2, 7, tzinfo=UTC)
    facts = replace(READY, last_started=started, last_ended=started, fresh={1: 10})
    assert next_due(started, weekly) == datetime(2027, 3, 8, 2, tzinfo=UTC)
    assert not decide(facts, weekly, datetime(2027, 3, 8, 1, 59, tzinfo=UTC)).start
    assert decide(facts, weekly, datetime(2027, 3, 8, 2, tzinfo=UTC)).start
    assert not decide(replace(facts, fresh={1: 0}), weekly, datetime(2027, 3, 9, tzinfo=UTC)).start


def test_a_schedule_counts_from_when_it_was_enabled_where_no_run_was_before() -> None:
    daily = replace(SETTINGS, every_days=1, at_hour=0)
    facts = replace(READY, enabled_at=NOW, last_started=None, last_ended=None, fresh={1: 10})
    assert not decide(facts, daily, NOW + timedelta(hours=11)).start
    assert decide(facts, daily, NOW + timedelta(hours=12)).start


def test_every_failure_in_a_row_doubles_the_cool_down() -> None:
    for failures, days in ((0, 1), (1, 2), (2, 4), (3, 8)):
        facts = replace(READY, failures=failures, last_ended=NOW)
        assert not decide(facts, SETTINGS, NOW + timedelta(days=days, seconds=-1)).start
        assert decide(facts, SETTINGS, NOW + timedelta(days=days)).start


moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes - 500_000))
facts = st.builds(
    Facts,
    enabled_at=st.none() | moments,
    champion=st.none() | st.integers(1, 9),
    champion_run=st.none() | st.integers(1, 9),
    busy=st.none() | st.integers(1, 9),
    last_ended=st.none() | moments,
    last_started=st.none() | moments,
    failures=st.integers(0, 10),
    fresh=st.dictionaries(st.integers(1, 30), st.integers(0, 5000), max_size=12),
    drift=st.builds(Drift, found=st.booleans(), devices=st.integers(0, 20), what=st.just("x")),
)
settings = st.builds(
    LearningSettings,
    least_samples=st.integers(0, 3000),
    least_devices=st.integers(2, 8),
    every_days=st.integers(0, 30),
    cool_down_s=st.floats(0, 1e6),
)


@given(facts, settings, moments)
def test_a_decision_is_what_its_conditions_say(known: Facts, by: LearningSettings, now: datetime) -> None:
    found = decide(known, by, now)
    needed = [each.met for each in found.conditions if each.role is Role.NEEDED]
    calls = [each.met for each in found.conditions if each.role is Role.CALLS]
    assert found.start == (all(needed) and any(calls))
    assert all(each.found and each.takes for each in found.conditions)


@given(facts, settings, moments)
def test_never_while_disabled_or_busy_or_cooling_down(known: Facts, by: LearningSettings, now: datetime) -> None:
    if not decide(known, by, now).start:
        return
    assert known.enabled_at is not None
    assert known.busy is None
    assert known.last_ended is None or (now - known.last_ended).total_seconds() >= by.cool_down_s


@given(facts, settings, moments, st.integers(0, 10**7))
def test_no_device_decides_alone_by_counts(known: Facts, by: LearningSettings, now: datetime, told: int) -> None:
    honest = dict.fromkeys(known.fresh or {}, 0)
    quiet = replace(known, drift=replace(known.drift, found=False), fresh={**honest, 99: told})
    assert not decide(quiet, replace(by, every_days=0), now).start


@pytest.mark.parametrize("name", RANGES)
def test_a_setting_out_of_its_range_is_refused(name: str) -> None:
    kind: Any = type(getattr(LearningSettings(), name))
    for beyond in (RANGES[name][0] - 1, RANGES[name][1] + 1):
        with pytest.raises(SettingError, match=name):
            LearningSettings.of({name: kind(beyond)})


@pytest.mark.parametrize("values", [{"least": 3}, {"least_samples": 2.0}, {"least_samples": True}, {"at_hour": "2"}])
def test_an_unknown_setting_or_one_of_another_type_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        LearningSettings.of(values)
