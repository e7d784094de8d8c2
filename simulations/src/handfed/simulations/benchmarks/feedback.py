"""Feedback that was acknowledged, after 1,000 SIGKILLs and after a power cut at each point of its recorded writes."""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from rich.console import Console

from handfed.clients.edge.feedback import Desk
from handfed.shared.errors import HandfedError
from handfed.simulations.benchmarks.feedback_lives import Kills, held, joined, piece
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.power_cuts import Disk, recorded, write

KILLS: Final = 1000
PIECES: Final = 150  # enough for SQLite to move its log into the file on the way
_LIVES: Final = "handfed.simulations.benchmarks.feedback_lives"
_TIMED: Final = 200


@dataclass(frozen=True)
class Cuts:
    """What came of cutting the power.

    Attributes:
        points: Changes of the file system, after each of which it was cut.
        disks: Different contents of the disk that came of it.
        acknowledged: Pieces of feedback that were acknowledged in the end.
        lost: Pieces acknowledged before a cut that the store did not hold after it, summed over disks.
        unopened: Disks of which the store did not open, or was not whole.
    """

    points: int
    disks: int
    acknowledged: int
    lost: int
    unopened: int


def run(directory: Path, console: Console) -> None:
    """Kills, cuts, and what keeping a piece takes."""
    kills = killed(directory / "killed", KILLS, seed=0)
    cuts = cut(directory / "cut", PIECES, seed=0)
    console.print(
        figures_table(
            (
                Figure("acknowledged feedback lost by SIGKILL", kills.lost, 0, "less", ".0f"),
                Figure("stores that did not open after SIGKILL", kills.unopened, 0, "less", ".0f"),
                Figure("acknowledged feedback lost by a power cut", cuts.lost, 0, "less", ".0f"),
                Figure("stores that did not open after a power cut", cuts.unopened, 0, "less", ".0f"),
            ),
            caption=f"{kills.times} processes killed, {kills.amid} amid a piece, {kills.acknowledged} acknowledged;"
            f" power cut after each of {cuts.points} writes, syncs and names, {cuts.disks} different disks.",
        )
    )
    console.print(f"Keeping a piece takes {_milliseconds(joined(directory / 'timed')):.1f} ms, on the disk.")


def killed(folder: Path, times: int, *, seed: int) -> Kills:
    """Kills so many processes that keep feedback.

    Args:
        folder: A new folder.
        times: How many.
        seed: Of the moments.
    """
    command = [sys.executable, "-m", _LIVES, "kill", str(joined(folder)), str(times), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    return Kills(**json.loads(done.stdout))


def cut(folder: Path, pieces: int, *, seed: int) -> Cuts:
    """Records how so many pieces of feedback are kept in a store that is new, and cuts the power at each point.

    Args:
        folder: A new folder.
        pieces: How many.
        seed: Of which unsynced writes reach the disk.

    Raises:
        MissingExtraError: There is no strace here.
    """
    device = folder / "disk" / "device"
    joined(device)
    disk, chance = Disk(device.parent), random.Random(seed)  # noqa: S311 - no secrets
    changes = recorded([sys.executable, "-m", _LIVES, "write", str(device), str(pieces)], folder / "log")
    acknowledged: dict[int, int] = {}
    known: set[bytes] = set()
    lost = unopened = points = 0
    for change in changes:
        if change.kind == "say":
            _, number, of_piece = change.content.split()
            acknowledged[int(number)] = int(of_piece)
        else:
            disk.apply(change)
            points += 1
        for tree in disk.after_a_cut(chance):
            digest = sha256(repr((sorted(tree.items()), len(acknowledged))).encode()).digest()
            if digest in known:
                continue
            known.add(digest)
            place = write(tree, folder / str(len(known)))
            try:
                lost += held(place / "device", acknowledged, whole=True)
            except HandfedError:
                unopened += 1
            shutil.rmtree(place)
    return Cuts(points, len(known), len(acknowledged), lost, unopened)


def _milliseconds(folder: Path) -> float:
    """The median time of keeping a piece."""
    times = []
    with closing(Desk(folder, by="me")) as desk:
        for number in range(_TIMED):
            given = piece(number)
            started = time.perf_counter()
            desk.keep(given)
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)
