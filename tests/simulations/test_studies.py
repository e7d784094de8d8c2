"""Studies are named like scenarios, and what they find is a table, a page, a picture and JSON."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from handfed.shared.errors import DatasetError, SettingError
from handfed.simulations.benchmarks.figures import Figure
from handfed.simulations.scenarios import built_in
from handfed.simulations.studies import STUDIES, study_of
from handfed.simulations.studies.few_corrections import COMPANY, Outcome, gain, strangers_of
from handfed.simulations.studies.finding import Columns, Finding, Row
from handfed.simulations.studies.label_noise import KINDS, NOISE, Found, Ordinary, Trial, finding, refuse_easy
from handfed.simulations.studies.page import write_page
from handfed.simulations.studies.table import show

HANDFED = Path(sys.executable).parent / "handfed"
FOUND = Found(0.9, 0.7, 0.05)


def study() -> Finding:
    return Finding(
        name="made-up",
        title="Made up",
        setting="Two <cases>.",
        tables=(Columns("What was measured", {"case": ["one", "<two>"], "right": ["98.00%", "97.00%"]}),),
        picture="Accuracy",
        rows=(Row("one", {"with": 0.98, "without": 0.95}), Row("<two>", {"with": 0.97, "without": 0.96})),
        aims=(Figure("lost, points", 0.5, 1.0, "less"), Figure("caught, percent", 90.0, 95.0, "more")),
        json={"cases": 2},
    )


def test_every_study_has_a_scenario_of_its_name() -> None:
    assert {each.name: each.values["study"] for each in built_in() if "study" in each.values} == dict(
        zip(STUDIES, STUDIES, strict=True)
    )
    for name in STUDIES:
        assert callable(study_of(name))


def test_an_unknown_study_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SettingError, match="label-noise, few-corrections"):
        study_of("no-such")


def test_corrections_take_a_writer_more_than_the_company_and_who_is_corrected(tmp_path: Path) -> None:
    count = 5 * (COMPANY + 1)  # of whom a fifth is held out
    pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    np.savez(tmp_path / "few.npz", x=pixels, y=np.arange(count) % 10, writer=np.arange(count))
    with pytest.raises(DatasetError, match=f"{COMPANY + 1} writers are held out, and this takes {COMPANY + 2}"):
        strangers_of(str(tmp_path / "few.npz"))


def test_label_noise_takes_digits_that_are_misread() -> None:
    refuse_easy("mine", np.array([3]), np.array([False, True]))
    with pytest.raises(DatasetError, match="none of the device's digits"):
        refuse_easy("mine", np.zeros(0, np.int64), np.array([True]))
    with pytest.raises(DatasetError, match="none of strangers' digits"):
        refuse_easy("mine", np.array([3]), np.array([False, False]))


def test_the_page_holds_the_picture_every_table_and_the_aims(tmp_path: Path) -> None:
    write_page(tmp_path / "new" / "study.html", study(), "handfed simulate made-up")
    page = (tmp_path / "new" / "study.html").read_text(encoding="utf-8")
    assert "&lt;two&gt;" in page
    assert "<two>" not in page
    assert "default-src 'none'" in page
    for text in ("Made up", "98.00%", "handfed simulate made-up", "missed", "at least 95.00", "<svg"):
        assert text in page


def test_a_name_in_svg_gets_the_picture_alone(tmp_path: Path) -> None:
    write_page(tmp_path / "study.svg", study(), "handfed simulate made-up")
    text = (tmp_path / "study.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - what was just written
    assert root.tag.endswith("svg")
    written = "".join(root.itertext())
    for name in ("with", "without", "one", "<two>"):
        assert name in written


def test_a_terminal_shows_the_same_and_programs_get_fractions() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    show(study(), "study.html", console)
    text = console.export_text()
    assert "97.00%" in text
    assert "study.html" in text
    printed = json.loads(json.dumps(study().as_json()))
    assert (printed["study"], printed["cases"]) == ("made-up", 2)
    assert [each["met"] for each in printed["aims"]] == [True, False]


@pytest.mark.parametrize("name", KINDS)
def test_noise_is_wrong_about_as_often_as_it_says_and_keeps_to_the_classes(name: str) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 10, 5000)
    noisy = KINDS[name](labels, rng.integers(0, 200, 5000).astype(np.int32), rng)
    assert NOISE - 0.03 < (noisy != labels).mean() < NOISE + 0.03
    assert set(noisy.tolist()) <= set(range(10))


def test_what_was_set_aside_is_counted_against_what_was_wrong() -> None:
    doubted = np.array([True, True, True, False, False, False])
    wrong = np.array([True, True, False, True, False, False])
    found = Found.of(doubted, wrong)
    assert (found.recall, found.precision, found.lost) == pytest.approx((2 / 3, 2 / 3, 1 / 3))
    assert Found.of(np.zeros(6, np.bool_), wrong) == Found(0.0, 0.0, 0.0)


def test_figures_of_wrong_labels_take_the_worst_trial_and_the_picture_the_mean_of_seeds() -> None:
    trials = [
        Trial(noise, seed, Found(0.9, 0.7, lost), {"clean": 0.98, "all": 0.96, "kept": kept}, {"clean": 0.5} | rest)
        for noise in KINDS
        for seed, lost, kept in ((0, 0.05, 0.97), (1, 0.1, 0.96))
        for rest in ({"all": 0.4, "kept": 0.45},)
    ]
    found = finding(trials, [Ordinary(0.05, 0, FOUND), Ordinary(0.2, 0, Found(0.97, 0.8, 0.004))])
    assert [each.value for each in found.aims] == pytest.approx([2.0, 10.0, 90.0, 5.0])
    assert [row.name for row in found.rows] == list(KINDS)
    assert found.rows[0].values["set aside, weighed"] == pytest.approx(0.965)
    assert len(found.tables[0].cells["noise"]) == len(trials)
    json.dumps(found.as_json())


def test_what_layers_gain_is_pooled_over_samples_with_an_interval_over_writers() -> None:
    better = [Outcome(writer, 10, 5, 6, used=True, others=0.0, misread=True) for writer in range(20)]
    gained, (low, high) = gain(better)
    assert [gained, low, high] == pytest.approx([0.1, 0.1, 0.1])
    mixed = [*better, Outcome(20, 100, 50, 40, used=True, others=0.0, misread=True)]
    gained, (low, high) = gain(mixed)
    assert gained == pytest.approx((20 - 10) / 300)
    assert low < gained < high


def simulate(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(HANDFED), "simulate", *arguments, "--data-dir", str(data_dir)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["label-noise"], "names no data set"),
        (["label-noise", "--data", "mnist5k"], "known writers"),
        (["few-corrections", "--data", "mnist5k"], "writers are unknown"),
        (["label-noise", "--data", "mnist5k", "--rounds", "60"], "takes --data and --seed alone; leave --rounds out"),
        (["label-noise", "--data", "mnist5k", "--sweep", "seed=0,1"], "leave --sweep out"),
        (["--study", "no-such"], "choose one of: label-noise, few-corrections"),
    ],
)
def test_what_cannot_be_studied_is_told(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = simulate(*arguments, data_dir=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in " ".join(done.stderr.split())
