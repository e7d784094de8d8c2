"""Lives of a run: processes that simulate it, and that SIGKILL ends on the way, as a power cut would.

A life dies at an event of its own, so that death comes between two particular steps, or after some time, wherever it is
then. Nothing of the simulation is replaced: events are what Python, SQLAlchemy and an engine tell those who watch.

    message KIND        a device has answered
    sql STATEMENT       a statement is about to go to the database
    commit              a transaction is about to be committed
    os.rename PATH      and other events of files within the data directory, about to happen; PATH is relative to it

Each life is forked from a server that has imported TensorFlow and not started it, which saves it seconds.

Sources: PEP 578 and https://docs.python.org/3/library/audit_events.html; SQLAlchemy's `ConnectionEvents`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from handfed.shared.errors import HandfedError
from handfed.simulations.running import silence, start_tensorflow

if TYPE_CHECKING:  # importing it starts TensorFlow
    from handfed.simulations.federation import Federation

ENGINE: Final = "in-process"
DATABASE: Final = "handfed.db"
FILE_EVENTS: Final = {  # by name, which of its arguments is the path that counts
    "open": 0, "os.rename": 1, "os.mkdir": 0, "os.remove": 0, "os.chmod": 0, "shutil.rmtree": 0,
}  # fmt: skip

_PRELOADED: Final = ["handfed.simulations.benchmarks.lives", "handfed.simulations.federation"]


@dataclass(frozen=True)
class Death:
    """When a life ends.

    Attributes:
        event: How the name of the event begins.
        nth: At which of these events, counted from 1; 0 for none.
        after_s: Seconds after which it ends in any case; None for never.
    """

    event: str = ""
    nth: int = 0
    after_s: float | None = None


@dataclass(frozen=True)
class Ended:
    """How a life ended.

    Attributes:
        killed: Whether it was killed; otherwise the run came to its end.
        event: What was about to happen; "" where time ended it.
        events: How many events there had been.
    """

    killed: bool
    event: str
    events: int


@dataclass(frozen=True)
class OnRecord:
    """What the database holds of the one run in it.

    Attributes:
        run: Its number; None before it was recorded.
        rounds: Number, phase and loss of each round, in order.
        status: Of the run, as it is recorded.
        releases: How many releases it made.
        weights_sha256: Of the arrays it ended with; None until then.
    """

    run: int | None = None
    rounds: tuple[tuple[int, str, float], ...] = ()
    status: str = ""
    releases: int = 0
    weights_sha256: str | None = None


def live(federation: Federation, directory: Path, *, resume: int | None, death: Death | None) -> Ended:
    """Simulates a federation in a process of its own until it dies or is done.

    Args:
        federation: What is simulated.
        directory: The data directory.
        resume: Number of the run to go on with; None to begin one.
        death: When it dies; None for never.

    Raises:
        HandfedError: It failed for another reason; it has said why.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    listening, telling = context.Pipe(duplex=False)
    process = context.Process(target=_live, args=(federation, directory, resume, death, telling), daemon=True)
    process.start()
    telling.close()  # the process has its own
    with listening:
        process.join(None if death is None else death.after_s)
        process.kill()
        process.join()
        try:
            event, events = listening.recv()
        except EOFError:  # it died of time, and had no chance to say anything
            event, events = "", 0
    if process.exitcode not in {0, -signal.SIGKILL}:
        raise HandfedError(f"a life of the run in {directory} ended by itself, with status {process.exitcode}")
    return Ended(process.exitcode != 0, event, events)


def on_record(directory: Path) -> OnRecord:
    """What a run in a data directory has left on record, read past Handfed's own code."""
    file = directory / DATABASE
    if not file.exists():
        return OnRecord()
    with closing(sqlite3.connect(file)) as database:
        known = database.execute("SELECT name FROM sqlite_master WHERE name = 'runs'").fetchall()
        runs = database.execute("SELECT id, status, summary FROM runs").fetchall() if known else []
        if not runs:
            return OnRecord()
        ((run, status, summary),) = runs
        rounds = database.execute("SELECT number, phase, loss FROM rounds WHERE run_id = ? ORDER BY rowid", (run,))
        (releases,) = database.execute("SELECT count(*) FROM releases WHERE run_id = ?", (run,)).fetchone()
        return OnRecord(
            run,
            tuple(rounds),
            status,
            releases,
            json.loads(summary)["weights_sha256"] if status == "done" else None,
        )


def _live(
    federation: Federation, directory: Path, resume: int | None, death: Death | None, telling: Connection
) -> None:
    """What the process does; `telling` is told how it ends."""
    silence()
    from handfed.server.database import open_database
    from handfed.server.releases.service import ReleaseRecord
    from handfed.server.runs.service import RunRecord
    from handfed.shared.data_directory import database_url
    from handfed.simulations.engines import Workers
    from handfed.simulations.federation import Place, simulate

    start_tensorflow(1)
    events = _Events(death, telling)
    _watch(directory, events.happen)
    with open_database(database_url(directory, None)) as database:
        simulate(
            federation,
            Place(RunRecord(database), ReleaseRecord(database), directory),
            engine=ENGINE,
            workers=Workers(),
            listeners=[],
            progress=lambda kind, _done, _asked: events.happen(f"message {kind}"),
            resume=resume,
        )
    telling.send(("", events.seen))


class _Events:
    """Counts events, and ends the process at the one that it is to die at."""

    def __init__(self, death: Death | None, telling: Connection) -> None:
        self._death = death
        self._telling = telling
        self._fitting = 0
        self.seen = 0

    def happen(self, name: str) -> None:
        """An event."""
        self.seen += 1
        if self._death is None or not name.startswith(self._death.event):
            return
        self._fitting += 1
        if self._fitting == self._death.nth:
            self._telling.send((name, self.seen))
            os.kill(os.getpid(), signal.SIGKILL)


def _watch(directory: Path, happen: Callable[[str], None]) -> None:
    """Has `happen` called at every event of the database and of files in `directory`."""
    from sqlalchemy import Engine, event

    def statement(_connection: object, _cursor: object, text: str, *_: object) -> None:
        happen(f"sql {text.split(maxsplit=1)[0]}")

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        if name in FILE_EVENTS:
            path = arguments[FILE_EVENTS[name]]
            text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""  # or a descriptor
            if text.startswith(within):
                happen(f"{name} {text.removeprefix(within)}")

    within = f"{directory}/"
    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", lambda _connection: happen("commit"))
    sys.addaudithook(audit)
