"""What a report says of updates that were not used, and of faults on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.runs.schemas import DeviceResult, Rejection, RoundResult
from handfed.shared.wire import Reason
from handfed.simulations.faults import LIES, Faults, Lie
from handfed.simulations.report import Report, drawing, findings, rejected
from handfed.simulations.report.charts import rejections
from handfed.simulations.report.contents import Misbehaviour

MakeReport = Callable[..., Report]
LIARS: Mapping[int, Lie] = {0: "nan", 2: "sign_flipped", 3: "sign_flipped"}
ALL = Faults(nan=0.2, sign_flipped=0.4, dropouts=0.1, stragglers=0.05)


def round_of(number: int, used: Sequence[int], unused: Mapping[int, str]) -> RoundResult:
    """A round, with devices as they are numbered in it, from 1; the first that is not used evaluates all the same."""
    devices = [DeviceResult(device, examples=10) for device in used]
    devices += [DeviceResult(device, held_out=3, correct=1) for device in list(unused)[:1]]
    return RoundResult(
        number=number,
        phase="float",
        started_at=datetime(2025, 3, 1, tzinfo=UTC),
        seconds=1.0,
        train_seconds=1.0,
        participants=len(used) + len(unused),
        accepted=len(used),
        examples=10 * len(used),
        devices=tuple(devices),
        rejections=tuple(Rejection(device, reason, "why") for device, reason in unused.items()),
    )


ROUNDS = (
    round_of(1, [2, 5], {1: Reason.NOT_FINITE, 3: Reason.DIRECTION, 4: Reason.LENGTH}),
    round_of(2, [3, 5], {1: Reason.NOT_FINITE, 2: Reason.DIRECTION, 4: Reason.SILENT}),
    round_of(3, [2, 3, 4], {1: Reason.SILENT, 5: Reason.ERROR}),
)


def test_each_kind_of_device_has_its_fate_and_the_honest_come_last() -> None:
    assert findings.fates(ROUNDS, LIARS, 5) == [
        findings.Fate("nan", 1, 0, {Reason.NOT_FINITE: 2}),
        findings.Fate("sign_flipped", 2, 3, {Reason.DIRECTION: 1, Reason.LENGTH: 1}),
        findings.Fate(None, 2, 4, {Reason.DIRECTION: 1}),
    ]


def test_a_device_that_only_evaluates_has_no_update_that_was_used() -> None:
    only = round_of(1, [], {1: Reason.NOT_FINITE})
    assert only.devices
    assert [fate.used for fate in findings.fates([only], {0: "nan"}, 1)] == [0, 0]


def test_no_answer_and_a_failure_are_no_updates() -> None:
    assert findings.without_update(ROUNDS) == {Reason.SILENT: 2, Reason.ERROR: 1}


def test_what_was_not_used_is_told_apart_by_round() -> None:
    lying, others, absent = findings.unused_by_round(ROUNDS, LIARS)
    assert lying.tolist() == [3, 1, 0]
    assert others.tolist() == [0, 1, 0]
    assert absent.tolist() == [0, 1, 2]


REASONS = st.dictionaries(st.integers(1, 8), st.sampled_from([str(reason) for reason in Reason]))


@given(st.lists(REASONS, max_size=5), st.dictionaries(st.integers(0, 7), st.sampled_from(LIES)))
def test_every_rejection_is_counted_once(unused: list[dict[int, str]], liars: dict[int, Lie]) -> None:
    rounds = [round_of(number, [], each) for number, each in enumerate(unused, start=1)]
    fates = findings.fates(rounds, liars, 8)
    rejected_in_all = sum(fate.rejected for fate in fates) + sum(findings.without_update(rounds).values())
    assert rejected_in_all == sum(len(each) for each in unused)
    assert rejected_in_all == sum(int(part.sum()) for part in findings.unused_by_round(rounds, liars))
    assert sum(fate.devices for fate in fates) == 8


def with_faults(make_report: MakeReport, faults: Faults, liars: Mapping[int, Lie], *, inspected: bool) -> Report:
    report = make_report(devices=5, misbehaviour=Misbehaviour(faults, liars, inspected=inspected))
    rounds = ROUNDS if inspected else tuple(replace(each, devices=()) for each in ROUNDS)
    return replace(report, rounds=rounds)


def test_a_table_has_a_line_for_each_kind_and_one_for_no_update(make_report: MakeReport) -> None:
    table = rejected.of_kinds(with_faults(make_report, ALL, LIARS, inspected=True))
    assert table is not None
    assert table.rows == (
        ("1 not finite", "0", "2", "not-finite"),
        ("2 backwards", "3", "2", "too-long 1, wrong-direction 1"),
        ("2 honest", "4", "1", "wrong-direction"),
        ("sent none", "-", "3", "no-reply 2, device-error 1"),
    )


def test_it_is_said_what_goes_wrong_and_what_was_wrongly_left_out(make_report: MakeReport) -> None:
    on_purpose, caught = rejected.words(with_faults(make_report, ALL, LIARS, inspected=True))
    assert on_purpose == (
        "On purpose, 3 of 5 devices lie in every round: 1 by sending what is not finite, 2 by sending updates"
        " backwards. Of a round's answers, 10% are never given and 5% come too late."
    )
    assert caught == (
        "Of 7 updates of devices that lie, 4 were left out. Of 5 updates of honest devices, 1 was left out, wrongly."
    )


def test_where_nobody_lies_only_honest_devices_are_counted(make_report: MakeReport) -> None:
    report = with_faults(make_report, Faults(dropouts=0.25), {}, inspected=True)
    on_purpose, caught = rejected.words(replace(report, rounds=ROUNDS[2:]))
    assert on_purpose == "On purpose, every device is honest. Of a round's answers, 25% are never given."
    assert caught == "All 3 updates of honest devices were used."


def test_where_only_sums_are_seen_nobody_knows_whose_updates_were_used(make_report: MakeReport) -> None:
    report = with_faults(make_report, ALL, LIARS, inspected=False)
    assert rejected.of_kinds(report) is None
    assert "only their sum (visibility secure)" in rejected.words(report)[1]


def test_before_the_first_round_nothing_was_caught(make_report: MakeReport) -> None:
    report = replace(with_faults(make_report, ALL, LIARS, inspected=True), rounds=())
    assert len(rejected.words(report)) == 1
    assert rejected.by_reason(report) is None
    assert rejected.one_by_one(report) is None
    assert rejections.by_round(report) is None


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_meaning(make_report: MakeReport, reason: Reason) -> None:
    table = rejected.by_reason(replace(make_report(rounds=1, qat=0), rounds=[round_of(1, [], {1: reason})]))
    assert table is not None
    assert re.search(r"\w", table.rows[0][1])


@pytest.mark.parametrize("lie", LIES)
def test_every_kind_of_lie_has_words(make_report: MakeReport, lie: Lie) -> None:
    report = with_faults(make_report, Faults(**{lie: 0.2}), {1: lie}, inspected=True)
    assert "1 of 5 devices lies in every round: 1 by " in rejected.words(report)[0]
    table = rejected.of_kinds(report)
    assert table is not None
    assert table.rows[0][0].startswith("1 ")


def test_the_chart_names_only_what_happened(make_report: MakeReport) -> None:
    report = with_faults(make_report, ALL, LIARS, inspected=True)
    with drawing.style():
        chart, without_faults = (
            rejections.by_round(each) for each in (report, replace(report, rounds=ROUNDS[2:], misbehaviour=None))
        )
    assert chart is not None
    assert without_faults is not None
    assert [key.text for key in chart.keys] == ["of devices that lie", "of honest devices", "never came"]
    assert "In all rounds: 4 of devices that lie, 1 of honest devices, 3 never came." in chart.svg
    assert [key.text for key in without_faults.keys] == ["never came"]
