"""`handfed edge feedback`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.retention import FeedbackSettings, write_settings
from handfed.clients.device.store.store import Store
from handfed.clients.edge.cli import recognise
from handfed.clients.edge.feedback_cli import feedback
from handfed.shared.datasets import Dataset
from handfed.shared.errors import ConflictError, HandfedError, ImageError, LockedStoreError, SettingError, WriterError

Run = Callable[..., Result]
WRITER = "Wilhelmina"
RELEASE = Path(__file__).resolve().parents[2] / "compat" / "manifest-2"


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a device with a store."""
    folder = tmp_path / "device"
    Store.open(store_in(folder)).close()
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(folder))
    return folder


@pytest.fixture
def run() -> Run:
    def invoke(*arguments: object) -> Result:
        app = typer.Typer()
        app.command()(feedback)
        app.command()(recognise)
        return CliRunner().invoke(app, [*map(str, arguments), "--release", str(RELEASE)], env={"COLUMNS": "200"})

    return invoke


@pytest.fixture
def digit(tmp_path: Path, digits: Dataset) -> Path:
    import numpy as np
    from PIL import Image

    Image.fromarray(255 - np.kron(digits.images[0], np.ones((4, 4), np.uint8))).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


def stored(folder: Path) -> list[tuple[str, str]]:
    """Kind and label of all feedback."""
    with Store.open(store_in(folder)) as store:
        query = "SELECT f.kind, s.label FROM feedback f JOIN samples s ON s.id = f.sample ORDER BY f.id"
        return [(kind, label.decode()) for kind, label in store._database.connection.execute(query)]


def test_a_correction_and_a_confirmation_are_kept(run: Run, device: Path, digit: Path) -> None:
    done = run("feedback", digit, "--read", "4", "--correct", "9", "--writer", WRITER, "--json")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout) == {"feedback": 1, "kind": "correction", "picked": False, "known": False}
    assert "kept before" in run("feedback", digit, "--read", "4", "--correct", "9", "--writer", WRITER).stdout
    assert "confirmation" in run("feedback", digit, "--read", "4", "--confirm").stdout
    assert stored(device) == [("correction", "9"), ("confirmation", "4")]


def test_what_the_device_asks_about_is_answered_by_its_id(run: Run, device: Path, digit: Path) -> None:
    with Store.open(store_in(device)) as store:
        write_settings(store, FeedbackSettings(confirm=1.0))
    (reading,) = json.loads(run("recognise", digit, "--json").stdout)["readings"]
    shown = run("recognise", digit).stdout
    assert f"--pick {reading['confirm']}" in shown
    done = run("feedback", digit, "--pick", reading["confirm"], "--confirm", "--json")
    assert json.loads(done.stdout)["picked"] is True
    assert stored(device) == [("confirmation", reading["text"])]
    assert isinstance(run("feedback", digit, "--pick", "0" * 24, "--confirm").exception, SettingError)


def test_nothing_is_asked_where_nothing_is_kept(
    run: Run, tmp_path: Path, digit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(tmp_path / "none"))
    (reading,) = json.loads(run("recognise", digit, "--json").stdout)["readings"]
    assert "confirm" not in reading
    error = run("feedback", digit, "--confirm").exception
    assert isinstance(error, HandfedError)
    assert error.exit_status == 1
    assert "handfed join" in str(error)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "options", [[], ["--confirm", "--correct", "9"], ["--csv", "x.csv", "--confirm"], ["--correct", "99"]]
)
def test_what_is_not_meant_is_refused(run: Run, device: Path, digit: Path, options: list[str]) -> None:
    assert isinstance(run("feedback", digit, *options).exception, SettingError)
    assert stored(device) == []


def test_exit_statuses_are_those_of_the_documentation(run: Run, device: Path, digit: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("none")
    assert isinstance(run("feedback", tmp_path / "text.png", "--confirm").exception, ImageError)
    assert run("feedback", digit, "--correct", "9", "--writer", WRITER).exit_code == 0
    with Store.open(store_in(device)) as store:
        from datetime import UTC, datetime

        from handfed.clients.device.store.locks import Cost, PassphraseLock

        store.forget(WRITER, now=datetime.now(UTC))
        assert isinstance(run("feedback", digit, "--correct", "9", "--writer", WRITER).exception, WriterError)
        write_settings(store, FeedbackSettings(taken=False))
        assert isinstance(run("feedback", digit, "--correct", "9").exception, ConflictError)
        write_settings(store, FeedbackSettings())
        store.encrypt(PassphraseLock("three small rivers", Cost(n=2**4)))
    assert isinstance(run("feedback", digit, "--correct", "9").exception, LockedStoreError)
    assert (WriterError.exit_status, ConflictError.exit_status, LockedStoreError.exit_status) == (2, 1, 1)


def test_a_table_brings_many_and_says_how_many_it_could_not(run: Run, device: Path, digit: Path) -> None:
    table = digit.parent / "corrections.csv"
    table.write_text(f"image,read,correct,writer\n{digit.name},4,9,{WRITER}\n{digit.name},4,4,\nnone.png,1,7,\n")
    done = run("feedback", "--csv", table, "--json")
    assert json.loads(done.stdout) == {"kept": 2, "known": 0, "refused": 1}
    assert (done.exit_code, "none.png" in done.stderr) == (2, True)
    assert stored(device) == [("correction", "9"), ("confirmation", "4")]
    table.write_text("image,label\na.png,9\n")
    assert isinstance(run("feedback", "--csv", table).exception, SettingError)


@pytest.mark.usefixtures("device")
def test_a_table_that_is_not_there_is_told_from_one_that_is_none(run: Run, tmp_path: Path) -> None:
    missing = run("feedback", "--csv", tmp_path / "nosuch.csv").exception
    assert isinstance(missing, SettingError)
    assert "nosuch.csv: cannot be read (No such file or directory)" in str(missing)
    (tmp_path / "latin.csv").write_bytes(b"image\n\xe9.png\n")
    assert "save it as CSV in UTF-8" in str(run("feedback", "--csv", tmp_path / "latin.csv").exception)


def test_who_is_named_later_takes_the_picture_along_when_forgotten(run: Run, device: Path, digit: Path) -> None:
    from datetime import UTC, datetime

    run("feedback", digit, "--read", "4", "--correct", "7")
    run("feedback", digit, "--read", "4", "--correct", "7", "--writer", WRITER)
    with Store.open(store_in(device)) as store:
        assert [(writer.name, writer.samples) for writer in store.writers()] == [(WRITER, 1)]
        assert store.forget(WRITER, now=datetime.now(UTC))[0].samples == 1
    assert stored(device) == []
