"""What of the devices' paired counts counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.errors import UsageError
from handfed.shared.promotion.evidence import PairedCounts, evidence
from handfed.shared.promotion.settings import PromotionSettings

SETTINGS = PromotionSettings(most_pairs=100)


@st.composite
def paired_counts(draw: st.DrawFn) -> PairedCounts:
    one, other, both = (draw(st.integers(0, 10_000)) for _ in range(3))
    return PairedCounts(one + other + both, one, other)


@pytest.mark.parametrize("counts", [(-1, 0, 0), (5, -1, 0), (5, 0, -1), (5, 3, 3), (0, 1, 0)])
def test_what_cannot_be_counted_is_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="paired counts"):
        PairedCounts(*counts)


@given(paired_counts(), paired_counts())
def test_counts_of_two_portions_add_up(one: PairedCounts, other: PairedCounts) -> None:
    both = one + other
    assert both.samples == one.samples + other.samples
    assert both.only_candidate == one.only_candidate + other.only_candidate
    assert both.only_champion == one.only_champion + other.only_champion


@given(paired_counts(), st.integers(1, 1000))
def test_counts_that_are_scaled_down_keep_their_rates_and_never_favour_the_candidate(
    counts: PairedCounts, most: int
) -> None:
    scaled = counts.at_most(most)
    assert scaled.samples == min(counts.samples, most)
    if counts.samples:
        share = scaled.samples / counts.samples
        assert counts.only_candidate * share - 2 < scaled.only_candidate <= counts.only_candidate * share + 1e-9
        assert counts.only_champion * share - 1e-9 <= scaled.only_champion < counts.only_champion * share + 1


def test_a_device_weighs_what_it_holds_out_and_no_more() -> None:
    found = evidence({"a": PairedCounts(10**9, 10**9, 0)}, {"a": 40, "b": 60}, SETTINGS)
    assert found.counts.tolist() == [[40, 40, 0]]
    assert found.expected == 100


def test_a_large_device_weighs_no_more_than_the_most_that_any_may() -> None:
    found = evidence({"a": PairedCounts(5000, 500, 250)}, {"a": 5000}, SETTINGS)
    assert found.counts.tolist() == [[100, 10, 5]]
    assert found.expected == 100


def test_a_device_of_which_nothing_is_known_counts_for_nothing() -> None:
    found = evidence({"stranger": PairedCounts(50, 50, 0), "a": PairedCounts(0, 0, 0)}, {"a": 40}, SETTINGS)
    assert found.counts.shape == (0, 3)
