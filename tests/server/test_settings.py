"""What a server is set to."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from handfed.server.settings import ServerSettings
from handfed.shared.errors import SettingError


def test_the_command_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    ServerSettings.load(tmp_path, address="file.example", port=1111, environment={}).save()
    environment = {"HANDFED_ADDRESS": "environment.example"}
    assert ServerSettings.load(tmp_path, environment={}).address == "file.example"
    assert ServerSettings.load(tmp_path, environment={}).port == 1111
    assert ServerSettings.load(tmp_path, environment=environment).address == "environment.example"
    told = ServerSettings.load(tmp_path, address="option.example", port=2222, environment=environment)
    assert (told.address, told.port) == ("option.example", 2222)


def test_without_an_address_it_is_this_machines_name(tmp_path: Path) -> None:
    assert ServerSettings.load(tmp_path, environment={}).address == socket.gethostname()
    assert ServerSettings.load(tmp_path, port=9000, environment={}).address == f"{socket.gethostname()}:9000"


@pytest.mark.parametrize("address", ["bad host!", None, "https://server.example", "server.example:0"])
def test_what_is_no_address_is_refused_where_settings_are_made(tmp_path: Path, address: str | None) -> None:
    with pytest.raises(SettingError, match="is no address of a server"):
        ServerSettings.load(tmp_path, address=address, environment={"HANDFED_ADDRESS": "bad host!"})


def test_what_is_written_holds_no_password_and_no_place(tmp_path: Path) -> None:
    settings = ServerSettings.load(tmp_path, "postgresql://me:hidden@db/handfed", environment={})
    settings.save()
    written = (tmp_path / "server.json").read_text()
    assert "hidden" not in written + repr(settings)
    assert str(tmp_path) not in written
    assert ServerSettings.load(tmp_path, settings.database, environment={}) == settings


@pytest.mark.parametrize("content", ['{"port": 0}', '{"port": "x"}', '{"address": 1}', "{", "\xff"])
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingError):
        ServerSettings.load(tmp_path, environment={})


def test_what_a_newer_server_wrote_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"port": 9000, "colour": "red"}')
    assert ServerSettings.load(tmp_path, environment={}).port == 9000
