"""The commands about a device's handwriting, as a person meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from handfed.clients.device.cli import commands
from handfed.shared.errors import DatasetError, LockedStoreError, SettingError, StorageError, WriterError

RUN = CliRunner()
HEAVY = ("tensorflow", "tf_keras", "flwr", "fastapi", "sqlalchemy", "matplotlib")
LIGHT = (*HEAVY, "numpy", "PIL", "cryptography", "sqlite3")


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(tmp_path / "device"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("HANDFED_PASSPHRASE_FILE", raising=False)
    return tmp_path / "device"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six digits of two writers."""
    drawn = np.zeros((6, 20, 20), np.uint8)
    for row, picture in enumerate(drawn):
        picture[3 : 8 + row, 8 : 10 + row % 3] = 255
    path = tmp_path / "secret-folder.npz"
    writer = np.array(["Zoltana", "Zoltana", "[bold]Ada", "Zoltana", "Zoltana", "[bold]Ada"])
    np.savez(path, allow_pickle=False, x=drawn, y=[0, 1, 2, 0, 1, 2], writer=writer)
    return path


def run(*arguments: object, typed: str | None = None) -> Result:
    return RUN.invoke(commands, [str(each) for each in arguments], input=typed)


def done(*arguments: object, typed: str | None = None) -> str:
    result = run(*arguments, typed=typed)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def answer(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done(*arguments, "--json"))
    return found


@pytest.mark.usefixtures("device")
def test_what_is_imported_is_counted(pictures: Path) -> None:
    assert "6 samples of 2 writers are import 1." in done("import", pictures, "--label", "Year 3")
    assert "6 were there already" in done("import", pictures)
    shown = done("samples")
    for expected in ("characters, 28 pixels high", "0 2  1 2  2 2", "Year 3", "Writers: 2 (consent: 2 unknown)"):
        assert expected in shown
    assert "secret-folder" not in shown
    assert "Encrypted: no" in shown
    held = answer("samples")
    (kind,) = held["kinds"]
    assert kind["training"] + kind["held_out"] == 6
    assert kind["classes"] == {"0": 2, "1": 2, "2": 2}
    assert (held["encrypted"], held["erased"], held["forgotten"]) == (False, True, 0)


@pytest.mark.usefixtures("device")
def test_what_nobody_labelled_is_taken_in_and_counted_apart(pictures: Path) -> None:
    said = done("import", pictures, "--unlabelled", "--side", "training", "--label", "a box")
    assert "5 samples of 2 writers are import 1" in said  # two of the six look alike
    held = answer("samples")
    assert (held["unlabelled"], held["kinds"], held["imports"][0]["left"]) == (5, [], 5)
    assert "Without a label: 5 pictures" in done("samples")
    assert answer("import", pictures, "--unlabelled", "--side", "training")["duplicates"] == 6
    of = {writer["name"]: (writer["samples"], writer["unlabelled"]) for writer in answer("writers")["writers"]}
    assert of["Zoltana"][0] == 0
    assert sum(without for _, without in of.values()) == 5
    assert "training" in done("writers")
    done("consent", "Zoltana", "withdrawn")
    assert answer("samples")["unlabelled_unusable"] == of["Zoltana"][1]
    assert f"{of['Zoltana'][1]} not used, for consent" in done("samples")
    assert f"Delete {of['Zoltana'][1]} samples of Zoltana for good?" in run("forget", "Zoltana", typed="n\n").stderr
    answer("forget", "Zoltana", "--yes")
    assert answer("samples")["unlabelled"] == 5 - of["Zoltana"][1]


@pytest.mark.usefixtures("device")
def test_of_who_is_held_out_nothing_without_a_label_is_kept_and_that_is_said(pictures: Path) -> None:
    done("import", pictures, "--side", "held-out")
    said = done("import", pictures, "--unlabelled")
    assert "Nothing is new" in said
    assert "6 without a label are on the side that is held out" in " ".join(said.split())
    with pytest.raises(SettingError, match="single characters"):
        RUN.invoke(commands, ["import", str(pictures), "--unlabelled", "--task", "words"], catch_exceptions=False)


@pytest.mark.usefixtures("device")
def test_a_store_with_an_empty_side_says_so(pictures: Path) -> None:
    done("import", pictures, "--task", "digits")
    (kind,) = answer("samples")["kinds"]
    one_sided = 0 in (kind["training"], kind["held_out"])
    assert ("import another writer with --side" in done("samples")) is one_sided


