"""Whether handwriting drifts from what a federation has learnt: two-sample tests by writer, combined over devices.

Devices tell figures over writers (`handfed.shared.handwriting_reports`): how many, mean, standard deviation, of what
runs had (known) and of what came since (recent). Of each figure three questions are asked:

    one way      do recent writers differ from known ones, on all devices in the same direction? Welch's t test on each
                 device, one-sided, combined by Stouffer's method, weighted by the square root of the writers
    any way      do they differ on devices, each in its own direction? The same tests two-sided, by Fisher's method
    new devices  do devices that runs had nothing of differ from those that they had? A t test between devices, of their
                 means, so that it takes more than devices always differ by

Rules:
1. The unit is the writer, never the sample: samples of one writer are alike. Where devices are compared, it is the
   device.
2. Of each question, the `distrusted_devices` that speak most for drift are left out: what they tell makes no drift.
3. All questions of all figures share one level (Bonferroni), classes as one figure. Nor is a look free: the k-th has
   a 2^-k th of the error rate, and there is one each time that half as many writers more are told of than at the last.
   So the probability of ever finding drift where there is none, from one run to the next, is the error rate at most, as
   far as the tests hold their levels.
4. Drift that was found stays found until a run is done.

Source: `scipy.stats.ttest_ind_from_stats` (Welch 1947, Biometrika 34) and `combine_pvalues` (Stouffer et al. 1949;
Fisher 1925); on this way of spending an error rate over looks, Lan and DeMets 1983, Biometrika 70.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # it publishes no types

from handfed.shared.handwriting_reports import Figure, HandwritingReport, is_class
from handfed.shared.learning.policy import Drift
from handfed.shared.learning.settings import LearningSettings

CLASSES: Final = "classes"
QUESTIONS: Final = 3
_LEAST_DEVIATION: Final = 1e-9  # of figures; what is less is rounding, or meant to make a quotient infinite
GROWTH: Final = 1.5  # writers told of at a look, over those of the last
_WORDS: Final = {
    "ink": "ink",
    "stroke-width": "stroke width",
    "slant": "slant",
    "confidence": "confidence of readings",
    CLASSES: "mix of classes that are read",
}

Told = Mapping[int, HandwritingReport]  # by device


@dataclass(frozen=True)
class Finding:
    """What one figure shows.

    Attributes:
        name: The figure; all classes together are `CLASSES`.
        p: The least p value of its questions, times how many p values there are of them; in a `Watch`, of all figures.
        difference: Of recent writers from known ones, over the deviation between writers, on average.
        devices: How many devices were heard.
    """

    name: str
    p: float
    difference: float
    devices: int


@dataclass(frozen=True)
class Watch:
    """How far looking for drift has come since a run.

    Attributes:
        run: The last run that was done.
        looks: How often was looked since.
        writers: Recent writers that were told of at the last look.
        found: Whether drift was found.
        devices: Devices that were heard at the look that found it, or at the last.
        what: What differs most, or that nothing does, in words.
        level: P value that the last look took, over all figures.
        findings: What it found of each figure, those that differ most first.
    """

    run: int = 0
    looks: int = 0
    writers: int = 0
    found: bool = False
    devices: int = 0
    what: str = "no device has told of new writers yet"
    level: float | None = None
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, value: Mapping[str, Any] | None) -> Self:
        """As it is on record; a new one of null."""
        if value is None:
            return cls()
        findings = (Finding(**each) for each in value.get("findings", ()) if None not in each.values())  # of infinity
        return cls(**{**value, "findings": tuple(findings)})

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @property
    def drift(self) -> Drift:
        """As the policy reads it."""
        return Drift(self.found, self.devices, self.what)


def watched(watch: Watch, told: Told, run: int, settings: LearningSettings) -> Watch:
    """Looks, where there is enough that is new.

    Args:
        watch: How far looking has come.
        told: What devices told last.
        run: The last run of the task that is done; another than before begins anew.
        settings: Of learning.
    """
    watch = watch if watch.run == run else Watch(run)
    heard = {device: report for device, report in told.items() if report.recent}
    writers = sum(_most_writers(report.recent) for report in heard.values())
    if watch.found or not settings.drift_error_rate or writers < GROWTH * watch.writers:
        return watch
    if len(heard) < settings.least_devices:
        found = f"{len(heard):,} devices tell of new writers"
        return replace(watch, devices=len(heard), what=found)
    findings = tests(heard, told, settings)
    looks = watch.looks + 1
    level = settings.drift_error_rate / 2**looks
    if not findings:
        return replace(watch, devices=len(heard), what="there is nothing to compare with yet")
    findings = sorted((_over_all(each, len(findings)) for each in findings), key=lambda each: each.p)
    worst, p = findings[0], findings[0].p
    words = f"{_WORDS[worst.name]} {_differs(worst)}, p = {p:.2g} of {level:.2g} at look {looks}"
    what = words if p <= level else f"none found: {words}"
    return Watch(run, looks, writers, p <= level, worst.devices, what, level, tuple(findings))


def _over_all(finding: Finding, figures: int) -> Finding:
    """A finding whose p value counts all figures that were looked at."""
    return replace(finding, p=min(finding.p * figures, 1.0))


def tests(heard: Told, told: Told, settings: LearningSettings) -> list[Finding]:
    """What each figure shows, by name.

    Args:
        heard: Of the devices that tell of recent writers.
        told: Of all devices.
        settings: Of learning.
    """
    names = sorted({name for report in heard.values() for name in report.recent})
    findings = [found for name in names if (found := _finding(name, heard, told, settings)) is not None]
    classes = [each for each in findings if is_class(each.name)]
    others = [each for each in findings if not is_class(each.name)]
    if classes:
        worst = min(classes, key=lambda each: each.p)
        others.append(Finding(CLASSES, min(worst.p * len(classes), 1.0), worst.difference, worst.devices))
    return others


def _finding(name: str, heard: Told, told: Told, settings: LearningSettings) -> Finding | None:
    pairs = [
        (each.known[name], each.recent[name]) for each in heard.values() if {name} <= each.known.keys() & each.recent
    ]
    new = [each.recent[name] for each in heard.values() if name in each.recent and name not in each.known]
    known = [each.known[name] for each in told.values() if name in each.known]
    asked: list[float] = []
    if len(pairs) >= settings.least_devices:
        asked += [_one_way(pairs, settings.distrusted_devices), _any_way(pairs, settings.distrusted_devices)]
    if min(len(new), len(known)) >= settings.least_devices:
        asked.append(_new_devices(new, known, settings.distrusted_devices))
    if not asked:
        return None
    return Finding(name, min(*asked, 1.0) * QUESTIONS, _difference(pairs, new, known), len(pairs) + len(new))


def _one_way(pairs: Sequence[tuple[Figure, Figure]], distrusted: int) -> float:
    """Two-sided p value of the same difference on all devices."""
    weights = np.array([known.writers * recent.writers / (known.writers + recent.writers) for known, recent in pairs])
    above = _welch(pairs, "greater")
    return min(2 * min(_stouffer(side, np.sqrt(weights), distrusted) for side in (above, 1 - above)), 1.0)


def _stouffer(p: NDArray[np.float64], weights: NDArray[np.float64], distrusted: int) -> float:
    kept = np.argsort(-stats.norm.isf(_within(p)) * weights, kind="stable")[distrusted:]
    if not len(kept):
        return 1.0
    return float(stats.combine_pvalues(_within(p[kept]), method="stouffer", weights=weights[kept]).pvalue)


def _any_way(pairs: Sequence[tuple[Figure, Figure]], distrusted: int) -> float:
    p = np.sort(_welch(pairs, "two-sided"))[distrusted:]
    return float(stats.combine_pvalues(_within(p), method="fisher").pvalue) if len(p) else 1.0


def _new_devices(new: Sequence[Figure], known: Sequence[Figure], distrusted: int) -> float:
    """P value of a difference between the means of devices, without the new ones that speak most for it."""
    ours, theirs = np.array([each.mean for each in known]), np.array([each.mean for each in new])
    order = np.argsort(-(theirs - ours.mean()) * np.sign(theirs.mean() - ours.mean()), kind="stable")
    kept = theirs[order[distrusted:]]
    deviations = [each.std(ddof=1) if len(each) > 1 else 0.0 for each in (kept, ours)]
    if not len(kept) or not any(deviations):
        return 1.0
    found = stats.ttest_ind_from_stats(
        kept.mean(), deviations[0], len(kept), ours.mean(), deviations[1], len(ours), equal_var=True
    )
    return float(found.pvalue)


def _welch(pairs: Sequence[tuple[Figure, Figure]], alternative: str) -> NDArray[np.float64]:
    """P value of each device, float64 (devices,)."""
    # Writers, mean and deviation of each device: (3, devices)
    known, recent = (np.array(side, np.float64).T for side in zip(*pairs, strict=True))
    for side in (known, recent):
        side[2, side[2] < _LEAST_DEVIATION] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        found = stats.ttest_ind_from_stats(
            recent[1], recent[2], recent[0], known[1], known[2], known[0], equal_var=False, alternative=alternative
        )
    tells_nothing = (known[2] == 0) & (recent[2] == 0)  # as of a class that nobody wrote
    return np.where(tells_nothing, 1.0 if alternative == "two-sided" else 0.5, found.pvalue)


def _within(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P values that no single one of which makes a sum infinite."""
    return np.clip(p, 1e-300, 1 - 1e-16)


def _difference(pairs: Iterable[tuple[Figure, Figure]], new: Sequence[Figure], known: Sequence[Figure]) -> float:
    """By how many deviations between writers recent ones differ from known ones, on average over the devices."""
    middle = float(np.mean([each.mean for each in known])) if known else 0.0
    spread = float(np.mean([each.deviation for each in known])) if known else 0.0
    steps = [(recent.mean - before.mean, before.deviation) for before, recent in pairs]
    steps += [(recent.mean - middle, spread) for recent in new]
    return float(np.mean([step / deviation if deviation >= _LEAST_DEVIATION else 0.0 for step, deviation in steps]))


def _most_writers(figures: Mapping[str, Figure]) -> int:
    return max(each.writers for each in figures.values())


def _differs(found: Finding) -> str:
    return f"differs by {found.difference:+.2f} deviations between writers on {found.devices:,} devices"
