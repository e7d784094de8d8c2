"""A server under load is measured as it answers, and what goes wrong is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from handfed.server.runs.events import MOST_STREAMS
from handfed.simulations.benchmarks import load
from handfed.simulations.benchmarks.crowd import Seen
from handfed.simulations.benchmarks.load import Answers
from handfed.simulations.benchmarks.postgresql import NoPostgresqlError


def test_percentiles_are_of_the_answers() -> None:
    answers = Answers([float(number) for number in range(101)], 0, 0.1)
    assert [answers.percentile(percent) for percent in (50, 95, 99)] == [50.0, 95.0, 99.0]


def test_whatever_goes_wrong_is_an_error() -> None:
    quick = Answers([10.0] * 20, 0, 0.1)
    well = Seen(asked=5, events=100, ended=load.STREAMS)
    ill = Seen(errors=Counter({"refused": 2}), ended=load.STREAMS - 3)
    found = {"sqlite": (quick, quick, well), "postgresql": (quick, Answers([10.0] * 20, 4, 0.1), ill)}
    figures = {each.what: each for each in load._figures(found)}
    assert figures["errors, sqlite"].met
    assert figures["errors, postgresql"].value == 2 + 3 + 4
    assert not figures["errors, postgresql"].met


def test_without_postgresql_it_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Answers([10.0] * 20, 0, 0.1)

    def missing() -> None:
        raise NoPostgresqlError("PostgreSQL is not installed here")

    monkeypatch.setattr(load, "postgresql", missing)
    monkeypatch.setattr(load, "loaded", lambda *_: (quick, quick, Seen(ended=load.STREAMS)))
    load.run(tmp_path, Console(width=110))
    said = capsys.readouterr().out
    assert "Not measured on PostgreSQL: PostgreSQL is not installed here" in said
    assert "sqlite" in said


@pytest.mark.slow
def test_a_small_crowd_is_served_without_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(load, "DEVICES", 3)
    monkeypatch.setattr(load, "STREAMS", MOST_STREAMS + 1)  # so many are not one person's
    monkeypatch.setattr(load, "_SETTLE_S", 0.5)
    monkeypatch.setattr(load, "ALONE_S", 0.5)
    monkeypatch.setattr(load, "LOADED_S", 2.0)
    alone, under_load, seen = load.loaded(tmp_path, None)
    assert (len(alone.milliseconds), alone.errors) == (10, 0)
    assert (len(under_load.milliseconds), under_load.errors) == (40, 0)
    assert not seen.errors
    assert seen.ended == MOST_STREAMS + 1
    assert seen.events >= MOST_STREAMS + 1
