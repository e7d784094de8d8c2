"""Whether a release works on this machine: tried in a process of its own, since a model can end the one that it is in.

    python -m handfed.clients.edge.health PARENT RELEASE      prints {"latency_ms"} or {"reason", "message"} as JSON

Rules:
1. A release must give, here, the logits of its manifest's self-test, and read within the latency budget.
2. A process that a signal ends was ended by the model. That counts after the second time, and so does one that hangs.
3. It ends with whoever tries.
4. The least of several readings counts: what else the machine does is no fault of a release.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handfed.clients.edge.state import Reason
from handfed.shared import targets
from handfed.shared.errors import HandfedError, SelfTestError
from handfed.shared.parent import child, die_with

LATENCY_MS: Final = 4 * targets.LATENCY_MS  # an old tablet is slower than what the target is of
_READINGS: Final = 5
_ATTEMPTS: Final = 2
_PATIENCE_S: Final = 300.0


@dataclass(frozen=True)
class Health:
    """How a release did.

    Attributes:
        reason: Why it is not to be used; None where it may be.
        message: The same for people; empty where it may be used.
        latency_ms: To read one picture, of several the least; None where it came to none.
    """

    reason: Reason | None
    message: str = ""
    latency_ms: float | None = None


def examine(release: Path, *, latency_ms: float = LATENCY_MS, patience_s: float = _PATIENCE_S) -> Health:
    """Tries a release in a process of its own.

    Args:
        release: Its directory.
        latency_ms: What reading a picture may take at most.
        patience_s: After how many seconds the process hangs.
    """
    for _ in range(_ATTEMPTS):
        said = _in_a_process(release, patience_s)
        if said is not None:
            break
    else:
        return Health(Reason.CRASH, "it ended the process that read with it, twice")
    if "latency_ms" not in said:
        return Health(Reason(said["reason"]), str(said["message"]))
    took = float(said["latency_ms"])
    if took > latency_ms:
        return Health(
            Reason.LATENCY, f"it takes {took:.0f} ms to read a picture here, more than {latency_ms:.0f} ms", took
        )
    return Health(None, latency_ms=took)


def _in_a_process(release: Path, patience_s: float) -> dict[str, Any] | None:
    """What the process says; None where it ended without a word, or had to be ended."""
    try:
        done = subprocess.run(  # noqa: S603 - ourselves
            child("handfed.clients.edge.health", release),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        return None
    return said if isinstance(said, dict) and not done.returncode else None


def measure(release: Path) -> float:
    """Opens a release, tests it, and takes the time of a reading, in this process.

    Returns:
        Milliseconds to read one picture, of several the least.

    Raises:
        ManifestError: It cannot be opened, or fails its self-test.
    """
    from handfed.clients.edge.recogniser import Recogniser

    recogniser = Recogniser.open(release)
    recogniser.self_test()
    took = []
    for _ in range(_READINGS):
        begun = time.perf_counter()
        recogniser.read_self_test()
        took.append(time.perf_counter() - begun)
    return min(took) * 1000


def limit_memory() -> None:
    """Gives this process at most half of the machine's memory (Linux), and no core file.

    A model can ask for any amount; then it ends itself, and not whatever else runs on the device.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _main() -> None:
    parent, release = int(sys.argv[1]), Path(sys.argv[2])
    die_with(parent)
    limit_memory()
    try:
        said: dict[str, Any] = {"latency_ms": measure(release)}
    except HandfedError as error:
        reason = Reason.SELF_TEST if isinstance(error, SelfTestError) else Reason.UNUSABLE
        said = {"reason": reason, "message": str(error)}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    _main()
