"""Processes that keep feedback until they are killed, and what of it a store must hold.

    python -m handfed.simulations.benchmarks.feedback_lives write FOLDER COUNT
    python -m handfed.simulations.benchmarks.feedback_lives kill FOLDER TIMES SEED

The first keeps so many pieces of feedback and says `kept NUMBER PIECE` of each when it is acknowledged. The second
begins as many processes that keep feedback one after the other, kills each by SIGKILL at a random moment (every other
one once it has kept something, however slow the machine is), looks at the store after each, and prints JSON of `Kills`.

Each piece is made from its number alone, so that it can be told whether what is in the store is what was given.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.feedback import Feedback
from handfed.clients.device.store.store import Store
from handfed.clients.edge.feedback import Desk
from handfed.shared.errors import HandfedError

_LONGEST_S: Final = 0.15  # a life; opening the store is a part of it
_A_LIFE: Final = 1_000_000  # pieces, more than one life comes to
_WHOLE_EVERY: Final = 50  # lives after which all of the store is looked at, and not only what the last one kept
_WRITERS: Final = 7


@dataclass(frozen=True)
class Kills:
    """What came of killing.

    Attributes:
        times: Processes that were killed.
        amid: Of them, those with a piece of feedback under way.
        acknowledged: Pieces that were acknowledged.
        lost: Of them, those that the store does not hold as they were given.
        unopened: Times that the store did not open, or was not whole.
    """

    times: int
    amid: int
    acknowledged: int
    lost: int
    unopened: int


def piece(number: int) -> Feedback:
    """A piece of feedback."""
    image = np.random.default_rng(number).integers(0, 256, (28, 28), np.uint8)
    writer = f"writer {number % _WRITERS}" if number % _WRITERS else None
    return Feedback("characters", image, str(number % 10), str(number // 10 % 10), 0.5, 1, writer=writer)


def joined(folder: Path) -> Path:
    """Makes the folder of a device that has joined, without a store."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "enrolment.json").write_text("{}")
    return folder


def held(folder: Path, pieces: dict[int, int], *, whole: bool) -> int:
    """How many pieces a store does not hold as they were given.

    Args:
        folder: The device's.
        pieces: The pieces by the numbers of feedback.
        whole: Whether to look at each page of the store, too.

    Raises:
        HandfedError: It does not open, or is not whole; or is not there, and should hold something.
    """
    query = (
        "SELECT f.reading, s.label, s.image FROM feedback f JOIN samples s ON s.id = f.sample WHERE f.id = ?"
        " AND f.kind = (CASE WHEN f.reading = s.label THEN 'confirmation' ELSE 'correction' END)"
    )
    lost = 0
    with Store.open(store_in(folder), make=not pieces) as store, store.plain() as connection:
        if whole and connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise HandfedError("the store is not whole")
        for number, of_piece in pieces.items():
            given = piece(of_piece)
            row = connection.execute(query, (number,)).fetchone()
            lost += row != (given.reading.encode(), given.label.encode(), given.image.tobytes())
    return lost


def _kept(desk: Desk, of_piece: int) -> int:
    return desk.keep(piece(of_piece)).number


def _life(folder: Path, life: int, telling: int) -> None:
    """Keeps feedback for ever, and tells which piece it begins and which is acknowledged."""
    with closing(Desk(folder, by="me")) as desk:
        for of_piece in range(life * _A_LIFE, (life + 1) * _A_LIFE):
            os.write(telling, f"begun {of_piece}\n".encode())
            os.write(telling, f"kept {_kept(desk, of_piece)} {of_piece}\n".encode())


def _killed(folder: Path, life: int, after_s: float) -> tuple[dict[int, int], bool]:
    """Begins a process and kills it so many seconds after it began, or, of every other life, kept its first piece.

    Returns:
        What it said was kept, and whether a piece was under way.
    """
    listening, telling = os.pipe()
    child = os.fork()
    if not child:
        os.close(listening)
        try:
            _life(folder, life, telling)
        finally:
            os._exit(1)
    os.close(telling)
    with os.fdopen(listening, encoding="ascii") as said:
        heard: list[str] = []
        while life % 2 and (not heard or heard[-1].startswith("begun")):
            heard.append(said.readline())
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        lines = [line.split() for line in [*heard, *said] if line.endswith("\n")]
    if not os.WIFSIGNALED(status):
        raise HandfedError("a process ended before it was killed")
    return {int(line[1]): int(line[2]) for line in lines if line[0] == "kept"}, bool(lines) and lines[-1][0] == "begun"


def kill(folder: Path, times: int, seed: int) -> Kills:
    """Kills processes that keep feedback in one store.

    Args:
        folder: Of a device that has joined.
        times: How many.
        seed: Of the moments.
    """
    chance = random.Random(seed)  # noqa: S311 - moments, and no secrets
    everything: dict[int, int] = {}
    amid = lost = unopened = 0
    for life in range(times):
        kept, was_amid = _killed(folder, life, chance.uniform(0, _LONGEST_S))
        everything |= kept
        amid += was_amid
        is_last = life + 1 == times
        if not everything:
            continue
        try:
            if is_last or life % _WHOLE_EVERY == 0:
                missing = held(folder, everything, whole=True)
            else:
                missing = held(folder, kept, whole=False)
        except HandfedError:
            unopened += 1
        else:
            lost += missing
    return Kills(times, amid, len(everything), lost, unopened)


def main(arguments: list[str]) -> None:
    """Does what the module's words say."""
    what, folder, count = arguments[0], Path(arguments[1]), int(arguments[2])
    if what == "write":
        with closing(Desk(folder, by="me")) as desk:
            for of_piece in range(count):
                os.write(1, f"kept {_kept(desk, of_piece)} {of_piece}\n".encode())
    else:
        sys.stdout.write(json.dumps(asdict(kill(folder, count, int(arguments[3])))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
