"""A server and three devices as people run them: how soon a device trains, how long a round takes, what waiting costs.

All are processes of their own on this machine, with TLS between them, and so share its cores. Commands are run one
after the other by a script, as fast as they end. Times are longer where the machine does other work as well; seconds of
CPU, which stand beside them, hardly are.
"""

from __future__ import annotations

import contextlib
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from handfed.shared.errors import HandfedError
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.real import RealFederation, real_federation, write_handwriting

if TYPE_CHECKING:  # importing them takes a while
    from handfed.server.database import Database
    from handfed.server.runs.schemas import RoundResult

DEVICES: Final = ("north", "south", "west")
IMAGES: Final = 600  # a device
FLOAT_ROUNDS: Final = 8  # the first of them is not counted
SETTINGS: Final = (f"rounds={FLOAT_ROUNDS + 1}", "qat_rounds=1", "float_margin=1.0")
IDLE_S: Final = 30.0  # after which a device lets TensorFlow go, here
_SETTLED_S: Final = 5.0  # after which a process that waits holds what it holds

FIRST_ROUND_AIM: Final = 45.0  # s
ROUND_AIM: Final = 6.0  # s
SERVER_AIM: Final = 450.0  # MB
DEVICE_AIM: Final = 200.0  # MB


@dataclass(frozen=True)
class Held:
    """Memory of a process and of all that descend from it, in bytes.

    Attributes:
        proportional: What several share counts for each in proportion (PSS).
        resident: What several share counts for each in full (RSS): never less than it is.
        processes: How many there are.
    """

    proportional: int
    resident: int
    processes: int


@dataclass(frozen=True)
class Spent:
    """What something took of all processes together.

    Attributes:
        wall_s: Seconds that went by.
        cpu_s: Seconds of CPU.
    """

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Split:
    """Where the time of a round goes, in seconds.

    Attributes:
        whole: From its beginning to that of the next one.
        training: Of the device that trained longest, as it says.
    """

    whole: float
    training: float

    @property
    def rest(self) -> float:
        """Evaluation, transport, aggregation, the record, and waiting."""
        return self.whole - self.training


def run(directory: Path, console: Console, database: str | None = None) -> None:
    """Runs a federation to its release and prints what it took.

    Args:
        directory: Where it is kept.
        console: Where to print.
        database: URL of an empty database for the server; None for SQLite.
    """
    from handfed.server.database import open_database

    held: dict[str, Held] = {}
    with real_federation(directory / "real", database) as made:
        made.serve()
        held["server, before any device"] = _settled(made, "server")
        with open_database(made.database) as opened:
            for name, rows in zip(DEVICES, _rows(), strict=True):
                write_handwriting(directory / f"{name}.npz", MNIST5K.load(), rows)
            for name in DEVICES[:-1]:
                _enter(directory, made, opened, name)
            held["device, before TensorFlow"] = _settled(made, DEVICES[0])
            first_round, number = _first_round(directory, made, opened)
            steady = _spent(made, lambda: _until_rounds(made, opened, number, FLOAT_ROUNDS))
            splits = _splits(_to_its_end(made, opened, number))
        held["device, with TensorFlow"] = _held(made, DEVICES[0])
        made.until(lambda: len(_family(made, DEVICES[0])) == 1, "the end of an idle trainer", DEVICES[0])
        held["device, after TensorFlow was let go"] = _settled(made, DEVICES[0])
        held["server, after a run"] = _settled(made, "server")
    kind = made.database.partition(":")[0]
    console.print(_rounds_table(splits), _memory_table(held))
    caption = (
        f"{len(DEVICES)} devices with {IMAGES} digits each, a thread each; the server's database: {kind}. Seconds of"
        f" CPU, of all processes: {first_round.cpu_s:.0f} until the end of the first round, then"
        f" {steady.cpu_s / (FLOAT_ROUNDS - 1):.1f} a round."
    )
    console.print(figures_table(_figures(first_round.wall_s, splits, held), caption=caption))


def _first_round(directory: Path, made: RealFederation, database: Database) -> tuple[Spent, int]:
    """From the last device's invitation to the end of its first round, and the number of the run."""
    numbers = []

    def script() -> None:
        _enter(directory, made, database, DEVICES[-1])
        asked = [part for each in SETTINGS for part in ("--set", each)]
        numbers.append(int(made.answer("runs", "start", *asked)["run"]["id"]))
        _until_rounds(made, database, numbers[0], 1)

    return _spent(made, script), numbers[0]


