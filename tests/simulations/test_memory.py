"""Memory is counted over all processes that a simulation started."""

from __future__ import annotations

import subprocess
import sys

from handfed.simulations.memory import PeakMemory, watched

HOLDS = "import sys; held = bytearray(b'x' * 60_000_000); print(flush=True); sys.stdin.read()"


def test_memory_of_a_child_counts_and_the_peak_stays_when_it_is_gone() -> None:
    before = PeakMemory()
    before.look()
    with watched() as peak:
        with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            peak.look()
            child.communicate()
        assert peak.peak_bytes > before.peak_bytes + 50_000_000
        after = PeakMemory()
        after.look()
    assert after.peak_bytes < peak.peak_bytes - 50_000_000
