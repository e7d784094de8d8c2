"""Looks after a device's handwriting, once.

It erases what was kept as long as it may be, assesses labels, and learns the personal layer, where one is wanted.

    python -m handfed.clients.device.handwriting_upkeep PARENT FOLDER

`handfed device run` starts it from time to time, in a process of its own that stands back behind all others. It says
counts, and what went wrong; no label, writer or name of a file.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from handfed.clients.device import personal
from handfed.clients.device.folder import store_in
from handfed.clients.device.labels.assessment import assess, is_due
from handfed.clients.device.store.database import FILE
from handfed.clients.device.store.retention import sweep
from handfed.clients.device.store.store import Store
from handfed.shared.errors import HandfedError
from handfed.shared.parent import die_with

_NICENESS: Final = 19


def look(folder: Path, now: datetime) -> str:
    """Looks after the handwriting.

    Args:
        folder: The device's.
        now: Aware.

    Returns:
        What was done, for people; empty for nothing.

    Raises:
        HandfedError: The store or the release in use cannot be used, or what opens the store is not at hand.
    """
    if not (store_in(folder) / FILE).is_file():
        return ""
    said = []
    with Store.open(store_in(folder), make=False) as store:
        went = sweep(store, now)
        if went:
            said.append(f"{went} samples of feedback were kept long enough, and are erased")
        if is_due(store):
            assessment = assess(store)
            if assessment.doubted:
                said.append(f"{assessment.doubted} labels wait for a second look: handfed device review")
        learnt = personal.learn(store, folder)
        if learnt is not None:
            used = "no better than none" if learnt.layer is None else "used from now on"
            said.append(f"the personal layer was learnt anew, and is {used}")
    return "; ".join(said)


def main(arguments: list[str]) -> int:
    """Looks once; exit status 0, or that of the error."""
    die_with(int(arguments[0]))
    os.nice(_NICENESS)
    try:
        said = look(Path(arguments[1]), datetime.now(UTC))
    except HandfedError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    if said:
        sys.stderr.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
