"""`handfed alerts`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result
from typer.testing import CliRunner

from handfed.server.alerts.cli import commands
from handfed.server.alerts.service import AlertRecord
from handfed.server.alerts.settings import AlertFiles
from handfed.server.alerts.values import Channel
from handfed.server.attention.service import AttentionReading
from handfed.server.audit.service import AuditLog
from handfed.server.database import open_database
from handfed.server.people.principals import Principal
from handfed.server.runs.schemas import RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.data_directory import database_url
from handfed.shared.errors import SettingError

WEBHOOK: Final[tuple[Channel, ...]] = ("webhook",)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory of a server that was started once."""
    open_database(database_url(tmp_path / "data", None)).close()
    return tmp_path / "data"


def run(data: Path, *arguments: object, typed: str | None = None) -> Result:
    given = [str(argument) for argument in (*arguments, "--data-dir", data)]
    return CliRunner().invoke(commands, given, input=typed)


def answer(data: Path, *arguments: object) -> Any:
    result = run(data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def error_of(data: Path, *arguments: object) -> BaseException | None:
    return run(data, *arguments).exception


def test_what_is_set_is_shown_without_a_secret(data: Path) -> None:
    result = run(
        data,
        *("set", "--webhook", "https://hooks.example/s3cret", "--mail", "ada@example.org", "--smtp", "mail.example"),
        *("--smtp-user", "ada", "--device-away", "24h"),
        typed="correct horse\n",
    )
    assert result.exit_code == 0, result.output
    files = AlertFiles(data)
    assert files.password() == "correct horse"
    shown = answer(data, "show")
    assert shown["webhook"]["origin"] == "https://hooks.example"
    assert (shown["mail"]["server"], shown["mail"]["from"]) == ("mail.example:587", "ada@example.org")
    assert shown["away_s"] == 86_400
    for said in (result.output, json.dumps(shown), run(data, "show").output):
        assert not [secret for secret in ("s3cret", "correct horse", files.secret().decode()) if secret in said]


def test_what_is_not_named_stays(data: Path) -> None:
    answer(data, "set", "--mail", "ada@example.org", "--mail", "ed@example.org", "--smtp", "mail.example:2525")
    answer(data, "set", "--webhook", "https://hooks.example/x")
    found = answer(data, "set", "--device-away", "2d")
    assert found["mail"]["to"] == ["ada@example.org", "ed@example.org"]
    assert found["mail"]["server"] == "mail.example:2525"
    assert found["webhook"] is not None
    assert answer(data, "set", "--webhook", "")["webhook"] is None
    assert answer(data, "set", "--mail", "")["mail"] is None


def test_secrets_come_from_files(data: Path, tmp_path: Path) -> None:
    for name, content in (("key", "of the receiver\n"), ("password", "correct horse\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    answer(data, "set", "--webhook", "https://hooks.example/x", "--webhook-secret-file", tmp_path / "key")
    mail = ("--mail", "ada@example.org", "--smtp", "mail.example", "--smtp-user", "ada")
    answer(data, "set", *mail, "--smtp-password-file", tmp_path / "password")
    files = AlertFiles(data)
    assert (files.secret(), files.password()) == (b"of the receiver", "correct horse")
    (tmp_path / "key").write_text("\n", encoding="utf-8")
    refused = error_of(data, "set", "--webhook-secret-file", tmp_path / "key")
    assert "is empty" in str(refused)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mail", "ada@example.org"), "both --mail TO and --smtp HOST"),
        (("--smtp", "mail.example"), "both --mail TO and --smtp HOST"),
        (
            ("--webhook", "ftp://a.example"),
            "--webhook cannot be used: a webhook's address begins with https:// or http://",
        ),
        (
            ("--mail", "ada", "--smtp", "mail.example"),
            "--mail cannot be used: a mail address has the form name@example.org",
        ),
        (("--mail", "a@b.example", "--smtp", "mail.example", "--smtp-security", "ssl"), "starttls, tls, none"),
        (("--device-away", "soon"), "span of time"),
        (("--device-away", "10s"), "--device-away must be from 2 minutes to a year"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(data: Path, arguments: tuple[str, ...], said: str) -> None:
    refused = error_of(data, "set", *arguments)
    assert isinstance(refused, SettingError)
    assert said in str(refused)
    assert not AlertFiles(data).folder.exists()


def test_a_change_is_in_the_audit_log_without_a_secret(data: Path) -> None:
    answer(data, "set", "--webhook", "https://hooks.example/s3cret", "--mail", "a@b.example", "--smtp", "mail.example")
    with open_database(database_url(data, None)) as database:
        (entry,) = AuditLog(database).list(Principal("Ada", "admin")).items
    assert (entry.verb, entry.object) == ("set", "alerts")
    assert "s3cret" not in str(entry.detail)
    assert "a@b" not in str(entry.detail)


def test_a_test_really_goes_to_both(data: Path, receiver: Any, mailbox: Any) -> None:
    smtp = ("--smtp", f"127.0.0.1:{mailbox.port}", "--smtp-security", "none")
    answer(data, "set", "--webhook", receiver.url, "--mail", "ada@example.org", *smtp)
    assert answer(data, "test") == {"taken": {"mail": None, "webhook": None}}
    assert len(receiver.posted) == len(mailbox.mails) == 1


def test_a_test_that_is_not_taken_says_why_and_ends_with_1(data: Path, receiver: Any) -> None:
    receiver.status = 404
    answer(data, "set", "--webhook", receiver.url)
    result = run(data, "test")
    assert result.exit_code == 1
    assert "webhook: not taken: the webhook answered 404" in result.output


def test_a_test_without_a_channel_says_how_to_set_one(data: Path) -> None:
    assert "handfed alerts set" in str(error_of(data, "test"))


def test_what_is_open_and_how_it_goes_is_shown_and_another_address_is_told_anew(data: Path, receiver: Any) -> None:
    answer(data, "set", "--webhook", receiver.url)
    with open_database(database_url(data, None)) as database:
        runs = RunRecord(database)
        runs.fail(runs.start(RunStart("digits", "cnn", "fedavg", 7, {}, 3, "federation")), "it broke")
        record = AlertRecord(database, AttentionReading())
        record.look(WEBHOOK, AlertFiles(data).load().away)
        record.failed("webhook", "the webhook answered 500")
    shown = run(data, "show").output
    assert "Run 1 of digits failed" in shown
    assert "failures: 1" in shown
    assert "the webhook answered 500" in shown
    answer(data, "set", "--device-away", "3d")  # which tries again at once
    with open_database(database_url(data, None)) as database:
        record = AlertRecord(database, AttentionReading())
        record.delivered("webhook", record.due("webhook"))
        answer(data, "set", "--webhook", f"{receiver.url}/2")
        record.look(WEBHOOK, AlertFiles(data).load().away)
        assert len(record.due("webhook")) == 1


def test_a_directory_without_a_server_is_refused(tmp_path: Path) -> None:
    refused = error_of(tmp_path, "set", "--webhook", "https://hooks.example/x")
    assert "no server was ever started" in str(refused)
    assert not AlertFiles(tmp_path).folder.exists()
