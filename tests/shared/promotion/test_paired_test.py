"""The paired test: it holds its error rate however one looks, and it finds what there is to find."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.promotion.evidence import Evidence
from handfed.shared.promotion.paired_test import Verdict, judge, log_wealth
from handfed.shared.promotion.settings import PromotionSettings

Counts = NDArray[np.int64]
TRUSTING = PromotionSettings(distrusted_devices=0, error_rate=0.05, least_coverage=0.0)
WARY = PromotionSettings(distrusted_devices=1, error_rate=0.05, least_coverage=0.0)
DEVICES, EACH, REPLAYS = 100, 60, 600


def _drawn(difference: float, discordant: float, seed: int, spread: float = 0.0) -> Counts:
    """Counts (replays, devices, 3) of models that differ so; `spread` is the deviation of devices' differences."""
    random = np.random.default_rng(seed)
    own = difference + spread * random.choice([-1, 1], (REPLAYS, DEVICES))
    rates = np.stack([(discordant + own) / 2, (discordant - own) / 2, np.full_like(own, 1 - discordant)], axis=-1)
    drawn = random.multinomial(EACH, rates)
    return np.concatenate([np.full((REPLAYS, DEVICES, 1), EACH), drawn[..., :2]], axis=-1)


def _ever(counts: Counts, settings: PromotionSettings, *, against: bool) -> float:
    """In what share of the replays the wealth ever comes to enough, with a look after each device."""
    looks = [log_wealth(counts[:, : devices + 1], settings, against=against) for devices in range(DEVICES)]
    return float((np.max(looks, axis=0) >= -math.log(settings.error_rate)).mean())


@given(
    st.floats(0.0001, 0.2),
    st.floats(0, 1),
    st.integers(1, 6),
    st.booleans(),
)
def test_the_expected_wealth_at_the_margin_is_one(margin: float, more: float, samples: int, against: bool) -> None:
    settings = PromotionSettings(margin=margin, distrusted_devices=0)
    only_candidate = more * (1 - margin) / 2
    only_champion = only_candidate + margin
    expected = 0.0
    for one, other in product(range(samples + 1), repeat=2):
        neither = samples - one - other
        if neither < 0:
            continue
        ways = math.factorial(samples) // (math.factorial(one) * math.factorial(other) * math.factorial(neither))
        chance = only_candidate**one * only_champion**other * max(0.0, 1 - only_candidate - only_champion) ** neither
        wealth = log_wealth(np.array([[samples, one, other]]), settings, against=against)
        expected += ways * chance * math.exp(float(wealth))
    assert expected == pytest.approx(1)


@pytest.mark.parametrize("spread", [0.0, 0.004])
@pytest.mark.parametrize("against", [False, True])
def test_at_the_margin_looking_after_every_device_keeps_to_the_error_rate(against: bool, spread: float) -> None:
    found = _ever(_drawn(-0.003, 0.01, 1, spread), TRUSTING, against=against)
    assert found <= TRUSTING.error_rate + 2 * math.sqrt(TRUSTING.error_rate / REPLAYS)


def test_a_test_that_did_not_pay_for_looking_would_not_keep_to_it() -> None:
    counts = _drawn(-0.003, 0.01, 1).cumsum(axis=1)
    mean = (counts[..., 1] - counts[..., 2]) / counts[..., 0] + 0.003
    error = np.sqrt((counts[..., 1] + counts[..., 2]) / counts[..., 0] ** 2)
    assert ((mean > 1.645 * error)[:, 10:].any(axis=1)).mean() > 2 * TRUSTING.error_rate


def test_a_device_that_lies_does_not_bring_a_candidate_beyond_the_error_rate() -> None:
    counts = _drawn(-0.003, 0.01, 2)
    counts[:, 40] = EACH, EACH, 0
    assert _ever(counts, TRUSTING, against=False) == 1.0
    assert _ever(counts, WARY, against=False) <= WARY.error_rate + 2 * math.sqrt(WARY.error_rate / REPLAYS)


def test_a_device_that_lies_does_not_send_a_good_candidate_back() -> None:
    counts = _drawn(0.0, 0.006, 3)
    counts[:, 40] = EACH, 0, EACH
    assert _ever(counts, TRUSTING, against=True) == 1.0
    assert _ever(counts, WARY, against=True) <= 0.01


def test_what_is_worse_or_better_by_much_is_found() -> None:
    assert _ever(_drawn(-0.02, 0.025, 4), WARY, against=True) >= 0.99
    assert _ever(_drawn(0.005, 0.01, 5), WARY, against=False) >= 0.99


counts_of_devices = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 200)), min_size=1, max_size=8
).map(lambda rows: np.array([[one + other + both, one, other] for one, other, both in rows], np.int64))


@given(counts_of_devices, st.booleans())
def test_no_wealth_is_more_than_without_any_one_device(counts: Counts, against: bool) -> None:
    wary = float(log_wealth(counts, WARY, against=against))
    without = [
        float(log_wealth(np.delete(counts, device, axis=0), TRUSTING, against=against)) for device in range(len(counts))
    ]
    assert wary <= min(without) + 1e-9


@given(counts_of_devices, st.randoms(use_true_random=False))
def test_the_order_in_which_devices_report_does_not_matter(counts: Counts, random: object) -> None:
    order = np.arange(len(counts))
    random.shuffle(order)  # type: ignore[attr-defined] # hypothesis' own random.Random
    one, other = (judge(Evidence(each, 100), WARY) for each in (counts, counts[order]))
    assert one.log_wealth_for == pytest.approx(other.log_wealth_for)
    assert one.verdict is other.verdict


def test_nothing_at_all_decides_nothing() -> None:
    nothing = judge(Evidence(np.zeros((0, 3), np.int64), 0), WARY)
    assert nothing.verdict is Verdict.UNDECIDED
    assert nothing.log_wealth_for == pytest.approx(0)


def test_few_devices_of_many_promote_nothing_and_may_still_send_back() -> None:
    settings = PromotionSettings(least_coverage=0.5)
    good, bad = np.full((30, 3), (100, 3, 0)), np.full((30, 3), (100, 0, 10))
    assert judge(Evidence(good, 6000), settings).verdict is Verdict.NOT_WORSE
    assert judge(Evidence(good, 6001), settings).verdict is Verdict.UNDECIDED
    assert judge(Evidence(bad, 6001), settings).verdict is Verdict.WORSE


def test_a_device_that_alone_holds_a_candidate_up_is_pointed_to() -> None:
    counts = np.full((200, 3), (60, 0, 0))
    counts[7] = 60, 0, 60
    found = judge(Evidence(counts, 12_000), WARY)
    assert (found.verdict, found.held_up) == (Verdict.UNDECIDED, True)
    counts[8] = 60, 0, 60
    assert not judge(Evidence(counts, 12_000), WARY).held_up


def test_a_judgement_says_what_it_rests_on() -> None:
    found = judge(Evidence(np.array([[1000, 3, 2], [200, 1, 0]]), 2000), WARY)
    assert str(found) == "4 readings right by it alone and 2 by the champion alone, of 1,200 on 2 devices"
