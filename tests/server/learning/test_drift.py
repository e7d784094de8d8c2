"""Drift is found where writers differ, by writer, over devices; chance and a device that lies make none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from handfed.server.learning.drift import Told, Watch, watched
from handfed.shared.handwriting_reports import Figure, HandwritingReport
from handfed.shared.learning.settings import LearningSettings

SETTINGS = LearningSettings()
Draw = Callable[[np.random.Generator, int], float]


def figure(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Figure:
    return Figure(len(values), float(values.mean()), float(values.std(ddof=1)))


def told(
    seed: int,
    shift: Draw = lambda _random, _device: 0.0,
    *,
    devices: int = 10,
    recent: int = 10,
    known: int = 20,
    effect: float = 0.0,
) -> Told:
    """What devices tell of one figure, of writers drawn from a normal distribution; a device may have its own mean."""
    random = np.random.default_rng(seed)
    found = {}
    for device in range(devices):
        middle = effect * random.standard_normal()
        before = {"slant": figure(middle + random.standard_normal(known))} if known else {}
        after = {"slant": figure(middle + shift(random, device) + random.standard_normal(recent))}
        found[device] = HandwritingReport(1, 200, before, after)
    return found


def is_found(reports: Told, settings: LearningSettings = SETTINGS) -> bool:
    return watched(Watch(), reports, 1, settings).found


def share(made: Callable[[int], Told], settings: LearningSettings = SETTINGS, times: int = 100) -> float:
    return sum(is_found(made(seed), settings) for seed in range(times)) / times


def test_a_new_cohort_on_all_devices_is_found() -> None:
    assert share(lambda seed: told(seed, lambda _random, _device: 0.8)) >= 0.95


def test_shifts_in_every_direction_are_found() -> None:
    assert share(lambda seed: told(seed, lambda random, _device: 2.5 * random.choice([-1, 1]))) >= 0.95


def test_unseen_writers_who_write_alike_are_not_drift() -> None:
    loose = replace(SETTINGS, drift_error_rate=0.1)
    assert share(told, loose, 300) <= 0.07  # of which the first look has a half
    assert share(lambda seed: told(seed, effect=3.0), loose, 300) <= 0.07


def test_devices_that_runs_had_nothing_of_are_found_where_they_differ_more_than_devices_do() -> None:
    def with_new(seed: int, shift: float) -> Told:
        old = told(seed, recent=10, effect=0.5)
        others = told(seed + 10_000, lambda _random, _device: shift, known=0, effect=0.5)
        kept = {device: replace(each, recent={}) for device, each in old.items()}
        return kept | {100 + device: each for device, each in others.items()}

    loose = replace(SETTINGS, drift_error_rate=0.1)
    assert share(lambda seed: with_new(seed, 0.0), loose, 200) <= 0.07
    assert share(lambda seed: with_new(seed, 2.5)) >= 0.9


@pytest.mark.parametrize("shift", [5.0, -5.0, 1000.0])
def test_a_device_that_lies_makes_no_drift(shift: float) -> None:
    assert share(lambda seed: told(seed, lambda _random, device: shift if device == 3 else 0.0)) <= 0.02


def test_too_few_devices_find_none_however_much_they_differ() -> None:
    found = watched(Watch(), told(0, lambda _random, _device: 9.0, devices=4), 1, SETTINGS)
    assert (found.found, found.looks, found.what) == (False, 0, "4 devices tell of new writers")


def test_however_often_one_looks_the_error_rate_is_shared_by_all_looks() -> None:
    watch, looks = Watch(), []
    for writers in range(10, 101, 10):
        watch = watched(watch, told(0, recent=writers), 1, SETTINGS)
        watch = watched(watch, told(0, recent=writers), 1, SETTINGS)  # nothing is new
        looks.append(watch.looks)
    assert looks == [1, 2, 3, 3, 4, 4, 4, 5, 5, 5]
    assert "at look 5" in watch.what


def test_looking_again_and_again_as_writers_come_finds_nothing_where_there_is_nothing() -> None:
    def course(seed: int) -> bool:
        random = np.random.default_rng(seed)
        before, after = random.standard_normal((2, 10, 100))
        watch = Watch()
        for end in range(10, 101, 10):
            reports = {
                device: HandwritingReport(
                    1, 0, {"ink": figure(before[device, :20])}, {"ink": figure(after[device, :end])}
                )
                for device in range(10)
            }
            watch = watched(watch, reports, 1, replace(SETTINGS, drift_error_rate=0.1))
        return watch.found

    assert sum(map(course, range(150))) / 150 <= 0.1


def test_drift_that_was_found_stays_until_a_run_is_done() -> None:
    drifted, quiet = told(0, lambda _random, _device: 2.0), told(1, recent=100)
    found = watched(Watch(), drifted, 1, SETTINGS)
    assert found.found
    assert "slant differs by +2." in found.what or "slant differs by +1." in found.what
    assert watched(found, quiet, 1, SETTINGS) == found
    assert not watched(found, quiet, 2, SETTINGS).found


def test_what_never_differs_and_what_nobody_tells_is_no_drift() -> None:
    flat = {
        device: HandwritingReport(1, 0, {"ink": Figure(10, 0.1, 0.0)}, {"ink": Figure(10, 0.1, 0.0)})
        for device in range(9)
    }
    assert not is_found(flat)
    assert watched(Watch(), {}, 1, SETTINGS).what == "0 devices tell of new writers"
    alone = {device: replace(each, known={}) for device, each in flat.items()}
    assert watched(Watch(), alone, 1, SETTINGS).what == "there is nothing to compare with yet"


@pytest.mark.parametrize("mean", [0.1, 5.0])
def test_a_device_whose_writers_all_but_agree_hides_no_drift_and_makes_no_number_infinite(mean: float) -> None:
    liar = HandwritingReport(1, 0, {"slant": Figure(20, 0.1, 1e-320)}, {"slant": Figure(20, mean, 1e-320)})
    watch = watched(Watch(), {**told(0, lambda _random, _device: 3.0), 99: liar}, 1, SETTINGS)
    assert watch.found
    assert all(np.isfinite([each.p, each.difference]).all() for each in watch.findings)


def test_a_watch_with_numbers_that_were_none_is_read_without_them() -> None:
    kept = Watch(1, 1, 10).to_json() | {"findings": [{"name": "ink", "p": None, "difference": 1.0, "devices": 5}]}
    assert Watch.of(kept) == Watch(1, 1, 10)


def test_the_watch_is_read_as_it_was_kept() -> None:
    watch = watched(Watch(), told(0), 3, SETTINGS)
    assert Watch.of(watch.to_json()) == watch
    assert Watch.of(None) == Watch()


def test_each_figure_of_a_look_is_told_with_the_probability_of_as_much_over_all_of_them() -> None:
    slanted, calm = told(1, lambda _random, _device: 3.0), told(2)
    both = {
        number: HandwritingReport(
            1,
            200,
            {"slant": slanted[number].known["slant"], "ink": calm[number].known["slant"]},
            {"slant": slanted[number].recent["slant"], "ink": calm[number].recent["slant"]},
        )
        for number in slanted
    }
    watch = watched(Watch(), both, 1, SETTINGS)
    assert [each.name for each in watch.findings] == ["slant", "ink"]
    first, second = watch.findings
    assert watch.level is not None
    assert first.p <= watch.level < second.p <= 1
    assert f"p = {first.p:.2g}" in watch.what
    assert first.difference > 2 > abs(second.difference)
    assert Watch.of(watch.to_json()) == watch


def test_a_class_that_nobody_wrote_tells_nothing() -> None:
    nothing = {"class-3": Figure(10, 0.0, 0.0)}
    reports = {number: HandwritingReport(1, 200, nothing, nothing) for number in range(6)}
    (found,) = watched(Watch(), reports, 1, SETTINGS).findings
    assert (found.p, found.difference) == (1.0, 0.0)