def test_the_path_of_what_was_imported_is_not_kept(device: Path, pictures: Path) -> None:
    done("import", pictures)
    content = b"".join(path.read_bytes() for path in device.rglob("*") if path.is_file())
    assert b"secret" not in content
    assert b"Zoltana" in content


@pytest.mark.usefixtures("device")
def test_writers_are_listed_as_they_are_called_with_their_consent(pictures: Path) -> None:
    done("import", pictures, "--consent", "given", "--by", "Head")
    assert "may be used" in done("consent", "Zoltana", "given")
    withdrawn = done("consent", "[bold]Ada", "withdrawn", "--by", "Secretary")
    assert "not used from the next round on" in withdrawn
    assert "models that were published" in withdrawn
    listed = {each["name"]: each for each in answer("writers")["writers"]}
    assert (listed["[bold]Ada"]["consent"], listed["[bold]Ada"]["noted_by"]) == ("withdrawn", "Secretary")
    assert (listed["Zoltana"]["consent"], listed["Zoltana"]["samples"]) == ("given", 4)
    assert "[bold]Ada" in done("writers")


@pytest.mark.usefixtures("device")
def test_consent_may_be_required(pictures: Path) -> None:
    done("import", pictures)
    assert "no" in done("settings")
    assert "yes" in done("settings", "--require-consent")
    shown = done("samples")
    assert "6 not used, for want of consent" in shown
    assert "Consent is required." in shown
    done("settings", "--no-require-consent")
    assert "not used" not in done("samples")


def test_forgetting_asks_first_and_is_honest_about_what_remains(device: Path, pictures: Path) -> None:
    done("import", pictures)
    refused = run("forget", "Zoltana", typed="n\n")
    assert refused.exit_code == 1
    assert "Delete 4 samples of Zoltana for good?" in refused.stderr
    assert len(answer("writers")["writers"]) == 2
    said = done("forget", "Zoltana", typed="y\n")
    for expected in (
        "4 samples and the name are erased from this device's disk",
        "no later round",
        "keyed hash",
        "backups",
        "models that were published",
    ):
        assert expected in said
    assert not [path for path in device.rglob("*") if path.is_file() and b"Zoltana" in path.read_bytes()]
    assert "4 samples of 1 forgotten writer were passed over" in done("import", pictures)
    assert "4 samples of 2 writers are import" in done("import", pictures, "--again")


@pytest.mark.usefixtures("device")
def test_who_wrote_what_may_be_said_later_and_that_is_told(pictures: Path) -> None:
    with np.load(pictures) as arrays:
        np.savez(pictures, allow_pickle=False, x=arrays["x"], y=arrays["y"])
    done("import", pictures)
    assert answer("import", pictures)["attributed"] == 0
    said = done("import", pictures, "--writer", "Eve Poe", "--consent", "given")
    assert "Nothing is new" in said
    assert "6 were there without a writer's name, and are of the writers of this import now" in said
    (eve,) = answer("writers")["writers"]
    assert (eve["name"], eve["consent"], eve["samples"]) == ("Eve Poe", "given", 6)
    assert answer("forget", "Eve Poe", "--yes")["samples"] == 6


@pytest.mark.usefixtures("device")
def test_forgetting_as_json_is_one_object(pictures: Path) -> None:
    done("import", pictures)
    assert answer("forget", "Zoltana", "--yes") == {"samples": 4, "imports": 0, "erased": True}
    assert isinstance(run("forget", "Zoltana", "--yes").exception, WriterError)


