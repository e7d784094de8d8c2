"""A server under load: how fast its control API answers while many devices wait and many people follow a run.

Requests come at a fixed rate, whether those before them are answered or not, and their time counts from when they were
due; so a server that stands still for a moment is seen to. What makes the load shares the cores with the server.
"""

from __future__ import annotations

import asyncio
import ssl
import statistics
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.postgresql import NoPostgresqlError, new_database, postgresql
from handfed.simulations.real import RealFederation, real_federation

if TYPE_CHECKING:  # importing them takes a while
    from handfed.server.api.services import Services
    from handfed.server.database import Database
    from handfed.simulations.benchmarks.crowd import Seen

DEVICES: Final = 200
STREAMS: Final = 50
RATE: Final = 20.0  # requests a second
ALONE_S: Final = 20.0
LOADED_S: Final = 60.0
ROUND_S: Final = 1.0  # between two rounds of the run that is followed
TRAINING: Final = 20  # devices in each of its rounds
CHECKPOINT: Final = bytes(500_000)
P95_AIM: Final = 100.0  # ms

_SETTLE_S: Final = 5.0  # that devices have been there before anything is measured
_TIMEOUT_S: Final = 30.0
_ASKED: Final = (
    "/devices",
    "/runs/{run}",
    "/devices?limit=200",
    "/runs",
    "/devices/{device}",
    "/runs/{run}/rounds?limit=200",
    "/me",
    "/invitations",
)


@dataclass(frozen=True)
class Answers:
    """How requests were answered.

    Attributes:
        milliseconds: From when each was due to its whole answer.
        errors: How many failed.
        cores: Cores that the server was busy on, in the mean.
    """

    milliseconds: Sequence[float]
    errors: int
    cores: float

    def percentile(self, percent: int) -> float:
        """Within so many milliseconds, so many per cent of the requests were answered."""
        return statistics.quantiles(self.milliseconds, n=100, method="inclusive")[percent - 1]


def run(directory: Path, console: Console, database: str | None = None) -> None:
    """Loads a server on each kind of database, and prints how it answered.

    Args:
        directory: Where it is kept.
        console: Where to print.
        database: URL of an empty database, for the only server; None for one on SQLite and one on PostgreSQL.
    """
    found: dict[str, tuple[Answers, Answers, Seen]] = {}
    if database is not None:
        found[database.partition(":")[0]] = loaded(directory / "load", database)
    else:
        found["sqlite"] = loaded(directory / "load-sqlite", None)
        try:
            with postgresql() as server:
                found["postgresql"] = loaded(directory / "load-postgresql", new_database(server))
        except NoPostgresqlError as error:
            console.print(f"Not measured on PostgreSQL: {error}")
    console.print(_table(found))
    caption = f"{DEVICES} devices, {STREAMS} streams, {RATE:g} requests a second."
    console.print(figures_table(_figures(found), caption=caption))


def loaded(directory: Path, database: str | None) -> tuple[Answers, Answers, Seen]:
    """How a server answers with nobody there, and with the crowd; and what became of that.

    Args:
        directory: Where the server is kept.
        database: URL of its database; None for SQLite.
    """
    from handfed.clients.device import keys as device_keys
    from handfed.server.api.services import Services
    from handfed.server.database import open_database
    from handfed.server.people.tokens import SERVER
    from handfed.simulations.benchmarks.crowd import Crowd, crowd

    with real_federation(directory, database) as made:
        made.serve()
        with open_database(made.database) as opened:
            services = Services.over(opened, authority=made.authority, attempts_per_minute=10**6)
            keys = [device_keys.make_key() for _ in range(DEVICES)]
            _enrol(services, keys, made.authority)
            made.until(lambda: len(services.devices.enrolled()) == DEVICES, "that all keys are let in", "server")
            tokens = [services.tokens.add(SERVER, f"viewer {each}", "viewer").secret for each in range(STREAMS)]
            with _run_that_goes_on(opened) as (run, end):
                asking = _Asking(made, tokens[0], run)
                alone = asking.measure(ALONE_S)
                who = Crowd(f"127.0.0.1:{made.port}", made.authority.read_bytes(), keys, tokens, run)
                with crowd(who) as seen:
                    time.sleep(_SETTLE_S)
                    under_load = asking.measure(LOADED_S)
                    end()
    return alone, under_load, seen[0]


