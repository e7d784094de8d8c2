"""From a printed form to handwriting in the store, as a person meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from handfed.clients.device.cli import commands
from handfed.shared.errors import DatasetError, ImageError, MissingExtraError, SettingError, WriterError

from .conftest import Form, MakeForm

RUN = CliRunner()


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(tmp_path / "device"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("HANDFED_PASSPHRASE_FILE", raising=False)
    return tmp_path / "device"


@pytest.fixture(scope="module")
def scan(form: MakeForm, tmp_path_factory: pytest.TempPathFactory) -> tuple[Form, Path]:
    """A form and a scan of it, which lies upside down."""
    made = form()
    file = tmp_path_factory.mktemp("scans") / "upside-down.png"
    Image.fromarray(made.filled.picture).reduce(2).rotate(180).save(file)
    return made, file


def run(*arguments: object) -> Result:
    return RUN.invoke(commands, [str(each) for each in arguments])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def answer(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done(*arguments, "--json"))
    return found


def test_what_is_written_on_a_form_comes_into_the_store_with_its_labels(scan: tuple[Form, Path]) -> None:
    form, file = scan
    told = done("import-scan", file, "--consent", "given", "--label", "Year 3", "--side", "held-out")
    (kind,) = answer("samples")["kinds"]
    labels = list(form.written().values())
    assert f"{kind['held_out']} samples of 1 writer are import 1." in told
    assert kind["held_out"] >= len(labels) - 1
    assert all(kind["classes"][label] <= labels.count(label) for label in kind["classes"])
    (writer,) = answer("writers")["writers"]
    assert (writer["name"], writer["consent"]) == ("Zoë Müller", "given")
    (imported,) = answer("samples")["imports"]
    assert (imported["source"], imported["task"]) == ("Year 3", "characters")


def test_the_same_page_brings_nothing_twice_however_it_is_photographed(scan: tuple[Form, Path], tmp_path: Path) -> None:
    first = answer("import-scan", scan[1])["imported"]
    other = tmp_path / "photo.jpg"
    other.write_bytes(scan[0].photograph(seed=5).file)
    for again in (scan[1], other):
        imported = answer("import-scan", again)["imported"]
        assert imported["samples"] <= 1  # one that the first picture did not show well enough
        assert imported["duplicates"] >= first["samples"] - 1


def test_a_dry_run_shows_all_and_takes_nothing(scan: tuple[Form, Path], device: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "contact.png"
    told = done("import-scan", scan[1], "--dry-run", "--contact-sheet", sheet)
    for expected in ("upside-down.png", scan[0].page.name, "Zoë Müller", "kept", "this was a dry run"):
        assert expected in told
    assert not device.exists()
    with Image.open(sheet) as drawn:
        assert drawn.width > 1000
    assert sheet.stat().st_mode & 0o077 == 0
    found = answer("import-scan", scan[1], "--dry-run", "--leave-out", "1", "--leave-out", 2)
    (page,) = found["pages"]
    assert found["imported"] is None
    assert page["left_out"] == 2
    assert sum(page[each] for each in ("kept", "empty", "crossed_out", "over_the_edge", "left_out")) == page["boxes"]
    assert "Zo" not in json.dumps(found)


def test_a_forgotten_writer_s_forms_are_passed_over(scan: tuple[Form, Path]) -> None:
    done("import-scan", scan[1])
    done("forget", "Zoë Müller", "--yes")
    assert isinstance(run("import-scan", scan[1]).exception, WriterError)
    done("import-scan", scan[1], "--again")
    assert len(answer("writers")["writers"]) == 1


def test_a_writer_is_named_once(scan: tuple[Form, Path], form: MakeForm, tmp_path: Path) -> None:
    refused = run("import-scan", scan[1], "--writer", "Bob").exception
    assert isinstance(refused, DatasetError)
    assert "says who wrote what" in str(refused)
    nameless = tmp_path / "nameless.png"
    Image.fromarray(form(writer="").filled.picture).reduce(2).save(nameless)
    done("import-scan", nameless, "--writer", "Bob")
    assert [each["name"] for each in answer("writers")["writers"]] == ["Bob"]


def test_nothing_is_imported_when_one_picture_cannot_be_used(
    scan: tuple[Form, Path], device: Path, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((900, 700), 240, np.uint8)).save(blank)
    refused = run("import-scan", scan[1], blank).exception
    assert isinstance(refused, ImageError)
    assert "blank.png" in str(refused)
    assert "Zo" not in str(refused)
    assert not device.exists()


def test_a_class_list_gets_a_form_for_each(tmp_path: Path) -> None:
    names = tmp_path / "class.txt"
    names.write_text("Zoë\nBob\n", encoding="utf-8")
    file = tmp_path / "forms.pdf"
    told = done("sheet", file, "--alphabet", "alphanumeric", "--writers", names, "--writer", "Ada", "--paper", "letter")
    assert "6 pages for 3 people, 558 boxes" in told
    assert len(pypdfium2.PdfDocument(file)) == 6
    assert file.stat().st_mode & 0o077 == 0


def test_the_same_seed_prints_the_same_form(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("apple\npear\n", encoding="utf-8")
    one, two, other = (tmp_path / f"{number}.pdf" for number in range(3))
    for file in (one, two):
        done("sheet", file, "--words", words, "--seed", 3)
    done("sheet", other, "--task", "digits")
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    with_both = run("sheet", one, "--words", words, "--alphabet", "digits").exception
    assert isinstance(with_both, SettingError)


def test_what_is_missing_is_named_and_an_install_without_it_offers_the_commands(
    scan: tuple[Form, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    for command in (("sheet", tmp_path / "form.pdf", "--task", "digits"), ("import-scan", scan[1])):
        missing = run(*command).exception
        assert isinstance(missing, MissingExtraError)
        assert "handfed-clients[forms]" in str(missing)
    code = (
        "import sys\n"
        "import handfed.clients.device.cli\n"
        "print([name for name in ('cv2', 'fpdf', 'zxingcpp', 'pypdfium2', 'numpy', 'PIL', 'matplotlib')"
        " if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
