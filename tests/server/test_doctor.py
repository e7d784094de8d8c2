"""The doctor sees what keeps a server from serving, changes nothing, and says how to mend it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from handfed.server import schema_version
from handfed.server.authority.files import Authority, authority_in, ensure
from handfed.server.database import look_at, open_database
from handfed.server.doctor import check_certificates, check_database, check_port, check_registry, doctor, examine
from handfed.server.registry.custody import KeyCustody
from handfed.server.registry.files import registry_in
from handfed.server.registry.service import Registry
from handfed.server.settings import ServerSettings
from handfed.shared.checkup import Outcome, exit_status, look
from handfed.shared.errors import StorageError
from handfed.simulations.real import free_port

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return ensure(authority_in(tmp_path), ["server.example"], now=NOW)


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[int]:
    """A port of this machine on which somebody listens, with TLS where there is a context."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(20)
                try:
                    if context is None:
                        connection.sendall(b"220 mail\r\n")
                    else:
                        context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        yield int(listener.getsockname()[1])
        with socket.socket() as last:
            last.settimeout(20)
            last.connect_ex(listener.getsockname())
        listener.close()
        thread.join()


def test_a_machine_where_nothing_was_started_yet_is_well_and_stays_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    checks = examine(directory, f"sqlite:///{directory}/handfed.db", (), free_port(), now=NOW)
    assert [check for check in checks if check.outcome is Outcome.FAILURE] == []
    assert not directory.exists()
    assert len({check.name for check in checks}) == len(checks)


def test_every_check_that_is_not_well_says_how_it_is_mended(tmp_path: Path, authority: Authority) -> None:
    authority.key_path.chmod(0o644)
    (tmp_path / "handfed.db").write_bytes(b"no database at all, but long enough to be read as one")
    with listening(None) as port:
        checks = examine(tmp_path, f"sqlite:///{tmp_path}/handfed.db", ("other.example",), port, now=NOW)
    wrong = {check.name for check in checks if check.outcome is Outcome.FAILURE}
    assert wrong >= {"secrets", "database", "certificates", "port"}
    assert all(check.mend for check in checks if check.outcome is not Outcome.OK)
    assert exit_status(checks) == 1


def test_a_free_port_is_well(tmp_path: Path) -> None:
    assert check_port("port", free_port(), authority_in(tmp_path)).outcome is Outcome.OK


def test_a_port_of_another_program_is_a_failure(authority: Authority) -> None:
    with listening(None) as port:
        check = check_port("port", port, authority.directory)
    assert check.outcome is Outcome.FAILURE
    assert "ss -ltnp" in check.mend


def test_a_port_of_another_federation_is_a_failure(authority: Authority, tmp_path: Path) -> None:
    other = ensure(authority_in(tmp_path / "other"), [], now=NOW)
    with listening(server_context(other)) as port:
        assert check_port("port", port, authority.directory).outcome is Outcome.FAILURE


def test_a_port_of_our_own_server_is_well(authority: Authority) -> None:
    with listening(server_context(authority)) as port:
        check = check_port("port", port, authority.directory)
    assert check.outcome is Outcome.OK
    assert "this server" in check.found


def server_context(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate_path, authority.key_path)
    return context


def test_certificates_that_hold_are_well(authority: Authority) -> None:
    check = check_certificates(authority.directory, ("server.example:9000",), now=NOW)
    assert check.outcome is Outcome.OK
    assert "395 days" in check.found or "396 days" in check.found
    assert "server.example" in check.found


@pytest.mark.parametrize(
    ("days", "names", "outcome", "word"),
    [
        (0, ("other.example",), Outcome.FAILURE, "lacks the name other.example"),
        (300, ("server.example",), Outcome.WARNING, "renewal is due"),
        (400, ("server.example",), Outcome.FAILURE, "expired"),
        (-5, ("server.example",), Outcome.FAILURE, "clock"),
        (0, ("https://no",), Outcome.FAILURE, "no address"),
    ],
)
def test_a_certificate_that_does_not_hold_is_said(
    authority: Authority, days: int, names: tuple[str, ...], outcome: Outcome, word: str
) -> None:
    check = look("c", lambda: check_certificates(authority.directory, names, now=NOW + days * DAY))
    assert check.outcome is outcome
    assert word in check.found
    assert check.mend


def test_a_key_that_does_not_match_is_said(authority: Authority, tmp_path: Path) -> None:
    other = ensure(authority_in(tmp_path / "other"), ["server.example"], now=NOW)
    authority.key_path.write_bytes(other.server.key)
    check = look("c", lambda: check_certificates(authority.directory, (), now=NOW))
    assert "does not belong" in check.found


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry(registry_in(tmp_path), clock=lambda: NOW)
    made.ensure()
    return made


def test_a_registry_that_is_signed_is_well(registry: Registry, tmp_path: Path) -> None:
    assert check_registry(tmp_path / "nowhere", now=NOW).outcome is Outcome.OK
    assert check_registry(tmp_path, now=NOW).outcome is Outcome.OK
    before = {path: path.stat().st_mtime_ns for path in registry.repository.files.directory.rglob("*")}
    examine(tmp_path, f"sqlite:///{tmp_path}/handfed.db", (), free_port(), now=NOW)
    assert {path: path.stat().st_mtime_ns for path in registry.repository.files.directory.rglob("*")} == before


