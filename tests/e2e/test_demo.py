"""The demonstration of a federation is one, from its server to its release."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handfed.clients.edge import Recogniser


@pytest.mark.slow
def test_the_demonstration_publishes_what_three_devices_trained(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "from handfed.shared.cli import main; main()", "demo", "federation")
    place = tmp_path / "demo"
    done = subprocess.run(
        [*command, "--rounds", "2", "--folder", str(place)], capture_output=True, text=True, check=False
    )
    logs = [path.read_text(errors="replace")[-2000:] for path in place.glob("*.log")]
    assert done.returncode == 0, (done.stdout, done.stderr, logs)
    assert "round 2: 3 devices" in done.stdout
    release = Recogniser.open(place / "server" / "releases" / "0001")
    release.self_test()
    assert release.manifest is not None
    assert release.manifest.devices == 3
