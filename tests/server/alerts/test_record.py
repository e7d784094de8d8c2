"""What began, what is over, and who was told, on record."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text

from handfed.server.alerts.service import GRACE, AlertRecord
from handfed.server.alerts.texts import WORDS, as_json, sentence
from handfed.server.alerts.values import CHANNELS, Channel
from handfed.server.attention.values import KINDS
from handfed.server.runs.schemas import RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import StorageError

HOUR = timedelta(hours=1)
WEBHOOK: Final[tuple[Channel, ...]] = ("webhook",)
MAIL: Final[tuple[Channel, ...]] = ("mail",)
BOTH: Final = CHANNELS


@pytest.fixture
def device(services: Any, admin: Any, join: Any, new_key: Any) -> Any:
    """A device of a school."""
    school = services.organisations.add(admin, "Clinic North").number
    return join(services, services.invitations.invite(admin, school).secret, new_key(), "room 3")


def failed_run(services: Any, clock: Any, error: str = "it broke") -> int:
    record = RunRecord(services.database, clock)
    run = record.start(RunStart("digits", "cnn", "fedavg", 7, {}, 3, "federation"))
    record.fail(run, error)
    return run


def told(record: AlertRecord, channel: Any = "webhook") -> list[tuple[str, str]]:
    """Takes what a channel is to be told, as a channel that works does."""
    messages = record.due(channel)
    if messages:
        record.delivered(channel, messages)
    return [(each.state, each.subject) for each in messages]


def test_a_calm_federation_tells_nobody_of_anything(record: AlertRecord) -> None:
    record.look(BOTH, HOUR)
    assert told(record) == []


def test_a_failed_run_is_told_once_by_every_channel_and_once_when_it_is_made_up_for(
    record: AlertRecord, services: Any, clock: Any
) -> None:
    run = failed_run(services, clock)
    for _ in range(3):
        record.look(BOTH, HOUR)
        clock.forward(minutes=2)
    assert told(record) == [("began", f"run/{run}")]
    assert told(record, "mail") == [("began", f"run/{run}")]
    runs = RunRecord(services.database, clock)
    runs.finish(runs.start(RunStart("digits", "cnn", "fedavg", 7, {}, 3, "federation")), {})
    for _ in range(12):
        record.look(BOTH, HOUR)
        clock.forward(minutes=2)
    assert told(record) == [("over", f"run/{run}")]
    assert told(record) == []
    assert record.open() == ()


def test_a_device_is_told_of_by_its_name_when_it_is_away_for_longer_than_is_set(
    record: AlertRecord, clock: Any, device: Any, services: Any
) -> None:
    services.devices.touch([device.node_id])
    clock.forward(minutes=59)
    record.look(BOTH, HOUR)
    assert record.open() == ()
    clock.forward(minutes=2)
    record.look(BOTH, HOUR)
    (message,) = record.open()
    assert sentence(message) == 'Device "room 3" of "Clinic North" was last heard of 2026-05-06 12:30 UTC.'


def test_a_device_that_is_revoked_is_no_longer_away(
    record: AlertRecord, clock: Any, device: Any, services: Any, admin: Any
) -> None:
    clock.forward(hours=2)
    record.look(BOTH, HOUR)
    assert told(record) == [("began", "device/1")]
    services.devices.revoke(admin, device.number)
    record.look(BOTH, HOUR)
    clock.forward(minutes=10)
    record.look(BOTH, HOUR)
    assert told(record) == [("over", "device/1")]


def test_a_device_that_comes_and_goes_is_told_of_once(
    record: AlertRecord, clock: Any, device: Any, services: Any
) -> None:
    """Away for three minutes of every four, where two are an alert."""
    said = []
    for minute in range(60):
        if minute % 4 == 0:
            services.devices.touch([device.node_id])
        record.look(BOTH, timedelta(minutes=2))
        said += told(record)
        clock.forward(minutes=1)
    assert said == [("began", "device/1")]


@pytest.mark.usefixtures("device")
def test_a_server_that_starts_again_tells_nothing_twice(record: AlertRecord, clock: Any, services: Any) -> None:
    run = failed_run(services, clock)
    clock.forward(hours=2)
    record.look(BOTH, HOUR)
    assert told(record) == [("began", "device/1"), ("began", f"run/{run}")]
    clock.forward(minutes=3)
    again = AlertRecord(services.database, services.attention, clock)
    for _ in range(20):
        again.look(BOTH, HOUR)
        assert told(again) == []
        clock.forward(minutes=1)
    assert [each.subject for each in again.open()] == ["device/1", f"run/{run}"]


def test_a_server_that_was_down_for_days_gives_devices_time_to_come_back(
    record: AlertRecord, clock: Any, device: Any, services: Any
) -> None:
    services.devices.touch([device.node_id])
    clock.forward(days=8)
    again = AlertRecord(services.database, services.attention, clock)
    again.look(BOTH, HOUR)
    services.devices.touch([device.node_id])
    clock.forward(seconds=GRACE.total_seconds())
    again.look(BOTH, HOUR)
    assert again.open() == record.open() == ()


def test_what_was_not_taken_stays_and_is_sent_after_a_pause(record: AlertRecord, clock: Any, services: Any) -> None:
    run = failed_run(services, clock)
    record.look(BOTH, HOUR)
    assert len(record.due("webhook")) == 1
    record.failed("webhook", "the webhook answered 500")
    assert record.due("webhook") == ()
    assert len(record.due("mail")) == 1  # the other one waits for nobody
    clock.forward(minutes=1)
    assert len(record.due("webhook")) == 1
    record.failed("webhook", "the webhook answered 500")
    clock.forward(minutes=1)
    assert record.due("webhook") == ()
    assert record.state("webhook").failures == 2
    clock.forward(minutes=1)
    assert told(record) == [("began", f"run/{run}")]
    assert (record.state("webhook").failures, record.state("webhook").error) == (0, None)


def test_what_began_and_was_over_while_a_channel_was_away_is_told_in_order(
    record: AlertRecord, clock: Any, device: Any, services: Any
) -> None:
    clock.forward(hours=2)
    record.look(BOTH, HOUR)
    record.failed("webhook", "away")
    services.devices.touch([device.node_id])
    for _ in range(12):
        record.look(BOTH, timedelta(days=1))
        clock.forward(minutes=1)
    assert told(record) == [("began", "device/1"), ("over", "device/1")]


def test_a_school_that_loses_its_network_is_one_message(
    record: AlertRecord, clock: Any, services: Any, admin: Any, join: Any, new_key: Any
) -> None:
    school = services.organisations.add(admin, "Clinic North").number
    for _ in range(5):
        join(services, services.invitations.invite(admin, school).secret, new_key())
    clock.forward(hours=2)
    record.look(BOTH, HOUR)
    assert len(told(record)) == 5


def test_a_channel_is_told_once_a_minute_at_most(record: AlertRecord, clock: Any, services: Any) -> None:
    failed_run(services, clock)
    record.look(BOTH, HOUR)
    assert len(told(record)) == 1
    failed_run(services, clock)
    record.look(BOTH, HOUR)
    assert told(record) == []
    clock.forward(minutes=1)
    assert len(told(record)) == 1


def test_a_channel_that_is_set_later_is_told_of_what_is_open(record: AlertRecord, clock: Any, services: Any) -> None:
    run = failed_run(services, clock)
    record.look(WEBHOOK, HOUR)
    assert record.due("mail") == ()
    record.look(BOTH, HOUR)
    assert told(record, "mail") == [("began", f"run/{run}")]


def test_who_takes_the_place_of_another_is_told_of_what_is_open(record: AlertRecord, clock: Any, services: Any) -> None:
    run = failed_run(services, clock)
    record.look(BOTH, HOUR)
    assert len(told(record)) == 1
    record.begin_anew("webhook")
    record.look(BOTH, HOUR)
    assert told(record) == [("began", f"run/{run}")]


def test_what_waits_for_a_channel_that_is_no_longer_set_is_dropped(
    record: AlertRecord, clock: Any, services: Any
) -> None:
    failed_run(services, clock)
    record.look(BOTH, HOUR)
    clock.forward(minutes=2)
    failed_run(services, clock)
    record.look(MAIL, HOUR)
    assert record.state("webhook").waiting == 0
    assert record.state("mail").waiting == 2


def test_where_no_channel_is_set_nothing_is_looked_at(record: AlertRecord, clock: Any, services: Any) -> None:
    failed_run(services, clock)
    record.look((), HOUR)
    assert record.open() == ()


def test_what_is_long_over_is_deleted(record: AlertRecord, clock: Any, services: Any) -> None:
    failed_run(services, clock)
    for _ in range(2):  # a week later it is shown no more
        record.look(BOTH, HOUR)
        clock.forward(days=8)
    record.look(BOTH, HOUR)
    clock.forward(days=91)
    failed_run(services, clock)
    record.look(BOTH, HOUR)
    with services.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM alerts")) == 1


def test_no_matter_has_two_open_alerts(record: AlertRecord, clock: Any, services: Any) -> None:
    """Two servers by mistake: the database holds the rule."""
    failed_run(services, clock)
    record.look(BOTH, HOUR)
    columns = "kind, subject, about, since, began_at"
    again = text(f"INSERT INTO alerts ({columns}) SELECT {columns} FROM alerts")  # noqa: S608 - names of ours
    with pytest.raises(StorageError), services.database.write() as session:
        session.execute(again)


def test_everything_that_is_told_has_words() -> None:
    assert set(WORDS) == {*KINDS, "test"} - {"updates-rejected"}


def test_why_a_run_failed_is_not_told(record: AlertRecord, clock: Any, services: Any) -> None:
    failed_run(services, clock, "device 18446744073709551615 sent /home/ada/pages/anna.png")
    record.look(BOTH, HOUR)
    body = json.loads(as_json(record.due("webhook"), "server.example", clock()))
    assert body["alerts"][0]["about"] == {"task": "digits"}
    assert not [word for word in ("anna", "1844674407", "home") if word in json.dumps(body)]


def test_the_shape_of_the_body_is_that_of_the_page(record: AlertRecord, clock: Any, services: Any) -> None:
    failed_run(services, clock)
    record.look(BOTH, HOUR)
    body = json.loads(as_json(record.due("webhook"), "server.example", clock()))
    page = (Path(__file__).resolve().parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
    for name in (*body, *body["alerts"][0]):
        assert f'"{name}"' in page, name
    for kind in WORDS:
        assert f"`{kind}`" in page, kind
