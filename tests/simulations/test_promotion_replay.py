"""Promotion on stored readings holds its figures, and the benchmark's readings are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from handfed.shared.promotion.rules import Phase
from handfed.simulations.benchmarks.promotion import beyond, figures
from handfed.simulations.benchmarks.promotion_replay import replay
from handfed.simulations.benchmarks.stored_readings import StoredReadings


@pytest.fixture(scope="module")
def readings() -> StoredReadings:
    """Two models that read 99 % of 12,000 samples and differ on 0.6 %, as two that were trained do."""
    return _readings(alike=0.43)


def _readings(alike: float) -> StoredReadings:
    """Models that are wrong on hard samples both; the less `alike` is, the harder are few samples."""
    random = np.random.default_rng(0)
    hardness = random.beta(0.01 * alike, 0.99 * alike, 12_000)
    champion, candidate = (random.random(12_000) >= hardness for _ in range(2))
    return StoredReadings(np.arange(12_000) // 60, champion, candidate)


@pytest.mark.parametrize("difference", [-0.01, -0.003, 0.0, 0.005])
def test_a_variant_is_better_by_exactly_so_much(readings: StoredReadings, difference: float) -> None:
    variant = readings.better_by(difference, seed=1)
    assert variant.candidate.mean() - variant.champion.mean() == pytest.approx(difference, abs=1e-9)
    assert (variant.champion == readings.champion).all()


def test_a_variant_that_is_not_a_whole_number_of_readings_is_no_better_than_asked_for() -> None:
    of_seven = StoredReadings(np.zeros(7, np.int64), np.ones(7, np.bool_), np.ones(7, np.bool_))
    assert of_seven.better_by(-0.2, seed=0).scores.sum() == -2


def test_a_variant_of_a_tenth_of_the_devices_leaves_the_others_alone(readings: StoredReadings) -> None:
    variant = readings.better_by(-0.003, seed=2, spread=0.1)
    changed = np.unique(readings.device[variant.candidate != readings.candidate])
    assert 5 < len(changed) <= 20


def test_counts_by_device_add_up(readings: StoredReadings) -> None:
    counts = readings.counts
    assert counts.shape == (200, 3)
    assert (counts[:, 0] == 60).all()
    assert (counts[:, 1] - counts[:, 2]).sum() == readings.scores.sum()


def test_the_four_figures_hold(readings: StoredReadings) -> None:
    found = figures(readings, 40)
    assert [figure.met for figure in found] == [True] * 4


def test_one_that_differs_too_much_to_tell_stays_a_candidate_though_it_is_as_good() -> None:
    differing = _readings(alike=50.0).better_by(0.0, seed=0)
    assert (differing.scores != 0).mean() > 0.015
    phases = [replay(differing.counts, seed=seed).ended.phase for seed in range(20)]
    assert Phase.ROLLED_BACK not in phases
    assert phases.count(Phase.CANDIDATE) >= 15


def test_a_worse_one_that_slipped_through_is_used_by_few_and_gone_within_two_polls(readings: StoredReadings) -> None:
    fates = [replay(readings.better_by(-0.01, seed=seed).counts, seed=seed, by_hand=True) for seed in range(20)]
    assert all(fate.rolled_back and fate.most_percent == 5 for fate in fates)
    assert 0 < max(fate.gone for fate in fates) <= 2


def test_without_devices_that_report_nothing_is_promoted(readings: StoredReadings) -> None:
    fate = replay(readings.better_by(0.005, seed=0).counts, seed=0, silent=1.0)
    assert (fate.ended.phase, fate.most_percent) == (Phase.CANDIDATE, 0)


def test_every_row_beyond_the_figures_can_be_measured(readings: StoredReadings) -> None:
    table = beyond(readings, 2)
    assert table.row_count == 10
