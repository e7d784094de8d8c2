"""What needs a person, from the one place that says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handfed.server.attention.expiries import AUTHORITY_SOON, SOON, Expiries
from handfed.server.attention.service import SHOWN, AttentionReading
from handfed.server.authority import certificates
from handfed.server.authority.files import authority_in, ensure
from handfed.server.overview.service import OverviewReading
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import PromotionRow
from handfed.server.registry.files import registry_in
from handfed.server.registry.service import Registry
from handfed.server.releases.models import Release
from handfed.server.runs.schemas import RunStart
from handfed.server.runs.service import RunRecord


def needs(services: Any, clock: Any, who: Principal) -> list[tuple[str, str]]:
    with services.database.read() as session:
        found = services.attention.of_federation(session, who, clock())
    return [(each.kind, each.subject) for each in found]


def start(task: str = "digits") -> RunStart:
    return RunStart(task, "cnn", "fedavg", 7, {}, 3, "federation")


def test_a_failed_run_needs_a_person_while_another_goes_on_until_one_of_its_task_is_done(
    services: Any, clock: Any, admin: Principal
) -> None:
    runs = RunRecord(services.database, clock)
    first = runs.start(start())
    runs.fail(first, "it broke")
    second, other = runs.start(start()), runs.start(start("words"))
    runs.finish(other, {})
    assert needs(services, clock, admin) == [("run-failed", f"run/{first}")]
    runs.finish(second, {})
    assert needs(services, clock, admin) == []


def test_a_run_that_is_resumed_needs_nobody(services: Any, clock: Any, admin: Principal) -> None:
    runs = RunRecord(services.database, clock)
    run = runs.start(start())
    runs.fail(run, "it broke")
    runs.resume(run)
    assert needs(services, clock, admin) == []


def test_a_failed_run_is_shown_for_a_week(services: Any, clock: Any, admin: Principal) -> None:
    runs = RunRecord(services.database, clock)
    runs.fail(runs.start(start()), "it broke")
    clock.forward(seconds=SHOWN.total_seconds())
    assert len(needs(services, clock, admin)) == 1
    clock.forward(seconds=1)
    assert needs(services, clock, admin) == []


@pytest.mark.parametrize(
    ("phase", "kinds"), [("rolled-back", ["release-rolled-back"]), ("paused", ["release-paused"]), ("stable", [])]
)
def test_a_setback_of_a_release_needs_a_person(
    services: Any, clock: Any, admin: Principal, phase: str, kinds: list[str]
) -> None:
    files = {"recogniser": "cnn", "path": "0001", "sha256": "0" * 64, "size_bytes": 1, "manifest": {}}
    state = {"salt": "0" * 32, "step": 0, "reason": "", "shown": False, "pinned": False}
    with services.database.write() as session:
        session.add(Release(number=1, task="digits", created_at=clock(), **files))
        session.flush()
        session.add(PromotionRow(release=1, phase=phase, since=clock(), **state))
    assert [kind for kind, _ in needs(services, clock, admin)] == kinds


@pytest.fixture
def signed(tmp_path: Path, clock: Any) -> Path:
    """A data directory with certificates and a registry, made now."""
    ensure(authority_in(tmp_path), ["server.example"], now=clock())
    Registry(registry_in(tmp_path), clock=clock).ensure()
    return tmp_path


def ends(directory: Path, clock: Any) -> dict[str, datetime]:
    return {each.name: each.at for each in Expiries(directory, clock=clock).read()}


def near(services: Any, directory: Path, clock: Any, admin: Principal) -> list[str]:
    attention = AttentionReading(Expiries(directory, clock=clock))
    seen = OverviewReading(services.database, clock, attention).read(admin)
    return [each.subject for each in seen.attention]


def test_every_certificate_and_role_has_its_end(signed: Path, clock: Any) -> None:
    found = ends(signed, clock)
    assert set(found) == {"authority", "server", "root", "targets", "channels", "snapshot", "timestamp"}
    assert found["timestamp"] == clock() + timedelta(days=2)
    assert found["server"] - clock() <= certificates.SERVER_LIFE


def test_what_was_just_signed_needs_nobody(services: Any, signed: Path, clock: Any, admin: Principal) -> None:
    assert near(services, signed, clock, admin) == []


def test_what_is_renewed_by_itself_needs_a_person_where_it_was_not(
    services: Any, signed: Path, clock: Any, admin: Principal
) -> None:
    clock.forward(hours=37)
    assert near(services, signed, clock, admin) == ["registry/timestamp"]
    Registry(registry_in(signed), clock=clock).renew()
    assert near(services, signed, clock, admin) == []


def test_the_ends_of_certificates_come_near_in_time_to_do_something(
    services: Any, signed: Path, clock: Any, admin: Principal
) -> None:
    end = ends(signed, clock)["server"]
    clock.at = end - SOON - timedelta(minutes=1)
    assert "certificate/server" not in near(services, signed, clock, admin)
    clock.forward(minutes=2)
    assert "certificate/server" in near(services, signed, clock, admin)
    ensure(authority_in(signed), ["server.example"], now=clock())
    assert "certificate/server" not in near(services, signed, clock, admin)
    clock.at = ends(signed, clock)["authority"] - AUTHORITY_SOON + timedelta(minutes=1)
    assert "certificate/authority" in near(services, signed, clock, admin)


def test_a_school_is_told_of_the_federations_needs_and_of_no_updates(
    services: Any, signed: Path, clock: Any, admin: Principal
) -> None:
    school = Principal("Ed", "viewer", organisation=services.organisations.add(admin, "Clinic North").number)
    clock.forward(hours=37)
    assert near(services, signed, clock, school) == ["registry/timestamp"]


def test_where_nothing_was_made_yet_nothing_ends(tmp_path: Path, clock: Any) -> None:
    assert ends(tmp_path, clock) == {}


def test_what_cannot_be_read_is_left_out_and_the_rest_is_told(
    signed: Path, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (authority_in(signed) / "server.pem").write_bytes(b"no certificate")
    (registry_in(signed) / "metadata" / "timestamp.json").write_bytes(b"{")
    assert set(ends(signed, clock)) == {"authority"}
    assert "is not known just now" in caplog.text
    assert "are not known just now" in caplog.text


def test_files_are_read_once_a_minute(signed: Path, clock: Any) -> None:
    expiries = Expiries(signed, clock=clock)
    before = expiries.read()
    clock.forward(hours=30)
    Registry(registry_in(signed), clock=clock).renew()
    after = expiries.read()
    assert after != before
    assert expiries.read() is after
