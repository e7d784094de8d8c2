"""What the top of the page says, and of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from handfed.shared.transcripts import Transcripts
from handfed.simulations.faults import Faults
from handfed.simulations.readings import Readings
from handfed.simulations.report import Report, headline
from handfed.simulations.report.contents import Misbehaviour, Robustness
from handfed.simulations.robustness import AS_WRITTEN

MakeReport = Callable[..., Report]


def ten_writers_of_ten(wrong: int) -> Readings:
    """Ten images of each of ten writers, of which as many of the last writer's are misread."""
    labels, writer = np.zeros(100, np.int32), np.repeat(np.arange(10, dtype=np.int32), 10)
    readings = labels.copy()
    readings[100 - wrong :] = 1
    int8, floating = (Transcripts.of_characters(labels, each) for each in (readings, labels))
    return Readings(np.arange(100), int8, floating, np.ones(100), np.zeros(100, np.int32), writer)


def test_targets_that_are_just_reached_are_met(make_report: MakeReport) -> None:
    report = make_report(accuracy_int8=0.99, latency_ms=50.0, size_bytes=2_000_000)
    assert [target.state for target in headline.targets(report)] == ["met"] * 3


def test_an_accuracy_just_below_the_target_is_not_rounded_up_to_it(make_report: MakeReport) -> None:
    report = make_report(accuracy_int8=0.98996)
    accuracy = headline.targets(report)[0]
    assert (accuracy.value, accuracy.state) == ("98.99600%", "missed")
    assert "reads 98.99600% right" in headline.lead(report)


def test_what_was_not_measured_is_neither_met_nor_missed(make_report: MakeReport) -> None:
    report = make_report(accuracy_int8=float("nan"), latency_ms=None, size_bytes=None)
    for target in headline.targets(report):
        assert (target.value, target.state) == ("not measured", "unknown")
    assert "right" not in headline.lead(report)


@pytest.mark.parametrize(("latency_ms", "shown"), [(0.0154, "0.015 ms"), (0.1, "0.10 ms"), (49.996, "50.00 ms")])
def test_a_time_is_told_from_nothing(make_report: MakeReport, latency_ms: float, shown: str) -> None:
    assert headline.targets(make_report(latency_ms=latency_ms))[1].value == shown


def test_the_worst_tenth_of_the_writers_stands_beside_their_mean(make_report: MakeReport) -> None:
    accuracy = headline.targets(make_report(readings=ten_writers_of_ten(4)))[0]
    assert accuracy.details[1] == "10 writers: mean 96.00%, worst tenth 60.00%"


def test_where_writers_are_unknown_nothing_is_said_of_them(make_report: MakeReport) -> None:
    found = replace(ten_writers_of_ten(4), writer=None)
    accuracy = headline.targets(make_report(readings=found))[0]
    assert accuracy.details == ("on 100 held-out images; 95% interval 90.16% to 98.43%",)


def test_the_lead_says_how_many_devices_lie(make_report: MakeReport) -> None:
    lying = Misbehaviour(Faults(nan=0.4), {0: "nan", 3: "nan"}, inspected=True)
    assert "Wrong on purpose: the updates of 2 of them." in headline.lead(make_report(misbehaviour=lying))
    silent = Misbehaviour(Faults(dropouts=0.4), {}, inspected=True)
    assert "on purpose" not in headline.lead(make_report(misbehaviour=silent))


def test_the_worst_deformation_is_among_the_figures(make_report: MakeReport) -> None:
    found = Robustness(100, {AS_WRITTEN: 0.98, "noise": 0.5, "paper": 0.7}, list(np.zeros((3, 28, 28), np.uint8)))
    figures = {figure.what: figure.value for figure in headline.figures(make_report(robustness=found))}
    assert figures["Worst deformation"] == "50.00%"
    assert "Worst deformation" not in {figure.what for figure in headline.figures(make_report())}