def test_encrypting_decrypting_and_changing_the_passphrase(
    device: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("import", pictures)
    (tmp_path / "old").write_text("three small rivers\n")
    (tmp_path / "new").write_text("four larger rivers\n")
    assert "Keep the passphrase" in done("encrypt", "--new-passphrase-file", tmp_path / "old")
    assert not [path for path in device.rglob("*") if path.is_file() and b"Zoltana" in path.read_bytes()]
    assert isinstance(run("samples").exception, LockedStoreError)
    monkeypatch.setenv("HANDFED_PASSPHRASE_FILE", str(tmp_path / "old"))
    assert "Encrypted: yes, opened by a passphrase" in done("samples")
    assert "encrypted already" in done("encrypt", "--new-passphrase-file", tmp_path / "new")
    done("passphrase", "--new-passphrase-file", tmp_path / "new")
    assert isinstance(run("samples").exception, LockedStoreError)
    monkeypatch.setenv("HANDFED_PASSPHRASE_FILE", str(tmp_path / "new"))
    assert "no longer encrypted" in done("decrypt")
    monkeypatch.delenv("HANDFED_PASSPHRASE_FILE")
    assert "Encrypted: no" in done("samples")
    assert isinstance(run("passphrase").exception, SettingError)


@pytest.mark.usefixtures("device")
def test_a_new_passphrase_is_typed_twice_and_never_shown(pictures: Path) -> None:
    done("import", pictures)
    differing = run("encrypt", typed="three small rivers\nthree small riverz\n")
    assert differing.exit_code == 1
    assert "Encrypted: no" in done("samples")
    result = run("encrypt", typed="three small rivers\nthree small rivers\n")
    assert result.exit_code == 0
    assert "rivers" not in result.output


def test_data_names_another_folder(device: Path, pictures: Path, tmp_path: Path) -> None:
    done("import", pictures, "--data", tmp_path / "other")
    assert answer("samples", "--data", tmp_path / "other")["imports"][0]["left"] == 6
    assert not device.exists()
    assert isinstance(run("samples").exception, StorageError)
    assert not device.exists()


def test_a_folder_that_was_there_before_keeps_its_mode_and_the_store_in_it_is_private(
    device: Path, pictures: Path
) -> None:
    device.mkdir()
    device.chmod(0o755)
    done("import", pictures)
    assert device.stat().st_mode & 0o777 == 0o755
    assert (device / "store").stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_read_is_refused_before_there_is_a_store(device: Path, tmp_path: Path) -> None:
    assert isinstance(run("import", tmp_path / "nothing").exception, DatasetError)
    assert run("consent", "Zoltana", "perhaps").exit_code == 2
    assert not device.exists()


def in_a_process(*arguments: object, environment: dict[str, str]) -> list[str]:
    """Runs the commands, and says which of `LIGHT` they have imported."""
    program = (
        f"import sys, json\nfrom handfed.clients.device.cli import commands\n"
        f"try:\n    commands({[str(each) for each in arguments]!r})\n"
        f"finally:\n    print(json.dumps(sorted(set({LIGHT!r}) & set(sys.modules))), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    found: list[str] = json.loads(result.stderr.splitlines()[-1])
    return found


def test_help_imports_nothing_heavy_and_no_command_imports_tensorflow_or_flower(
    device: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "words").write_text("three small rivers\n")
    environment = {"HANDFED_DEVICE_DIR": str(device), "HANDFED_PASSPHRASE_FILE": str(tmp_path / "words")}
    assert in_a_process("import", "--help", environment=environment) == []
    used = in_a_process("import", pictures, environment=environment)
    used += in_a_process("encrypt", "--new-passphrase-file", tmp_path / "words", environment=environment)
    used += in_a_process("samples", environment=environment)
    assert not set(used) & set(HEAVY)
    assert "cryptography" in used


def test_feedback_is_set_and_counted_apart(device: Path, pictures: Path) -> None:
    from datetime import UTC, datetime

    from handfed.clients.device.store.feedback import Feedback, give
    from handfed.clients.device.store.store import Store

    done("import", pictures)
    assert "keep feedback: always" in done("settings")
    shown = done("settings", "--keep-feedback", "30", "--confirm", "2.5", "--no-feedback")
    assert ("feedback: no" in shown, "30 days" in shown, "confirm: 2.5 %" in shown) == (True, True, True)
    assert "feedback: yes" in done("settings", "--feedback")
    assert "30 days" in done("settings")
    for wrong in (("--confirm", "101"), ("--keep-feedback", "ever")):
        assert run("settings", *wrong).exception is not None
    with Store.open(device / "store") as store:
        for number, picked in enumerate((False, True)):
            image = np.full((28, 28), number, np.uint8)
            give(store, Feedback("characters", image, "4", "9", picked=picked), by="me", now=datetime.now(UTC))
    assert "of it feedback: 1 of people's own accord; 1 picked at random" in done("samples")
    held = answer("samples")
    (kind,) = held["kinds"]
    assert (kind["feedback"], kind["picked"], kind["set_apart"], kind["doubted"]) == (1, 1, 0, 0)
    assert [each["number"] for each in held["imports"]] == [1]
