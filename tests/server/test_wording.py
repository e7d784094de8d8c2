"""Figures and names as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from handfed.server import wording


@given(st.sets(st.integers(1, 40), max_size=12))
def test_spans_name_every_number_and_no_other(numbers: set[int]) -> None:
    named: set[int] = set()
    for span in filter(None, wording.spans(list(numbers)).split(", ")):
        first, _, last = span.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == numbers


def test_of_very_many_spans_the_last_are_named() -> None:
    assert wording.spans(range(0, 1000, 2)).startswith("…, ")
    assert wording.spans(range(0, 1000, 2)).endswith("996, 998")
    assert len(wording.spans(range(0, 1000, 2))) < 80


@given(st.none() | st.floats(), st.integers(0, 40), st.booleans())
def test_a_bar_never_exceeds_its_width(fraction: float | None, width: int, ascii_only: bool) -> None:
    bar = wording.bar(None if fraction != fraction else fraction, width, ascii_only=ascii_only)  # noqa: PLR0124 - NaN
    assert len(bar) <= width
    assert bar.isascii() or not ascii_only


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_fraction_has_no_smaller_bar(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert _eighths(wording.bar(low, 16, ascii_only=False)) <= _eighths(wording.bar(high, 16, ascii_only=False))


def _eighths(bar: str) -> int:
    return sum(" ▏▎▍▌▋▊▉█".index(character) for character in bar)


def test_a_full_bar_is_full_and_an_empty_one_empty() -> None:
    assert wording.bar(1.0, 4, ascii_only=False) == "████"
    assert wording.bar(0.5, 4, ascii_only=True) == "##"
    assert wording.bar(0.0, 4, ascii_only=False) == ""


def test_what_is_unknown_is_a_dash() -> None:
    assert wording.percent(None) == wording.decimals(None, 2) == wording.moment(None) == "-"


def test_fractions_become_percentages_and_sizes_have_units() -> None:
    assert wording.percent(0.97943) == "97.94%"
    assert wording.megabytes(1_234_567) == "1.2 MB"
    assert wording.megabytes(951) == "1.0 kB"


def test_a_time_is_shown_on_the_clock_of_this_machine() -> None:
    time = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)
    assert wording.moment(time) == f"{time.astimezone():%Y-%m-%d %H:%M}"


def test_nested_entries_have_dotted_names_and_one_line_each() -> None:
    document = {
        "task": {"kind": "characters", "classes": [0, 1]},
        "accuracy_int8": 0.5,
        "empty": {},
        "none": None,
    }
    assert list(wording.entries(document | {"note": "a\nb\x1b[2J"})) == [
        ("task.kind", "characters"),
        ("task.classes", "[0, 1]"),
        ("accuracy_int8", "50.00%"),
        ("empty", "{}"),
        ("none", "-"),
        ("note", "a b\N{REPLACEMENT CHARACTER}[2J"),
    ]
