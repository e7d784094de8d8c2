"""`handfed keys` as a person uses it: on the server, on a machine without a network, and back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from handfed.server.audit.service import AuditLog
from handfed.server.people.principals import Principal
from handfed.server.registry.cli import commands
from handfed.server.registry.service import Registry
from handfed.shared.errors import SettingError

if TYPE_CHECKING:
    from tests.server.registry.conftest import Device, Server

Run = Callable[..., str]
TWICE = "open sesame\nopen sesame\n"


@pytest.fixture
def elsewhere() -> Run:
    """Runs `handfed keys ...` where there is no server."""

    def run(*words: object, types: str = "") -> str:
        done = CliRunner().invoke(commands, [str(word) for word in words], input=types)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.fixture
def run(server: Server, elsewhere: Run) -> Run:
    """Runs `handfed keys ...` on the server."""
    return lambda *words, types="": elsewhere("--data-dir", server.directory, *words, types=types)


def listed(run: Run) -> Any:
    return json.loads(run("--json"))


def verbs(server: Server) -> list[tuple[str, str]]:
    entries = AuditLog(server.database).list(Principal("Ada", "admin")).items
    return [(entry.verb, entry.object) for entry in entries]


def test_the_list_tells_roles_keys_and_what_waits(registry: Registry, run: Run) -> None:
    document = listed(run)
    assert [one["role"] for one in document["roles"]] == ["root", "targets", "channels", "snapshot", "timestamp"]
    assert document["pending"] == []
    (key,) = document["roles"][0]["keys"]
    shown = run("list")
    assert key["keyid"][:12] in shown
    assert key["keyid"] == registry.status()[0].keys[0].keyid
    assert "elsewhere" not in shown


def test_keys_are_rotated_revoked_and_added_and_the_audit_log_says_so(
    registry: Registry, run: Run, server: Server, new_device: Callable[..., Device]
) -> None:
    device, before = new_device(), len(verbs(server))
    old = registry.status()[2].keys[0].keyid
    assert "channels has the new key" in run("rotate", "channels")
    new = registry.status()[2].keys[0].keyid
    assert new != old
    assert "It has the new key" in run("revoke", new[:12])
    run("add", "root", "--threshold", "2")
    run("threshold", "root", "1")
    run("renew")
    assert verbs(server)[before:] == [
        ("rotate", "registry-key/channels"),
        ("revoke", f"registry-key/{new[:12]}"),
        ("add", "registry-key/root"),
        ("threshold", "registry-key/root"),
        ("renew", "registry-key/root+targets+channels+snapshot+timestamp"),
    ]
    device.updater()


@pytest.mark.usefixtures("registry")
def test_what_is_tried_is_in_the_audit_log_before_it_is_done(run: Run, server: Server) -> None:
    before = len(verbs(server))
    with pytest.raises(SettingError, match="no key here"):
        run("revoke", "ffffffffffff")
    entries = AuditLog(server.database).list(Principal("Ada", "admin")).items[before:]
    assert [(each.verb, each.detail) for each in entries] == [("revoke", {}), ("revoke", {"outcome": "failed"})]


def test_the_root_goes_to_another_machine_and_signs_there(
    registry: Registry, run: Run, elsewhere: Run, tmp_path: Path, new_device: Callable[..., Device]
) -> None:
    device, key = new_device(), tmp_path / "root.pem"
    assert "does not any more" in run("export", "root", key, types=TWICE)
    assert listed(run)["roles"][0]["keys"][0]["is_here"] is False
    told = run("rotate", "timestamp")
    (waiting,) = listed(run)["pending"]
    assert waiting in told
    assert waiting in run("list").replace("\n", "")
    stick = tmp_path / "stick.json"
    stick.write_bytes(Path(waiting).read_bytes())
    shown = elsewhere("sign", stick, key, types="y\nopen sesame\n")
    assert "root, version 2" in shown
    assert "timestamp: 1 of" in shown
    assert "signature of root is taken" in run("import", stick)
    assert listed(run)["pending"] == []
    device.updater()
    assert "root is on this machine" in run("import", key, types="open sesame\n")
    assert listed(run)["roles"][0]["keys"][0]["is_here"] is True
    assert registry.root() == run("root").strip().encode()


@pytest.mark.usefixtures("registry")
def test_a_key_that_is_made_elsewhere_never_comes_to_the_server(
    run: Run, elsewhere: Run, tmp_path: Path, new_device: Callable[..., Device], server: Server
) -> None:
    device, key = new_device(), tmp_path / "root.pem"
    elsewhere("make", key, types=TWICE)
    assert key.stat().st_mode & 0o077 == 0
    run("rotate", "root", "--with", f"{key}.pub")
    (waiting,) = listed(run)["pending"]
    stick = tmp_path / "stick.json"
    stick.write_bytes(Path(waiting).read_bytes())
    elsewhere("sign", stick, key, "--yes", types="open sesame\n")
    run("import", stick)
    assert [one["is_here"] for one in listed(run)["roles"][0]["keys"]] == [False]
    assert len(list((server.registry / "keys").iterdir())) == 4
    device.updater()
    run("renew", "root")
    assert listed(run)["roles"][0]["missing"] == 1
    assert "Dropped: root" in run("cancel")
    assert "Nothing waited" in run("cancel")


@pytest.mark.usefixtures("registry")
def test_a_key_that_comes_for_a_moment_signs_on_the_server_itself(run: Run, elsewhere: Run, tmp_path: Path) -> None:
    key = tmp_path / "root.pem"
    run("export", "root", key, "--no-passphrase")
    run("rotate", "snapshot")
    (waiting,) = listed(run)["pending"]
    elsewhere("sign", waiting, key, "--yes")
    run("import", waiting)
    assert listed(run)["pending"] == []


@pytest.mark.usefixtures("registry")
def test_nothing_is_signed_that_the_person_did_not_agree_to(run: Run, elsewhere: Run, tmp_path: Path) -> None:
    key = tmp_path / "root.pem"
    run("export", "root", key, "--no-passphrase")
    run("rotate", "snapshot")
    waiting = Path(listed(run)["pending"][0])
    before = waiting.read_bytes()
    done = CliRunner().invoke(commands, ["sign", str(waiting), str(key)], input="n\n")
    assert done.exit_code == 1
    assert waiting.read_bytes() == before
    with pytest.raises(SettingError, match="is there already"):
        elsewhere("make", key, "--no-passphrase")
    with pytest.raises(SettingError, match="is there already"):
        run("export", "targets", key, "--no-passphrase")
    with pytest.raises(SettingError, match="no metadata"):
        elsewhere("sign", key, key)


def test_help_loads_no_library_of_cryptography() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from handfed.server.registry.cli import commands\n"
        "CliRunner().invoke(commands, ['--help'])\n"
        "print(sorted({'tuf', 'cryptography', 'securesystemslib', 'sqlalchemy', 'flwr'} & set(sys.modules)))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