def _enrol(services: Services, keys: Sequence[bytes], authority: Path) -> None:
    """Lets devices in, as they would ask themselves."""
    from handfed.clients.device import keys as device_keys
    from handfed.server.devices.codes import fingerprint
    from handfed.server.people.tokens import SERVER
    from handfed.shared.enrolment import enrolment_statement

    organisation = services.organisations.add(SERVER, "Schools").number
    ca = fingerprint(authority.read_text())
    for place, key in enumerate(keys):
        secret = services.invitations.invite(SERVER, organisation).secret
        public = device_keys.public_key_of(key)
        proof = b64decode(device_keys.sign(key, enrolment_statement(ca, secret, public)))
        services.enrolment.enrol(secret, public, f"device {place}", {}, "127.0.0.1", proof=proof)


@contextmanager
def _run_that_goes_on(database: Database) -> Iterator[tuple[int, Callable[[], None]]]:
    """A run on record, to which rounds are added, and what ends it."""
    from handfed.server.runs.schemas import DeviceResult, RoundResult, RunStart
    from handfed.server.runs.service import RunRecord

    record, over = RunRecord(database), threading.Event()
    run = record.start(RunStart("digits", "cnn", "fedavg", 0, {"rounds": 1000}, DEVICES, "in-process"))
    devices = tuple(DeviceResult(device, 600, 0.3, 1.0, 160_000) for device in range(1, TRAINING + 1))

    def go_on() -> None:
        for number in count(1):
            now = datetime.now(UTC)
            result = RoundResult(number, "float", now, ROUND_S, 1.0, TRAINING, TRAINING, 600, devices=devices)
            record.add_round(run, result, CHECKPOINT)
            if over.wait(ROUND_S):
                return

    thread = threading.Thread(target=go_on, name="rounds")

    def end() -> None:
        over.set()
        thread.join()
        record.finish(run, {})

    thread.start()
    try:
        yield run, end
    finally:
        over.set()
        thread.join()


class _Asking:
    """Who asks the control API.

    Args:
        made: The federation.
        token: What lets them in.
        run: The run that they ask for.
    """

    def __init__(self, made: RealFederation, token: str, run: int) -> None:
        self._server = psutil.Process(made.processes["server"].pid)
        self._trusting = ssl.create_default_context(cafile=made.authority)
        self._url = f"https://127.0.0.1:{made.port}/api/v1"
        self._token, self._run = token, run

    def measure(self, seconds: float) -> Answers:
        """Asks for so many seconds."""
        before, started = self._cpu_seconds(), time.perf_counter()
        times = asyncio.run(self._ask(seconds))
        cores = (self._cpu_seconds() - before) / (time.perf_counter() - started)
        answered = [1000 * each for each in times if each is not None]
        return Answers(answered, len(times) - len(answered), cores)

    def _cpu_seconds(self) -> float:
        found = [process.cpu_times() for process in [self._server, *self._server.children(recursive=True)]]
        return float(sum(each.user + each.system for each in found))

    async def _ask(self, seconds: float) -> list[float | None]:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(verify=self._trusting, headers=headers, timeout=_TIMEOUT_S) as client:
            start = time.perf_counter()
            due = [start + place / RATE for place in range(int(seconds * RATE))]
            return await asyncio.gather(*(self._one(client, place, at) for place, at in enumerate(due)))

    async def _one(self, client: httpx.AsyncClient, place: int, due: float) -> float | None:
        """Seconds of a request since it was due; None where it failed."""
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        path = _ASKED[place % len(_ASKED)].format(run=self._run, device=1 + place % DEVICES)
        try:
            response = await client.get(self._url + path)
        except httpx.HTTPError:
            return None
        return time.perf_counter() - due if response.is_success else None


def _table(found: dict[str, tuple[Answers, Answers, Seen]]) -> Table:
    table = Table("database", "load", "p50 ms", "p95 ms", "p99 ms", "errors", "server's cores")
    for kind, (alone, under_load, seen) in found.items():
        for load, each in (("none", alone), ("devices and streams", under_load)):
            each_ms = [f"{each.percentile(percent):.0f}" for percent in (50, 95, 99)]
            table.add_row(kind, load, *each_ms, str(each.errors), f"{each.cores:.2f}")
        table.add_row(kind, f"{seen.asked} questions of devices, {seen.events} events, {seen.ended} ends")
        for said, times in seen.errors.most_common(3):
            table.add_row(kind, f"{times} times: {said}")
    return table


def _figures(found: dict[str, tuple[Answers, Answers, Seen]]) -> list[Figure]:
    figures = []
    for kind, (_, under_load, seen) in found.items():
        errors = under_load.errors + seen.errors.total() + (STREAMS - seen.ended)
        figures += [
            Figure(f"ms within which 95 % are answered, {kind}", under_load.percentile(95), P95_AIM, "less", ".0f"),
            Figure(f"errors, {kind}", errors, 0, "less", ".0f"),
        ]
    return figures
