"""Runs side by side: the figures, the pictures, and the command."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result
from typer.testing import CliRunner

from handfed.server.database import open_database
from handfed.server.runs.schemas import RecordedRound, RecordedRun, RoundResult, RunStart, UnknownRunError
from handfed.server.runs.service import RunRecord
from handfed.shared.cli import build
from handfed.shared.data_directory import database_url
from handfed.shared.errors import HandfedError, SettingError, StorageError
from handfed.simulations.comparison.contents import Compared, columns, differing, named
from handfed.simulations.comparison.page import picture, render
from handfed.simulations.comparison.writing import write_page

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


def compared(
    number: int,
    accuracies: Sequence[float | None] = (0.5, 0.96),
    settings: Mapping[str, Any] | None = None,
    summary: Mapping[str, Any] | None = None,
    label: str = "",
) -> Compared:
    run = RecordedRun(
        id=number,
        status="done",
        task="characters",
        recogniser="cnn",
        strategy="fedavg",
        seed=0,
        settings={"rounds": 2, **(settings or {})},
        devices=3,
        engine="in-process",
        rounds=len(accuracies),
        started_at=NOON,
        ended_at=NOON,
        error=None,
        summary=summary,
    )
    rounds = [
        RecordedRound(place, "float", NOON, 1.0, 1.0, 3, 3, 100, 0.5, accuracy, 50, 1_000_000, 500_000)
        for place, accuracy in enumerate(accuracies, start=1)
    ]
    return Compared(label, run, rounds)


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - what we have drawn ourselves


def test_rounds_to_an_accuracy_end_with_the_first_evaluated_round_that_reached_it() -> None:
    run = compared(1, [None, 0.7, None, 0.95, 0.94, 0.96])
    assert run.rounds_to(0.7) == 2
    assert run.rounds_to(0.9) == 4
    assert run.rounds_to(0.955) == 6
    assert run.rounds_to(0.97) is None


def test_what_was_sent_is_the_sum_of_both_ways() -> None:
    assert compared(1, [0.1, 0.2, None]).bytes_sent == 4_500_000


def test_accuracy_is_that_of_what_was_published_or_else_of_the_last_evaluated_round() -> None:
    assert compared(1, [0.5, 0.96, None]).accuracy == 0.96
    assert compared(1, summary={"accuracy_int8": 0.9}).accuracy == 0.9
    assert compared(1, [None]).accuracy is None


def test_only_settings_that_differ_are_told() -> None:
    runs = [
        compared(1, settings={"seed": 0, "data": {"name": "a"}, "momentum": 0.9}),
        compared(2, settings={"seed": 0, "data": {"name": "b"}, "stroke_width": 0.5, "momentum": 0.9}),
    ]
    assert differing(runs) == {"data.name": ["a", "b"], "stroke-width": ["-", "0.5"]}
    assert [run.label for run in named(runs)] == ["data.name=a, stroke-width=-", "data.name=b, stroke-width=0.5"]


def test_runs_that_differ_in_much_are_called_by_their_number() -> None:
    runs = [compared(1, settings={str(each): 0 for each in range(9)}), compared(2)]
    assert [run.name for run in named(runs)] == ["run 1", "run 2"]


def test_the_table_has_a_cell_a_run_in_every_column() -> None:
    table = columns([compared(4, summary={"accuracy_int8": 0.955, "wall_s": 61.6}), compared(7, [None])])
    assert table["run"] == ["4", "7"]
    assert table["accuracy, INT8"] == ["95.50%", "-"]
    assert table["rounds to 95%"] == ["2", "-"]
    assert table["sent"] == ["3.0 MB", "1.5 MB"]
    assert table["seconds"] == ["62", "-"]
    assert {len(cells) for cells in table.values()} == {2}


def test_the_picture_tells_runs_apart_and_says_in_words_what_it_shows() -> None:
    svg = picture([compared(1, label="<b>"), compared(2, [0.5, 0.7])])
    assert "run 1: &lt;b&gt;" in svg
    root = parsed(svg)
    (words,) = [element.text for element in root.iter("desc")]
    assert words == "run 1: <b>: 96.00% in round 2. run 2: 70.00% in round 2."
    drawn = re.findall(r"stroke: (var\(--\w+\))", svg)
    assert {"var(--first)", "var(--second)"} <= set(drawn)


def test_of_many_runs_the_best_are_told_apart_and_the_others_counted() -> None:
    texts = [element.text for element in parsed(picture([compared(n, [n / 20]) for n in range(1, 16)])).iter("text")]
    assert "3 others" in texts
    assert "run 4" in texts
    assert "run 3" not in texts


@pytest.mark.parametrize("runs", [[compared(1, [])], [compared(1, [None])], [compared(1, [1.0]), compared(2, [0.0])]])
def test_runs_with_little_or_nothing_to_show_have_a_page_too(runs: list[Compared]) -> None:
    page = render(runs, "handfed runs compare")
    assert "Accuracy by round" in page
    assert "Accuracy of what was published" not in page


def test_the_page_shows_pictures_and_figures_and_loads_nothing() -> None:
    summary = {"accuracy_int8": 0.955, "samples": 1000}
    page = render([compared(1, summary=summary, label="<i>"), compared(2, summary=summary)], "handfed <x>")
    assert page.count("<svg") == 2
    assert "<i>" not in page
    assert "<x>" not in page
    assert "95.50%" in page
    assert "Runs 1-2 side by side" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_a_picture_of_its_own_is_an_svg_that_needs_no_page(tmp_path: Path) -> None:
    file = tmp_path / "new" / "runs.svg"
    write_page(file, [compared(1), compared(2)], "handfed")
    text = file.read_text(encoding="utf-8")
    assert parsed(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in text


def test_a_folder_that_cannot_be_made_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="name another file"):
        write_page(tmp_path / "file" / "page.html", [compared(1)], "handfed")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with eight runs of two rounds; the last failed."""
    directory = tmp_path_factory.mktemp("data")
    with open_database(database_url(directory, None)) as database:
        record = RunRecord(database, lambda: NOON)
        for seed in range(8):
            settings = {"rounds": 2, "seed": seed}
            number = record.start(RunStart("digits", "cnn", "fedavg", seed, settings, 3, "in-process"))
            for place in (1, 2):
                result = RoundResult(place, "float", NOON, 1.0, 1.0, 3, 3, 100, 0.5, 0.45 * place + seed / 100, 50)
                record.add_round(number, result)
            if seed == 7:
                record.fail(number, "on purpose")
            else:
                record.finish(number, {"accuracy_int8": 0.9, "samples": 50, "wall_s": 3.0})
    return directory


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["runs", *map(str, arguments)])


