"""What Prometheus scrapes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from handfed.server.authority.files import authority_in
from handfed.server.authority.files import ensure as ensure_authority
from handfed.server.clock import now
from handfed.server.metrics.figures import LEAST_AGE_S, FiguresReading
from handfed.server.promotion.models import ReportRow
from handfed.server.registry.files import registry_in
from handfed.server.registry.service import Registry
from handfed.shared.promotion.rules import Phase
from handfed.shared.release_reports import Condition, Report, Standing
from handfed.shared.wire import Reason

DOCS = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
VIEWER = "federation viewer"


def scrape(world: Any, accept: str = "") -> str:
    answer = world.ask(VIEWER, "GET", "/metrics", headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def families(text: str) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """By name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(text).values()
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return values(text)[name, frozenset(labels.items())]


@pytest.fixture
def whole(world: Any) -> Any:
    """A federation that has all there can be: certificates, a registry, an accuracy, a device that reports."""
    directory = world.settings.data_dir
    authority = authority_in(directory)
    for file in authority.iterdir():
        file.unlink()
    ensure_authority(authority, ["server.example"], now=now())
    Registry(registry_in(directory)).ensure()
    report = Report(1, (Standing(1, Condition.HEALTHY, in_use=True),)).encode()
    with world.services.database.write() as session:
        session.add(ReportRow(device=1, sequence=1, report=report, received_at=now()))
        session.connection().exec_driver_sql("UPDATE releases SET accuracy_int8 = 0.95")
        session.connection().exec_driver_sql("UPDATE runs SET settings = '{\"rounds\": 9}'")
    return world


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """By name, the type and the labels that the page tells."""
    found = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        if line.startswith(("| `handfed_", "| `process_")):
            name, kind, labels = (cell.strip() for cell in line.split("|")[1:4])
            found[name.strip("`")] = (kind, frozenset(each.strip("` ") for each in labels.split(",") if each.strip()))
    return found


def test_the_page_tells_every_metric_with_its_type_and_labels_and_no_other(whole: Any) -> None:
    scrape(whole)  # so that a request is on record
    exposed = {}
    for family in families(scrape(whole)).values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        exposed[name] = (family.type, frozenset(labels))
    assert exposed == documented()


def test_names_follow_the_conventions_as_the_open_metrics_parser_has_them(whole: Any) -> None:
    text = scrape(whole, "application/openmetrics-text; version=1.0.0")
    # The parser refuses what is not as it should be.
    found = {family.name: family for family in read_open(text)}  # type: ignore[no-untyped-call]
    assert "handfed_rounds" in found
    assert all(family.documentation for family in found.values())


def test_figures_are_those_of_the_record(whole: Any) -> None:
    text = scrape(whole)
    assert value(text, "handfed_devices", state="enrolled") == 2
    assert value(text, "handfed_devices_online") == 0
    assert value(text, "handfed_runs", status="failed") == 1
    assert value(text, "handfed_runs", status="done") == 0
    assert value(text, "handfed_rounds_total") == 3
    assert value(text, "handfed_round_duration_seconds_sum") == 12
    assert value(text, "handfed_updates_accepted_total") == 6
    assert value(text, "handfed_updates_rejected_total", reason="not-finite") == 3
    assert value(text, "handfed_run_info", run="1", task="digits", status="failed") == 1
    assert value(text, "handfed_run_accuracy_ratio") == 0.75
    assert value(text, "handfed_champion_release", task="digits") == 1
    assert value(text, "handfed_champion_release_accuracy_ratio", task="digits") == 0.95
    assert value(text, "handfed_devices_using_release", task="digits", release="1") == 1
    assert value(text, "handfed_attention", kind="run-failed") == 1
    assert value(text, "handfed_attention", kind="device-away") == 0
    ends = {labels for name, labels in values(text) if name == "handfed_registry_expiry_timestamp_seconds"}
    assert frozenset({("role", "timestamp")}) in ends
    assert value(text, "handfed_certificate_expiry_timestamp_seconds", certificate="server") > now().timestamp()


