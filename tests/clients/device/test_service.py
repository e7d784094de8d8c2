"""The service that systemd runs."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from handfed.clients.device import folder
from handfed.clients.device.supervisor import RevokedError
from handfed.shared.errors import UsageError

UNIT = Path(__file__).parents[3] / "deploy" / "systemd" / "handfed-device.service"


def test_the_service_is_not_started_again_where_that_would_help_nobody() -> None:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["Restart"] == "always"
    spared = set(map(int, service["RestartPreventExitStatus"].split()))
    assert spared == {UsageError.exit_status, RevokedError().exit_status}
    assert " device run " in service["ExecStart"]
    assert service["Environment"] == f"{folder.VARIABLE}=/var/lib/{service['StateDirectory']}"
    assert service["StateDirectoryMode"] == "0700"
