"""`handfed invite`, `devices`, `organisations`, `tokens` and `audit`, over one data directory."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from handfed.server.audit.cli import audit
from handfed.server.devices.cli import devices, invite
from handfed.server.people.cli import organisations, tokens
from handfed.server.runs.schemas import DeviceResult, Rejection, RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import ConflictError, HandfedError, NotFoundError, SettingError, StorageError
from handfed.shared.invitation import Invitation

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


def _commands() -> typer.Typer:
    app = typer.Typer()
    app.command("invite")(invite)
    app.command("audit")(audit)
    for name, group in (("devices", devices), ("organisations", organisations), ("tokens", tokens)):
        app.add_typer(group, name=name)
    return app


@pytest.fixture
def handfed(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command over the data directory of `world`; raises the error that it ends with."""
    monkeypatch.delenv("HANDFED_DATA_DIR", raising=False)
    monkeypatch.delenv("HANDFED_DATABASE", raising=False)
    monkeypatch.setenv("HANDFED_ADDRESS", "server.example:9000")
    monkeypatch.setenv("COLUMNS", "120")
    app = _commands()

    def run(*words: str, data_dir: Path = world.settings.data_dir) -> Any:
        result = CliRunner().invoke(app, [*words, "--data-dir", str(data_dir)])
        if isinstance(result.exception, HandfedError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return json.loads(result.output) if "--json" in words else result.output

    return run


def test_a_code_holds_what_a_device_needs_and_lets_one_in(handfed: Any, world: Any, new_key: Any, join: Any) -> None:
    made = handfed("invite", "Own", "--expires", "2h", "--max-samples", "500", "--name", "Room 12", "--json")
    invitation = Invitation.decode(made["code"])
    assert invitation.address == "server.example:9000"
    assert made["invitation"]["max_samples"] == 500
    device = join(world.services, invitation.secret, new_key())
    assert (device.organisation, device.name) == (1, "Room 12")


def test_a_code_is_shown_on_one_line_as_the_command_to_type(handfed: Any) -> None:
    *_, last = handfed("invite", "Own").strip().splitlines()
    assert last.startswith("handfed join handfed-1-")
    Invitation.decode(last.removeprefix("handfed join "))


def test_who_is_invited_first_makes_their_organisation(handfed: Any) -> None:
    assert "Clinic North is new: it is organisation 3." in handfed("invite", "Clinic  North")
    assert "is new" not in handfed("invite", "Clinic North")
    names = [one["name"] for one in handfed("organisations", "list", "--json")["organisations"]]
    assert names == ["Own", "Other", "Clinic North"]


def test_nothing_is_written_where_no_server_was_started(handfed: Any, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for words in (["invite", "A"], ["devices", "list"], ["organisations", "add", "A"], ["tokens", "list"], ["audit"]):
        with pytest.raises(SettingError, match="no server was ever started"):
            handfed(*words, data_dir=nowhere)
    assert not nowhere.exists()


def test_without_a_certificate_nobody_is_invited(handfed: Any, world: Any) -> None:
    world.settings.authority.unlink()
    before = handfed("audit", "--json")
    with pytest.raises(StorageError, match="handfed serve"):
        handfed("invite", "New")
    assert handfed("audit", "--json") == before


@pytest.mark.parametrize("wrong", [("--expires", "0h"), ("--max-samples", "-5"), ("--name", " ")])
def test_an_invitation_that_cannot_be_makes_no_organisation(handfed: Any, wrong: tuple[str, str]) -> None:
    before = handfed("audit", "--json")
    with pytest.raises(SettingError):
        handfed("invite", "New", *wrong)
    assert handfed("audit", "--json") == before
    assert [one["name"] for one in handfed("organisations", "list", "--json")["organisations"]] == ["Own", "Other"]


def test_devices_are_listed_shown_renamed_and_revoked(handfed: Any) -> None:
    found = handfed("devices", "list", "--json")["devices"]
    assert [one["number"] for one in found] == [1, 2]
    assert [one["number"] for one in handfed("devices", "list", "--organisation", "Other", "--json")["devices"]] == [2]
    assert handfed("devices", "rename", "1", "Room 12", "--json")["device"]["name"] == "Room 12"
    assert "Room 12" in handfed("devices", "list")
    shown = handfed("devices", "show", "1")
    assert "Room 12" in shown
    assert found[0]["fingerprint"] in shown
    assert "revoked" in handfed("devices", "revoke", "1")
    assert [one["number"] for one in handfed("devices", "list", "--state", "revoked", "--json")["devices"]] == [1]
    with pytest.raises(NotFoundError, match="no device 9"):
        handfed("devices", "show", "9")
    with pytest.raises(NotFoundError, match="no organisation Nobody"):
        handfed("devices", "list", "--organisation", "Nobody")


def test_a_device_is_shown_with_what_it_did_in_each_run(handfed: Any, world: Any) -> None:
    record = RunRecord(world.services.database)
    node = int(handfed("devices", "show", "1", "--json")["device"]["node_id"])
    for _ in range(11):
        run = record.start(RunStart("digits", "cnn", "fedavg", 7, {}, 2, "federation"))
        devices, late = (DeviceResult(node, 1200, bytes_up=2_500_000),), (Rejection(node, "no-reply", "late"),)
        record.add_round(run, RoundResult(1, "float", NOON, 1.0, 1.0, 2, 1, 1200, devices=devices))
        record.add_round(run, RoundResult(2, "float", NOON, 1.0, 1.0, 2, 0, 0, rejections=late))
        record.stop(run)
    history = handfed("devices", "show", "1", "--json")["history"]
    assert [one["run"] for one in history] == list(range(run, run - 11, -1))
    assert (history[0]["rounds"], history[0]["accepted"], history[0]["late"]) == (2, 1, 1)
    rows = [line.split() for line in handfed("devices", "show", "1").splitlines()]
    table = [row for row in rows if row and row[0].isdigit()]
    assert len(table) == 10
    assert (table[0][0], table[0][-7:]) == (str(run), ["2", "1", "1", "0", "1,200", "2.5", "MB"])
    assert handfed("devices", "show", "2", "--json")["history"] == []
    assert "Asked" not in handfed("devices", "show", "2")


def test_a_revocation_at_the_console_is_left_to_the_running_server(handfed: Any, world: Any) -> None:
    handfed("devices", "revoke", "1")
    registry: Any = world.services.registrar._registry
    assert len(registry.keys) == 2
    world.services.registrar.reconcile()
    assert len(registry.keys) == 1


def test_organisations_are_added_and_renamed(handfed: Any) -> None:
    assert handfed("organisations", "add", "A", "--json")["organisation"]["number"] == 3
    assert "B" in handfed("organisations", "rename", "3", "B")
    assert "B" in handfed("organisations", "list")
    with pytest.raises(ConflictError):
        handfed("organisations", "add", "B")


def test_a_token_that_is_added_lets_in_until_it_is_revoked(handfed: Any, world: Any) -> None:
    options = ["--role", "operator", "--organisation", "Own", "--expires", "30d"]
    made = handfed("tokens", "add", "Ada", *options, "--json")
    world.tokens["ada"] = made["secret"]
    assert world.ask("ada", "GET", "/api/v1/me").json()["organisation"] == 1
    number = str(made["token"]["number"])
    assert "Ada" in handfed("tokens", "list")
    assert made["secret"] not in json.dumps(handfed("tokens", "list", "--json"))
    handfed("tokens", "revoke", number)
    assert world.ask("ada", "GET", "/api/v1/me").status_code == 401
    assert handfed("tokens", "add", "Bob").strip().splitlines()[-1].startswith("hf_")
    with pytest.raises(ConflictError, match="last admin"):
        handfed("tokens", "revoke", "1")


def test_the_log_names_who_sat_at_the_console(handfed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "hypatia")
    handfed("organisations", "add", "A")
    entry = handfed("audit", "--json")["entries"][-1]
    assert (entry["who"], entry["address"], entry["verb"]) == ("hypatia", "console", "add")
    assert "hypatia" in handfed("audit")


def test_the_log_is_shown_from_a_time_on(handfed: Any) -> None:
    assert handfed("audit", "--since", "1h", "--json")["entries"]
    assert handfed("audit", "--since", "2020-01-01", "--json")["entries"]
    assert handfed("audit", "--since", "2999-01-01T00:00", "--json")["entries"] == []
    with pytest.raises(SettingError, match="no time"):
        handfed("audit", "--since", "yesterday")


def test_the_log_is_exported_in_the_form_that_the_file_names(handfed: Any, tmp_path: Path) -> None:
    entries = handfed("audit", "--json")["entries"]
    handfed("audit", "--export", str(tmp_path / "log.jsonl"))
    handfed("audit", "--export", str(tmp_path / "log.csv"))
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [entry["number"] for entry in entries]
    assert (tmp_path / "log.csv").read_bytes().count(b"\r\n") == len(entries) + 1


def test_the_commands_load_nothing_heavy_before_they_run() -> None:
    code = (
        "import sys\n"
        "import handfed.server.audit.cli, handfed.server.devices.cli, handfed.server.people.cli\n"
        "print([name for name in ('fastapi', 'pydantic', 'sqlalchemy', 'cryptography', 'flwr') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
