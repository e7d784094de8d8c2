"""The device's doctor sees what keeps it from taking part, and says how to mend it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from handfed.clients.device.doctor import doctor, examine
from handfed.clients.device.enrolment import join, rotate
from handfed.clients.device.server_link import UnreachableError, utc_now
from handfed.server.authority.certificates import make_authority
from handfed.shared.checkup import Check, Outcome

if TYPE_CHECKING:
    from tests.clients.device.conftest import FederationServer, Servers


def of(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


@pytest.fixture
def joined(server: FederationServer, folder: Path) -> FederationServer:
    """A device that joined."""
    join(folder, server.invite())
    return server


@pytest.mark.usefixtures("joined")
def test_a_device_that_can_take_part_is_well(folder: Path) -> None:
    checks = examine(folder, clock=utc_now)
    assert [check for check in checks if check.outcome is Outcome.FAILURE] == []
    assert "device 1 of Clinic North" in of(checks, "membership").found
    assert of(checks, "clock").outcome is Outcome.OK
    for name in ("certificate",):
        assert "39" in of(checks, name).found


def test_the_proxy_on_the_way_is_named(
    servers: Servers, joined: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = servers.proxy()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    checks = examine(folder, clock=utc_now)
    assert proxy.url.removeprefix("http://") in of(checks, "server").found
    assert of(checks, "certificate").outcome is Outcome.OK
    assert f"CONNECT 127.0.0.1:{joined.port}" in proxy.asked


def test_a_device_in_no_federation_is_told_to_join(folder: Path) -> None:
    check = of(examine(folder, clock=utc_now), "membership")
    assert check.outcome is Outcome.FAILURE
    assert "handfed join CODE" in check.mend
    assert not folder.exists()


def test_a_server_that_is_gone_is_a_failure(joined: FederationServer, folder: Path, servers: Servers) -> None:
    servers.stop()
    checks = examine(folder, clock=utc_now)
    assert of(checks, "server").outcome is Outcome.FAILURE
    assert of(checks, "certificate").outcome is Outcome.FAILURE
    assert str(joined.port) in of(checks, "server").found
    servers._running.clear()


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [(timedelta(hours=1), Outcome.FAILURE), (timedelta(seconds=30), Outcome.WARNING), (timedelta(0), Outcome.OK)],
)
def test_a_clock_is_judged_as_flower_would(
    joined: FederationServer, folder: Path, ahead: timedelta, outcome: Outcome
) -> None:
    joined.ahead = ahead
    check = of(examine(folder, clock=utc_now), "clock")
    assert check.outcome is outcome
    assert bool(check.mend) == (outcome is not Outcome.OK)


@pytest.mark.usefixtures("joined")
def test_a_certificate_that_nobody_renews_is_a_warning(folder: Path) -> None:
    check = of(examine(folder, clock=lambda: datetime.now(UTC) + timedelta(days=350)), "certificate")
    assert check.outcome is Outcome.WARNING
    assert "tell the operator" in check.mend


@pytest.mark.usefixtures("joined")
def test_a_key_that_others_may_read_is_a_failure(folder: Path) -> None:
    (folder / "device.key").chmod(0o644)
    check = of(examine(folder, clock=utc_now), "secrets")
    assert check.mend == f"chmod 600 {folder / 'device.key'}"


@pytest.mark.usefixtures("joined")
def test_another_ca_or_a_damaged_key_on_the_disk_is_a_failure(folder: Path) -> None:
    (folder / "ca.pem").write_bytes(make_authority("other", now=datetime.now(UTC)).certificate)
    checks = examine(folder, clock=utc_now)
    assert "not the CA" in of(checks, "membership").found
    assert of(checks, "certificate").outcome is Outcome.FAILURE
    (folder / "ca.pem").write_bytes(b"nonsense")
    assert "damaged" in of(examine(folder, clock=utc_now), "membership").found


def test_a_rotation_without_an_answer_is_a_warning(joined: FederationServer, folder: Path) -> None:
    joined.lost_answers = 1
    with pytest.raises(UnreachableError):
        rotate(folder)
    check = of(examine(folder, clock=utc_now), "membership")
    assert (check.outcome, "handfed device rotate" in check.mend) == (Outcome.WARNING, True)


@pytest.mark.usefixtures("joined")
def test_the_command_prints_json_and_its_status_is_that_of_the_worst(folder: Path) -> None:
    app = typer.Typer()
    app.command()(doctor)
    well = CliRunner().invoke(app, ["--data", str(folder), "--json"])
    assert (well.exit_code, json.loads(well.output)["outcome"] == "failure") == (0, False)
    (folder / "device.key").unlink()
    ill = CliRunner().invoke(app, ["--data", str(folder)])
    assert ill.exit_code == 1
    assert "to mend: " in ill.output


def test_joining_and_looking_import_neither_tensorflow_nor_flower(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from handfed.clients.device import doctor, enrolment, enrolment_cli, server_link\n"
        f"doctor.examine(Path({str(folder)!r}), clock=server_link.utc_now)\n"
        "print(sorted({'tensorflow', 'flwr', 'fastapi', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
