"""The commands say what a device uses, and what came of a pull."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from handfed.clients.edge import tables, update_cli
from handfed.shared.errors import HandfedError, UpdateError

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device

ROOT = Path(__file__).resolve().parents[4]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(update_cli.commands, arguments)


def said(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def test_pull_says_what_came_of_it(device: Device) -> None:
    device.registry.offer(2)
    result = run("pull", *device.options())
    assert (result.exit_code, result.stdout) == (0, "Release 2 is in use now.\n")
    assert said("pull", *device.options()) == {
        "outcome": "kept",
        "release": 2,
        "current": 2,
        "message": "release 2 is in use, and is the one to use",
    }


def test_a_release_in_quarantine_is_exit_status_1(device: Device) -> None:
    device.registry.offer(2)
    result = run("pull", *device.options(), "--latency-ms", "0.000001")
    assert result.exit_code == 1
    assert "Release 2 is not used here (latency: it takes" in result.stdout


def test_on_a_terminal_a_bar_shows_how_much_has_come() -> None:
    shown = io.StringIO()
    with tables.download(Console(file=shown, force_terminal=True, width=100), shown=True) as told:
        told(1_500_000, 3_000_000)
    assert "1.5/3.0 MB" in shown.getvalue()


def test_a_refusal_is_an_error_with_its_rule(device: Device) -> None:
    device.registry.files["/registry/metadata/timestamp.json"] = b"{}"
    result = run("pull", *device.options())
    assert isinstance(result.exception, UpdateError)
    assert "refused by the rule 'form'" in str(result.exception)


def test_status_and_list_of_a_device_that_pulled(device: Device) -> None:
    device.registry.offer(2)
    device.pull()
    data = f"--data={device.folder}"
    status = said("status", data)
    assert status["current"] == 2
    assert status["previous"] == [1]
    assert (status["task"], status["follows"], status["proved"]) == ("digits", "stable", False)
    assert Path(status["path"]).is_dir()
    assert [(fact["what"], fact["release"]) for fact in status["facts"]] == [("switched", 1), ("switched", 2)]
    words = run("status", data)
    assert words.exit_code == 0
    assert "release 2 of digits, which has not read anything yet" in words.stdout
    assert [(row["release"], row["use"]) for row in said("list", data)] == [(2, "current"), (1, "previous")]
    assert run("list", data).stdout.splitlines()[0].split()[:2] == ["2", "current"]


def test_a_device_that_pulled_nothing_says_how(tmp_path: Path) -> None:
    data = f"--data={tmp_path}"
    result = run("status", data)
    assert (result.exit_code, "none: run handfed edge pull" in result.stdout) == (1, True)
    assert "run handfed edge pull" in run("list", data).stdout
    assert said("list", data) == []
    assert list(tmp_path.iterdir()) == []
    assert isinstance(run("rollback", data).exception, UpdateError)


def test_rollback_goes_back_and_stays_there_until_retry(device: Device) -> None:
    device.registry.offer(2)
    device.pull()
    device.reads()
    data = f"--data={device.folder}"
    assert "Release 1 is in use now; release 2 stays away" in run("rollback", data).stdout
    assert device.reads() == 1
    assert device.pull().outcome == "quarantined"
    assert said("list", data)[0] | {"size_bytes": None, "created_at": None} == {
        "release": 2,
        "use": "quarantined",
        "reason": "by-hand",
        "size_bytes": None,
        "created_at": None,
    }
    assert said("pull", *device.options(), "--retry")["current"] == 2
    assert said("status", data)["quarantined"] == {}


def test_a_device_that_has_not_joined_is_told_what_to_name(tmp_path: Path) -> None:
    result = run("pull", f"--data={tmp_path}")
    assert isinstance(result.exception, HandfedError)
    assert "run handfed join CODE, or name --server HOST:PORT" in str(result.exception)


def test_recognise_reads_with_what_was_pulled(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from handfed.clients.edge import cli
    from handfed.clients.edge.recogniser import Recogniser

    monkeypatch.chdir(device.folder)
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(device.folder))
    monkeypatch.delenv("HANDFED_DATA_DIR", raising=False)
    manifest = Recogniser.of_device(device.folder).manifest
    assert manifest is not None
    Image.fromarray(255 - np.kron(manifest.self_test.pictures[0, ..., 0], np.ones((4, 4), np.uint8))).save("one.png")
    app = typer.Typer()
    app.command()(cli.recognise)
    found = json.loads(CliRunner().invoke(app, ["one.png", "--json"]).stdout)
    assert found["release"] == 1


def test_watching_ends_well_on_sigterm_after_it_has_pulled(device: Device, tmp_path: Path) -> None:
    device.registry.offer(2)
    (tmp_path / "site").mkdir()
    # The first wait is drawn up to a whole interval; here it is none.
    (tmp_path / "site" / "sitecustomize.py").write_text("import secrets; secrets.SystemRandom.random = lambda _: 0.0\n")
    path = f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    program = "from handfed.clients.edge.update_cli import commands; commands()"
    options = [*device.options(), "--watch", "--on-battery", "--metered"]
    with subprocess.Popen(
        [sys.executable, "-c", program, "pull", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "release 2 is in use now\n"
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(60) == 0
    assert device.reads() == 2


def test_the_example_of_the_page_reads_a_digit_and_loads_nothing_that_pulls(device: Device) -> None:
    from handfed.clients.edge.recogniser import Recogniser

    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "edge.md").read_text(encoding="utf-8"), re.DOTALL)
    manifest = Recogniser.of_device(device.folder).manifest
    assert manifest is not None
    Image.fromarray(255 - manifest.self_test.pictures[0, ..., 0]).save(device.folder / "scan.png")
    absent = "{'tuf', 'urllib3', 'cryptography', 'httpx', 'typer', 'tensorflow'}"
    done = subprocess.run(
        [sys.executable, "-c", f"{example}\nimport sys; print({absent} & set(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=device.folder,
        env=os.environ | {"HANDFED_DEVICE_DIR": str(device.folder)},
    )
    text, loaded = done.stdout.splitlines()
    assert text in manifest.alphabet.names
    assert loaded == "set()"


def service(name: str) -> dict[str, str]:
    """The settings of a unit; one that is given twice counts with all that it names, as for systemd."""
    settings: dict[str, str] = {}
    for line in (ROOT / "deploy" / "systemd" / f"{name}.service").read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings[key] = f"{settings[key]} {value}" if key in settings else value
    return settings


def test_the_service_pulls_as_the_device_and_options_are_ones() -> None:
    settings = service("handfed-edge")
    assert settings["ExecStart"].endswith("handfed edge pull --watch $OPTIONS")
    assert settings["Environment"] == "HANDFED_DEVICE_DIR=/var/lib/handfed-device"
    assert settings["RestartPreventExitStatus"] == "2"


@pytest.mark.parametrize("name", ["handfed-serve", "handfed-watch"])
def test_services_that_read_have_the_folder_that_is_pulled_into_and_may_write_there(name: str) -> None:
    settings, pulls = service(name), service("handfed-edge")
    assert pulls["Environment"] in settings["Environment"].split()
    assert f"HANDFED_DEVICE_DIR=/var/lib/{settings['StateDirectory']}" == pulls["Environment"]
    assert settings["ProtectSystem"] == "strict"  # beside which a StateDirectory= is writable
    for key in ("User", "Group", "StateDirectory", "StateDirectoryMode"):
        assert settings[key] == pulls[key]
