"""What a person sees who joins, looks, and changes the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from handfed.clients.device import enrolment_cli
from handfed.shared.errors import InvitationError, MissingExtraError

if TYPE_CHECKING:
    from tests.clients.device.conftest import FederationServer

app = typer.Typer()
for command in (enrolment_cli.join, enrolment_cli.show, enrolment_cli.rotate, enrolment_cli.move):
    app.command()(command)


def run(*arguments: str, stdin: str | None = None) -> str:
    result = CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_device_joins_shows_and_changes_its_key(server: FederationServer, folder: Path) -> None:
    code = server.invite().encode()
    output = run("join", code, "--name", "desk", "--data", str(folder))
    assert "This is now device 1 of Clinic North, desk." in output
    shown: dict[str, Any] = json.loads(run("show", "--data", str(folder), "--json"))
    assert shown["key_fingerprint"] in output
    assert shown["fingerprint"] in output
    changed = json.loads(run("rotate", "--data", str(folder), "--json"))
    assert changed["key_fingerprint"] != shown["key_fingerprint"]
    assert "5,000" in run("show", "--data", str(folder))


@pytest.mark.parametrize("how", ["stdin", "broken"])
def test_a_code_may_be_piped_or_broken_into_words(server: FederationServer, folder: Path, how: str) -> None:
    code = server.invite().encode()
    words = ["-"] if how == "stdin" else code.upper().split("-")
    run("join", *words, "--data", str(folder), stdin=code + "\n")
    assert list(server.devices) == [1]


def test_the_folder_of_the_environment_counts(
    server: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(folder))
    run("join", server.invite().encode())
    assert (folder / "device.key").exists()


def test_where_only_the_edge_is_installed_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment_cli, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'handfed-clients\[train\]'"):
        run("show", "--data", str(folder))


def test_a_mistyped_code_is_sent_nowhere(server: FederationServer, folder: Path) -> None:
    with pytest.raises(InvitationError, match="not copied rightly"):
        run("join", server.invite().encode()[:-2], "--data", str(folder))
    assert server.requests == []
    assert not folder.exists()


def test_a_device_is_told_where_its_server_is_now(server: FederationServer, folder: Path) -> None:
    run("join", server.invite("127.0.0.1").encode(), "--data", str(folder))
    moved = json.loads(run("move", f"127.0.0.1:{server.port}", "--data", str(folder), "--json"))
    assert moved["server"] == f"127.0.0.1:{server.port}"
    assert f"127.0.0.1:{server.port}" in run("move", f"127.0.0.1:{server.port}", "--data", str(folder))
