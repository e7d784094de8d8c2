"""What a device tells of its handwriting is refused where it tells too much, or cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.handwriting_reports import MOST_CLASSES, Figure, HandwritingReport, class_name
from handfed.shared.release_reports import LARGEST_BYTES, Condition, Report, ReportError, Standing

NAMES = ["ink", "stroke-width", "slant", "confidence", "class-0", "class-61"]
numbers = st.floats(-1e6, 1e6)
figures = st.builds(Figure, st.integers(1, 10).map(lambda tens: 10 * tens), numbers, st.floats(0, 1e6))
sides = st.dictionaries(st.sampled_from(NAMES), figures)
tens = st.integers(0, 10**4).map(lambda n: 10 * n)
reports = st.builds(
    HandwritingReport,
    st.integers(1, 2**31 - 1),
    tens.map(lambda n: n + 10**5),
    sides,
    sides,
    feedback=tens,
    feedback_used=tens,
)


@given(reports)
def test_what_is_told_is_read_as_it_was(report: HandwritingReport) -> None:
    sent = Report(1, handwriting=report).encode()
    assert Report.decode(sent).handwriting == report


def test_a_report_of_before_tells_nothing_of_handwriting_and_is_written_as_it_was() -> None:
    text = '{"format":1,"sequence":3,"standings":[{"release":1,"condition":"healthy","in_use":true}],"comparisons":[]}'
    report = Report(3, (Standing(1, Condition.HEALTHY, in_use=True),))
    assert Report.decode(text) == report
    assert report.encode() == text


def said(**changed: Any) -> dict[str, Any]:
    return {"release": 1, "fresh": 20, "known": {"ink": [10, 0.1, 0.02]}, "recent": {}, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"fresh": 25},  # exactly
        {"fresh": -10},
        {"fresh": True},
        {"fresh": 10**8},
        {"feedback": 15},  # exactly
        {"feedback": 30},  # more than there are
        {"feedback_used": -10},
        {"feedback_used": "10"},
        {"release": 0},
        {"known": None},
        {"known": {"ink": [9, 0.1, 0.02]}},  # of too few
        {"known": {"ink": [15, 0.1, 0.02]}},  # of no whole groups
        {"known": {"ink": [110, 0.1, 0.02]}},
        {"known": {"ink": [10, float("nan"), 0.02]}},
        {"known": {"ink": [10, 0.1, -0.02]}},
        {"known": {"ink": [10, "0.1", 0.02]}},
        {"known": {"ink": [10, 0.1]}},
        {"known": {"Ada": [10, 0.1, 0.02]}},
        {"known": {"class-Ada": [10, 0.1, 0.02]}},
        {"known": {class_name(place): [10, 0.1, 0.02] for place in range(MOST_CLASSES + 10)}},
    ],
)
def test_what_no_device_may_tell_is_refused(changed: dict[str, Any]) -> None:
    text = json.dumps({"format": 1, "sequence": 1, "standings": [], "comparisons": [], "handwriting": said(**changed)})
    with pytest.raises(ReportError):
        Report.decode(text)


def test_what_a_later_version_tells_beyond_is_passed_over() -> None:
    assert HandwritingReport.from_json(said(more=3)) == HandwritingReport.from_json(said())


def test_the_longest_report_has_room() -> None:
    every = {class_name(place): Figure(100, 0.01234, 0.01234) for place in range(MOST_CLASSES)}
    standings = tuple(Standing(10**6 + place, Condition.FAILED_SELF_TEST, in_use=False) for place in range(100))
    assert len(Report(2**52, standings, (), HandwritingReport(10**6, 10**7, every, every)).encode()) < LARGEST_BYTES
