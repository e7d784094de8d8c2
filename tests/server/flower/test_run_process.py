"""A run's process is heard of before it does what takes long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_nothing_heavy_is_loaded_before_the_process_has_joined() -> None:
    code = "import sys, handfed.server.flower.run_process; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_process_whose_server_ended_meanwhile_ends_too(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    told = (str(gone.pid), "1", str(tmp_path), "127.0.0.1:9")
    command = [sys.executable, "-m", "handfed.server.flower.run_process", *told]
    given = f"sqlite:///{tmp_path / 'handfed.db'}\ntoken\n".encode()
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=120)
    assert done.returncode != 0
