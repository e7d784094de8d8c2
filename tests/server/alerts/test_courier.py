"""Alerts from the record to a real web server and a real mail server."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handfed.server.alerts import webhook
from handfed.server.alerts.courier import Courier
from handfed.server.alerts.service import AlertRecord
from handfed.server.alerts.settings import AlertFiles, AlertSettings
from handfed.server.runs.schemas import RunStart
from handfed.server.runs.service import RunRecord

START = RunStart("digits", "cnn", "fedavg", 7, {}, 3, "federation")


@pytest.fixture
def both(tmp_path: Path, receiver: Any, mailbox: Any) -> AlertFiles:
    """Both channels are set."""
    mail = {"to": ["ada@example.org"], "sender": "ada@example.org", "host": "127.0.0.1", "port": mailbox.port}
    files = AlertFiles(tmp_path / "data")
    files.folder.parent.mkdir()
    files.save(AlertSettings.of({"webhook": receiver.url, "mail": mail | {"security": "none"}, "away_s": 3600}))
    return files


@pytest.fixture
def courier(record: AlertRecord, both: AlertFiles, clock: Any) -> Courier:
    """What serves, with a clock that stands."""
    return Courier(record, both.folder.parent, "server.example", clock)


def failed_run(services: Any, clock: Any) -> int:
    runs = RunRecord(services.database, clock)
    run = runs.start(START)
    runs.fail(run, "it broke")
    return run


def until(happened: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_failed_run_reaches_both_once_when_it_begins_and_once_when_it_is_over(
    courier: Courier, services: Any, clock: Any, receiver: Any, mailbox: Any, both: AlertFiles
) -> None:
    run = failed_run(services, clock)
    for minute in range(40):
        courier.look()
        courier.send("webhook")
        courier.send("mail")
        if minute == 10:
            runs = RunRecord(services.database, clock)
            runs.finish(runs.start(START), {})
        clock.forward(minutes=1)
    said = [alert for _, _, body in receiver.posted for alert in json.loads(body)["alerts"]]
    assert [(each["state"], each["kind"], each["subject"]) for each in said] == [
        ("began", "run-failed", f"run/{run}"),
        ("over", "run-failed", f"run/{run}"),
    ]
    assert said[0]["began_at"] == said[1]["began_at"]
    assert said[1]["ended_at"] is not None
    assert [mail["Subject"] for mail in mailbox.mails] == [
        "Handfed server.example: 1 in need of attention",
        "Handfed server.example: 1 over",
    ]
    assert f"Over: Run {run} of digits failed" in mailbox.mails[1].get_content()
    assert both.secret().decode() not in str(receiver.posted)


def test_a_webhook_that_is_away_gets_all_of_it_when_it_is_back_and_mail_goes_meanwhile(
    courier: Courier, services: Any, clock: Any, receiver: Any, mailbox: Any
) -> None:
    receiver.status = 503
    runs = [failed_run(services, clock)]
    for minute in range(8):
        courier.look()
        courier.send("webhook")
        courier.send("mail")
        if minute == 3:
            runs.append(failed_run(services, clock))
        clock.forward(minutes=1)
    assert len(mailbox.mails) == 2
    assert len(receiver.posted) == 4  # at once, and after 1, 2 and 4 minutes
    receiver.status, receiver.posted[:] = 204, []
    clock.forward(minutes=8)
    assert courier.send("webhook")
    ((_, _, body),) = receiver.posted
    assert [each["subject"] for each in json.loads(body)["alerts"]] == [f"run/{each}" for each in runs]


def test_a_server_that_starts_again_sends_nothing_twice(
    courier: Courier, services: Any, clock: Any, receiver: Any, both: AlertFiles
) -> None:
    failed_run(services, clock)
    courier.look()
    assert courier.send("webhook")
    clock.forward(minutes=5)
    again = Courier(AlertRecord(services.database, services.attention, clock), both.folder.parent, "x.example", clock)
    again.look()
    assert not again.send("webhook")
    assert len(receiver.posted) == 1


def test_what_was_sent_and_not_noted_is_sent_again_under_the_same_id(
    courier: Courier, record: AlertRecord, services: Any, clock: Any, receiver: Any, monkeypatch: Any
) -> None:
    """The process dies between the two."""
    failed_run(services, clock)
    courier.look()
    with monkeypatch.context() as patched:
        patched.setattr(record, "delivered", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            courier.send("webhook")
    assert courier.send("webhook")
    ids = [json.loads(body)["alerts"][0]["id"] for _, _, body in receiver.posted]
    assert ids == ["1-began", "1-began"]


def test_a_webhook_that_does_not_answer_keeps_neither_mail_nor_the_server_waiting(
    courier: Courier, services: Any, clock: Any, receiver: Any, mailbox: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_S", 600.0)  # it waits as long as the test does
    failed_run(services, clock)
    receiver.answering.clear()
    courier.start()
    try:
        courier.look()
        until(lambda: receiver.posted and mailbox.mails)
        clock.forward(minutes=1)
        failed_run(services, clock)
        courier.look()  # while the webhook holds its thread
        until(lambda: len(mailbox.mails) == 2)
        receiver.answering.set()
        until(lambda: services_told(services))
    finally:
        receiver.answering.set()
        courier.close()


def services_told(services: Any) -> bool:
    return AlertRecord(services.database, services.attention).state("webhook").delivered_at is not None


def test_a_change_of_the_settings_needs_no_restart(
    courier: Courier, services: Any, clock: Any, receiver: Any, both: AlertFiles
) -> None:
    both.save(AlertSettings())
    failed_run(services, clock)
    courier.look()
    assert not courier.send("webhook")
    both.save(AlertSettings.of({"webhook": receiver.url}))
    clock.forward(minutes=1)
    courier.look()
    assert courier.send("webhook")


def test_settings_that_cannot_be_used_and_secrets_that_are_gone_end_nothing(
    courier: Courier, services: Any, clock: Any, both: AlertFiles, record: AlertRecord, caplog: Any
) -> None:
    failed_run(services, clock)
    courier.look()
    both.secret_path.unlink()
    assert not courier.send("webhook")
    assert "webhook-secret is missing" in str(record.state("webhook").error)
    both.settings_path.write_text("{", encoding="utf-8")
    clock.forward(minutes=1)
    with caplog.at_level(logging.WARNING):
        courier.look()
    assert "nobody looks for alerts just now" in caplog.text


def test_the_log_names_no_address_and_no_secret(
    courier: Courier, services: Any, clock: Any, receiver: Any, mailbox: Any, both: AlertFiles, caplog: Any
) -> None:
    receiver.status, mailbox.answer = 500, "550 ada@example.org is unknown"
    failed_run(services, clock)
    secret = both.secret().decode()
    with caplog.at_level(logging.INFO, logger="handfed"):
        courier.look()
        courier.send("webhook")
        courier.send("mail")
    ours = "\n".join(each.getMessage() for each in caplog.records if each.name.startswith("handfed"))
    assert ours.count("is sent again later") == 2
    assert not [each for each in ("s3cret", "ada@", secret, "hooks") if each in ours]