def _spent(made: RealFederation, action: Callable[[], None]) -> Spent:
    """What an action took of the federation's processes, and of the commands that it ran."""
    started, cpu_s = time.perf_counter(), _cpu_seconds(made)
    action()
    return Spent(time.perf_counter() - started, _cpu_seconds(made) - cpu_s)


def _cpu_seconds(made: RealFederation) -> float:
    """Of all processes that go on, and of the commands that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = [process.cpu_times() for name in made.processes for process in _family(made, name)]
    return float(ended.ru_utime + ended.ru_stime + sum(each.user + each.system for each in found))


def _rows() -> Sequence[list[int]]:
    """What each device has: digits of all classes, none of them twice."""
    order = np.random.default_rng(0).permutation(len(MNIST5K.load()))
    return [[int(row) for row in order[place * IMAGES : (place + 1) * IMAGES]] for place in range(len(DEVICES))]


def _enter(directory: Path, made: RealFederation, database: Database, name: str) -> None:
    """Has a device join and take part, until the server has heard of it."""
    from handfed.server.devices.registry import Registrar
    from handfed.server.devices.service import Devices

    devices = Devices(database, Registrar(database, None))
    made.join(name, f"School {name}", directory / f"{name}.npz")
    made.take_part(name, "--threads", 1, "--nice", 0, "--idle-minutes", IDLE_S / 60)
    made.until(lambda: all(each.last_seen_at for each in devices.enrolled().values()), "contact", name)


def _until_rounds(made: RealFederation, database: Database, number: int, rounds: int) -> None:
    from handfed.server.runs.service import RunRecord

    record = RunRecord(database)
    made.until(lambda: record.get(number).rounds >= rounds, f"round {rounds}", "server")


def _to_its_end(made: RealFederation, database: Database, number: int) -> tuple[RoundResult, ...]:
    """Waits for a run's end, and gives its rounds.

    Raises:
        HandfedError: It did not end well.
    """
    from handfed.server.runs.service import RunRecord

    record = RunRecord(database)
    made.until(lambda: record.get(number).ended_at, "the end of the run", "server")
    if record.get(number).status != "done":
        raise HandfedError(f"the run is {record.get(number).status}: {record.get(number).error}")
    return record.results(number)


def _splits(rounds: Sequence[RoundResult]) -> list[Split]:
    """Of the float rounds after the first, but the last: after it, devices calibrate."""
    return [
        Split((after.started_at - each.started_at).total_seconds(), max(one.seconds or 0.0 for one in each.devices))
        for each, after in pairwise(rounds)
        if 1 < each.number < FLOAT_ROUNDS
    ]


def _held(made: RealFederation, name: str) -> Held:
    """What one of the processes and its descendants hold now."""
    found = []
    for process in _family(made, name):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            found.append(process.memory_full_info())
    return Held(sum(each.pss for each in found), sum(each.rss for each in found), len(found))


def _family(made: RealFederation, name: str) -> list[psutil.Process]:
    root = psutil.Process(made.processes[name].pid)
    return [root, *root.children(recursive=True)]


def _settled(made: RealFederation, name: str) -> Held:
    """The same, after a moment in which nothing is asked of it."""
    time.sleep(_SETTLED_S)
    return _held(made, name)


def _rounds_table(splits: Sequence[Split]) -> Table:
    table = Table(
        "s a round", "of which training", "rest", caption="Training of the slowest device. The last row: medians."
    )
    rows = [(each.whole, each.training, each.rest) for each in splits]
    for row in [*rows, tuple(statistics.median(column) for column in zip(*rows, strict=True))]:
        table.add_row(*(f"{seconds:.2f}" for seconds in row))
    return table


def _memory_table(held: Mapping[str, Held]) -> Table:
    table = Table("MB", "PSS", "RSS", "processes", caption="Of a process with all that it started.")
    for what, each in held.items():
        table.add_row(what, f"{each.proportional / 1e6:.0f}", f"{each.resident / 1e6:.0f}", str(each.processes))
    return table


def _figures(first_round_s: float, splits: Sequence[Split], held: Mapping[str, Held]) -> list[Figure]:
    idle = {
        whose: max(each.resident for what, each in held.items() if what.startswith(whose) and "with" not in what)
        for whose in ("server", "device")
    }
    return [
        Figure("s from invitation to the end of its first round", first_round_s, FIRST_ROUND_AIM, "less", ".1f"),
        Figure("s a round (median)", statistics.median(each.whole for each in splits), ROUND_AIM, "less"),
        Figure("MB (RSS) of a server that waits", idle["server"] / 1e6, SERVER_AIM, "less", ".0f"),
        Figure("MB (RSS) of a device that waits", idle["device"] / 1e6, DEVICE_AIM, "less", ".0f"),
    ]