def test_what_expired_in_the_registry_is_said_with_what_renews_it(registry: Registry, tmp_path: Path) -> None:
    here = check_registry(tmp_path, now=NOW + 3 * DAY)
    assert here.outcome is Outcome.WARNING  # a server that was off mends it by itself
    assert "timestamp expired" in here.found
    assert "start the server" in here.mend
    KeyCustody(registry.repository).export("root", tmp_path / "root.pem", passphrase=None)
    soon = NOW + 320 * DAY
    Registry(registry_in(tmp_path), clock=lambda: soon).renew()
    there = check_registry(tmp_path, now=soon)
    assert there.outcome is Outcome.WARNING
    assert "root expires in 44 days" in there.found
    assert "handfed keys renew root" in there.mend
    late = NOW + 400 * DAY
    Registry(registry_in(tmp_path), clock=lambda: late).renew()
    assert check_registry(tmp_path, now=late).outcome is Outcome.FAILURE


def test_a_key_that_has_to_be_here_or_a_signature_that_is_waited_for_is_said(
    registry: Registry, tmp_path: Path
) -> None:
    KeyCustody(registry.repository).export("root", tmp_path / "root.pem", passphrase=None)
    KeyCustody(registry.repository).rotate("targets")
    waits = check_registry(tmp_path, now=NOW)
    assert (waits.outcome, waits.found) == (Outcome.WARNING, "root waits for a signature from elsewhere")
    registry.repository.keys.path(registry.status()[-1].keys[0].keyid).unlink()
    gone = check_registry(tmp_path, now=NOW)
    assert gone.outcome is Outcome.FAILURE
    assert "key of timestamp is not here" in gone.found


def test_a_key_that_others_can_read_is_said(registry: Registry, tmp_path: Path) -> None:
    registry.repository.keys.path(registry.status()[0].keys[0].keyid).chmod(0o644)
    checks = examine(tmp_path, f"sqlite:///{tmp_path}/handfed.db", (), free_port(), now=NOW)
    (secrets,) = [check for check in checks if check.name == "secrets"]
    assert secrets.outcome is Outcome.FAILURE


def test_a_database_with_our_schema_is_well(url: str) -> None:
    open_database(url).close()
    check = check_database(url, now=datetime.now(UTC))
    assert (check.outcome, check.found) == (Outcome.OK, f"reachable, of schema {schema_version.known()[-1]}")


def test_a_database_without_tables_is_well_and_stays_without(url: str) -> None:
    assert check_database(url, now=NOW).outcome is Outcome.OK
    condition = look_at(url)
    assert condition is None or condition.revision is None


@pytest.mark.parametrize(("revision", "outcome"), [("0001", Outcome.WARNING), ("9999", Outcome.FAILURE)])
def test_an_older_schema_is_a_warning_a_newer_one_a_failure_and_neither_is_changed(
    sqlite_url: str, revision: str, outcome: Outcome
) -> None:
    open_database(sqlite_url).close()
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {schema_version.TABLE} SET version_num = '{revision}'"))  # noqa: S608
    engine.dispose()
    check = check_database(sqlite_url, now=NOW)
    assert check.outcome is outcome
    assert check.mend
    condition = look_at(sqlite_url)
    assert condition is not None
    assert condition.revision == revision


@pytest.mark.parametrize(("seconds", "outcome"), [(60, Outcome.WARNING), (3600, Outcome.FAILURE)])
def test_the_clock_of_a_database_server_is_compared(
    migrated_postgresql_url: str, seconds: int, outcome: Outcome
) -> None:
    check = check_database(migrated_postgresql_url, now=datetime.now(UTC) + timedelta(seconds=seconds))
    assert check.outcome is outcome
    assert "clock" in check.found


def test_a_database_that_cannot_be_reached_is_said_without_its_password() -> None:
    with pytest.raises(StorageError) as refused:
        check_database(f"postgresql://user:hidden@127.0.0.1:{free_port()}/x", now=NOW)
    assert "hidden" not in str(refused.value)


def test_the_command_prints_json_and_its_status_is_that_of_the_worst(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(doctor)
    arguments = ["--data-dir", str(tmp_path), "--json", "--port"]
    well = CliRunner().invoke(app, [*arguments, str(free_port())])
    assert (well.exit_code, json.loads(well.output)["outcome"] == "failure") == (0, False)
    with listening(None) as port:
        ill = CliRunner().invoke(app, [*arguments, str(port)])
    assert (ill.exit_code, json.loads(ill.output)["outcome"]) == (1, "failure")
    plain = CliRunner().invoke(app, [arguments[0], arguments[1], "--port", str(free_port())])
    assert "failed" in plain.output


def test_the_command_looks_at_what_the_server_was_started_with(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(doctor)
    port = free_port()
    ServerSettings.load(tmp_path, address="127.0.0.1", port=port, environment={}).save()
    ensure(authority_in(tmp_path), ["elsewhere.example"], now=NOW)
    found = CliRunner().invoke(app, ["--data-dir", str(tmp_path)])
    assert f"{port} is free" in found.stdout
    ServerSettings.load(tmp_path, address="other.example", environment={}).save()
    assert "other.example" in CliRunner().invoke(app, ["--data-dir", str(tmp_path)]).stdout


def test_to_look_imports_neither_tensorflow_nor_flower(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from handfed.server.doctor import examine\n"
        f"examine(Path({str(tmp_path)!r}), 'sqlite:///{tmp_path}/x.db', (), {free_port()},"
        " now=datetime.now(UTC))\n"
        "print(sorted({'tensorflow', 'flwr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