def test_a_server_without_any_record_is_scraped(world: Any) -> None:
    with world.services.database.write() as session:
        for table in ("promotions", "releases", "rejected_updates", "rounds", "runs"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - names of ours
    text = scrape(world)
    assert value(text, "handfed_rounds_total") == 0
    assert "handfed_run_rounds" not in families(text)


def test_every_reason_and_phase_is_there_before_its_first_and_after_its_last(world: Any) -> None:
    """Prometheus sees no increase in a series that begins at its first count, and no fall in one that ends."""
    text = scrape(world)
    reasons = {str(reason): 3.0 if reason is Reason.NOT_FINITE else 0.0 for reason in Reason}
    phases = {"none": 0.0} | {str(phase): 1.0 if phase is Phase.STABLE else 0.0 for phase in Phase}
    for name, label, expected in (
        ("handfed_updates_rejected_total", "reason", reasons),
        ("handfed_releases", "phase", phases),
    ):
        found = {dict(labels)[label]: count for (each, labels), count in values(text).items() if each == name}
        assert found == expected


def test_requests_are_counted_by_the_template_of_their_route(world: Any) -> None:
    for path in ("/api/v1/devices/1", "/api/v1/devices/2", "/api/v1/devices/77"):
        world.ask(VIEWER, "GET", path)
    world.client.post("/api/v1/devices/1")
    world.client.get("/wp-admin/secret-of-a-caller")
    world.client.request("BREW", "/health")
    world.client.get("/registry/metadata/9.root.json")
    name, text = "handfed_http_request_duration_seconds_count", scrape(world)
    assert value(text, name, method="GET", route="/api/v1/devices/{number}", status="200") == 2
    assert value(text, name, method="GET", route="/api/v1/devices/{number}", status="404") == 1
    assert value(text, name, method="GET", route="other", status="404") == 1
    assert value(text, name, method="other", route="/health", status="405") == 1
    assert value(text, name, method="GET", route="/registry/{path}", status="404") == 1
    routes = {dict(labels)["route"] for found, labels in values(text) if found == name}
    assert routes <= {*world.app.openapi()["paths"], "/registry/{path}", "other"}


def test_nothing_of_a_device_an_organisation_or_a_person_is_exposed(whole: Any) -> None:
    text = scrape(whole)
    hidden = ["Own", "Other", "Ada", "18446744073709551615", "conv/kernel", "192.0.2.7"]
    hidden += [device.name for device in whole.services.devices.list(_ada()).items]
    assert not [each for each in hidden if each in text]
    labels = {name for family in families(text).values() for sample in family.samples for name in sample.labels}
    assert not labels & {"device", "organisation", "node", "writer", "token", "address"}


class Statements:
    """Counts what is asked of a database."""

    def __init__(self, world: Any) -> None:
        self.count = 0
        event.listen(world.services.database.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.count += 1


@pytest.fixture
def statements(whole: Any) -> Iterator[Statements]:
    made = Statements(whole)
    yield made
    event.remove(whole.services.database.engine, "before_cursor_execute", made._count)


def test_the_record_is_read_once_a_second_however_many_scrape(whole: Any, statements: Statements) -> None:
    at = 100.0
    figures = FiguresReading(whole.services, lambda: at)
    threads = [threading.Thread(target=figures.read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    once = statements.count
    assert 0 < once <= 30
    at += LEAST_AGE_S / 2
    figures.read()
    assert statements.count == once
    at += LEAST_AGE_S
    figures.read()
    assert statements.count == 2 * once


def test_a_scrape_asks_as_much_of_a_large_record_as_of_a_small_one(whole: Any, statements: Statements) -> None:
    FiguresReading(whole.services).read()
    before, statements.count = statements.count, 0
    with whole.services.database.write() as session:
        rows = ", ".join(f"(1, 3, {device}, 'not-finite', '')" for device in range(500))
        insert = f"INSERT INTO rejected_updates (run_id, round, device, reason, detail) VALUES {rows}"  # noqa: S608
        session.connection().exec_driver_sql(insert)
    statements.count = 0
    FiguresReading(whole.services).read()
    assert statements.count == before


def test_a_scrape_needs_neither_tensorflow_nor_flower() -> None:
    code = "import sys, handfed.server.api.app; print({'tensorflow', 'flwr'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _ada() -> Any:
    from handfed.server.people.principals import Principal

    return Principal("Ada", "admin")
