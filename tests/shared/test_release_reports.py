"""Reports of releases: counts and codes, read strictly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.release_reports import (
    MOST_ENTRIES,
    Comparison,
    Condition,
    Report,
    ReportError,
    Standing,
    statement,
    told_latency,
)

NUMBERS = st.integers(1, 2**31 - 1)
LATENCIES = st.none() | st.floats(1e-3, 1e6)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    samples = draw(st.integers(0, 10**7))
    candidate = draw(st.integers(0, samples))
    return Comparison(draw(NUMBERS), draw(NUMBERS), samples, candidate, draw(st.integers(0, samples - candidate)))


REPORTS = st.builds(
    Report,
    st.integers(1, 2**53),
    st.lists(st.builds(Standing, NUMBERS, st.sampled_from(Condition), st.booleans(), LATENCIES), max_size=3).map(tuple),
    st.lists(comparisons(), max_size=3).map(tuple),
)
EXAMPLE = Report(3, (Standing(5, Condition.HEALTHY, in_use=False),), (Comparison(4, 5, 100, 2, 1),))


@given(REPORTS)
def test_a_report_is_read_as_it_was_written(report: Report) -> None:
    assert Report.decode(report.encode()) == report


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 2),
        (("sequence",), 0),
        (("sequence",), 1.0),
        (("sequence",), True),
        (("standings",), None),
        (("standings",), [3]),
        (("standings",), [{}] * (MOST_ENTRIES + 1)),
        (("standings", 0, "condition"), "Ada's scanner is broken"),
        (("standings", 0, "condition"), []),
        (("standings", 0, "in_use"), 1),
        (("standings", 0, "release"), -1),
        (("standings", 0, "latency_ms"), 0),
        (("standings", 0, "latency_ms"), "1"),
        (("standings", 0, "latency_ms"), float("nan")),
        (("standings", 0, "latency_ms"), 1e7),
        (("comparisons", 0, "samples"), 10**12),
        (("comparisons", 0, "samples"), 2),
        (("comparisons", 0, "only_champion"), 99),
        (("comparisons", 0, "only_candidate"), -1),
        (("comparisons", 0, "champion"), "4"),
    ],
)
def test_what_is_no_report_is_refused(path: tuple[str | int, ...], value: object) -> None:
    whole = json.loads(EXAMPLE.encode())
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ReportError):
        Report.decode(json.dumps(whole))


@given(st.text())
def test_any_text_is_a_report_or_refused(text: str) -> None:
    with pytest.raises(ReportError):
        Report.decode(text)


def test_what_is_unknown_is_passed_over() -> None:
    assert Report.decode(json.dumps({**json.loads(EXAMPLE.encode()), "colour": "red"})) == EXAMPLE


def test_what_is_signed_is_of_one_device_and_one_text() -> None:
    signed = {statement(device, text) for device in (1, 12) for text in ("", EXAMPLE.encode())}
    assert len(signed) == 4
    assert all(each.startswith(b"handfed release report 1\n") for each in signed)


def test_a_latency_is_told_to_two_digits_or_not_at_all() -> None:
    assert [told_latency(each) for each in (0.0623, 12.7, 0.0, 1e9)] == [0.062, 13.0, None, None]