def output(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def test_the_command_shows_a_column_a_run(data: Path) -> None:
    rows = [line.split() for line in output("compare", 1, 8, "--data-dir", data).splitlines()]
    assert rows[0] == ["run", "1", "8"]
    assert ["seed", "0", "7"] in rows
    assert ["status", "done", "failed"] in rows
    assert ["rounds", "to", "90%", "2", "2"] in rows
    assert ["rounds", "to", "95%", "-", "2"] in rows


@pytest.mark.parametrize("numbers", [(1, 2), (1, 2, 3, 4, 5, 6), range(1, 9)])
def test_what_is_shown_fits_80_columns(data: Path, numbers: Sequence[int]) -> None:
    shown = output("compare", *numbers, "--data-dir", data)
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "…" not in shown


def test_json_has_every_documented_field(data: Path) -> None:
    found = json.loads(output("--data-dir", data, "--json", "compare", 2, 8))
    from handfed.simulations.comparison import cli

    for name in (*found, *found["runs"][0]):
        assert name in str(cli.__doc__), f"{name} is not documented"
    assert found["differing"] == {"seed": ["1", "7"]}
    first, last = found["runs"]
    assert first["rounds_to"] == {"0.90": 2, "0.95": None, "0.98": None, "0.99": None}
    assert first["accuracy_by_round"] == [[1, 0.46], [2, 0.91]]
    assert last["summary"] is None
    assert last["status"] == "failed"


def test_a_picture_is_written_beside_what_is_printed(data: Path, tmp_path: Path) -> None:
    for name in ("page.html", "runs.svg"):
        output("compare", 1, 2, "--data-dir", data, "--picture", tmp_path / name)
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "runs.svg").read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ((1,), SettingError, "at least two runs"),
        ((1, 1), SettingError, "at least two runs"),
        ((1, 9), UnknownRunError, "run 9 is not on record; there are 1-8"),
        ((1, 2, "--picture", "runs.png"), SettingError, "ends in .html or .svg"),
    ],
)
def test_wrong_use_is_refused(data: Path, arguments: tuple[object, ...], kind: type[HandfedError], said: str) -> None:
    error = invoke("compare", *arguments, "--data-dir", data).exception
    assert isinstance(error, kind)
    assert said in str(error)
    assert error.exit_status == 2


def test_without_a_record_no_run_is_known(tmp_path: Path) -> None:
    assert isinstance(invoke("compare", 1, 2, "--data-dir", tmp_path).exception, UnknownRunError)
    assert list(tmp_path.iterdir()) == []
