"""The process that compares two releases (`shadow`), as its parent has it: what came of it, or how it failed.

Rules:
1. Of a failure the kind of error or the signal is known, and no more: what else was said may be of handwriting.
2. A process that a fault ends while the candidate reads was ended by the candidate. Whatever ends it by another signal,
   as a system short of memory does, says nothing of a model.
"""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handfed.shared.parent import child
from handfed.shared.release_reports import Comparison

CANDIDATE: Final = "candidate"  # is printed when its turn comes
_MODULE: Final = "handfed.clients.device.shadow"
_LONGEST_S: Final = 3600.0
_FAULTS: Final = {
    -number
    for number in (
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGSYS,
    )
}


@dataclass(frozen=True)
class Broken:
    """How a comparison failed.

    Attributes:
        why: The kind of error, or the signal.
        is_crash: Whether the candidate ended the process as it read.
    """

    why: str
    is_crash: bool = False


def compare(folder: Path, champion: Path, candidate: Path, *, patience_s: float = _LONGEST_S) -> Comparison | Broken:
    """Has two releases compared on a device's held-out handwriting.

    Args:
        folder: The device's folder.
        champion: Directory of the release in use.
        candidate: Directory of the release on trial.
        patience_s: After how many seconds the process hangs.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            child(_MODULE, folder, champion, candidate),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Broken("it hung")
    lines = done.stdout.splitlines()
    if done.returncode < 0:
        return Broken(f"signal {-done.returncode}", done.returncode in _FAULTS and CANDIDATE in lines)
    if done.returncode:
        kind = done.stderr.strip().rpartition("\n")[2]
        return Broken(kind if kind.isidentifier() else f"status {done.returncode}")
    return Comparison(**json.loads(lines[-1]))
