"""A child ends with its parent, even where it waits and hears nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

CHILD = """
import os, time
from handfed.shared.parent import die_with
die_with(os.getppid())
print(os.getpid(), flush=True)
time.sleep(600)
"""
PARENT = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {CHILD!r}]); time.sleep(600)"


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no means to it")
def test_a_child_is_killed_when_its_parent_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().strip()
        assert child.exists()
        parent.kill()
    end = time.monotonic() + 30
    while child.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert not child.exists()
