"""The demonstration of a federation is one, from its server to its release."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handfed.clients.edge import Recogniser


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_demonstration_publishes_what_three_devices_trained(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "from handfed.shared.cli import main; main()", "demo", "federation")
    place = tmp_path / "demo"
    done = subprocess.run(
        [*command, "--rounds", "2", "--folder", str(place)], capture_output=True, text=True, check=False
    )
    logs = [path.read_text(errors="replace")[-2000:] for path in place.glob("*.log")]
    assert done.returncode == 0, (done.stdout, done.stderr, logs)
    assert "round 2: 3 devices" in done.stdout
    assert "hf_" not in (place / "server.log").read_text()
    token = place / "server" / "first-admin-token"
    assert (token.read_text().startswith("hf_"), token.stat().st_mode & 0o777) == (True, 0o600)
    release = Recogniser.open(place / "server" / "releases" / "0001")
    release.self_test()
    assert release.manifest is not None
    assert release.manifest.devices == 3


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_demonstration_of_the_dashboard_says_where_to_look_and_trains(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "from handfed.shared.cli import main; main()", "demo", "dashboard")
    place = tmp_path / "demo"
    done = subprocess.run(
        [*command, "--rounds", "2", "--runs", "1", "--folder", str(place)], capture_output=True, text=True, check=False
    )
    logs = [path.read_text(errors="replace")[-2000:] for path in place.glob("*.log")]
    assert done.returncode == 0, (done.stdout, done.stderr, logs)
    assert done.stdout.index("/dashboard/") < done.stdout.index("has joined")
    assert (place / "server" / "first-admin-token").read_text().strip() in done.stdout
    assert "release 1 is published" in done.stdout
