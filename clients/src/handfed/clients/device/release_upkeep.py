"""Keeps the release that a device uses as its federation wants it: pulls, compares what is on trial, and reports.

    python -m handfed.clients.device.release_upkeep PARENT FOLDER              all of it, once
    python -m handfed.clients.device.release_upkeep PARENT FOLDER report       without the pull

`handfed device run` starts it from time to time, in a process of its own, since a model that crashes and memory that
LiteRT takes are to be gone afterwards; `handfed edge pull` starts the second after its own pull. It ends with PARENT,
the process of that id.

    release-report.json     the last report's number, what was said, what was compared and what was surveyed: figures

Rules:
1. What fails is told and tried again the next time; the release in use goes on.
2. Two releases are compared once for what the store holds: again when it has changed, and then all of it anew, so that
   each held-out sample counts once.
3. A comparison that fails is told, and tried again when there is something else to compare, and once a day. A candidate
   that crashes it twice as it reads is quarantined; one that has not got through it yet is not said to be healthy.
4. A report is sent where something has changed since the last one that the server took, and once a day.
5. A server hears of its own registry's releases alone, and of what a membership before it was told nothing counts.
6. A run whose release has come to this device is finished: what it trained on is new no more. The handwriting is
   surveyed again where it has changed, or what counts as new, or the release in use.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from handfed.clients.device import credentials, keys
from handfed.clients.device.credentials import Enrolment
from handfed.clients.device.folder import store_in
from handfed.clients.device.server_link import ServerLink
from handfed.clients.device.shadow_process import compare
from handfed.clients.device.store.store import Store as Handwriting
from handfed.clients.edge.source import locate as source_of
from handfed.clients.edge.source import registry_of
from handfed.clients.edge.state import Reason, State
from handfed.clients.edge.store import CRASHES, Store, now, number_of
from handfed.clients.edge.tally import Tally
from handfed.clients.edge.updater import pull
from handfed.shared.errors import HandfedError
from handfed.shared.files import write_atomically
from handfed.shared.handwriting_reports import HandwritingReport
from handfed.shared.manifest import read_manifest
from handfed.shared.parent import child, die_with
from handfed.shared.release_reports import (
    MOST_ENTRIES,
    PATH,
    Comparison,
    Condition,
    Report,
    SignedReport,
    Standing,
    Use,
    statement,
    told_latency,
)

FILE: Final = "release-report.json"
_SURVEY: Final = "handfed.clients.device.survey"
_SURVEYING_S: Final = 3600.0
_AGAIN_S: Final = 86_400.0
_CONDITIONS: Final = {
    Reason.SELF_TEST: Condition.FAILED_SELF_TEST,
    Reason.LATENCY: Condition.SLOW,
    Reason.CRASH: Condition.CRASHED,
    Reason.UNUSABLE: Condition.UNUSABLE,
}
_log: Final = logging.getLogger(__name__)
Pair = tuple[str, str]


@dataclass(frozen=True)
class Failure:
    """A comparison that came to nothing.

    Attributes:
        pair: Names of the release in use and of the one on trial.
        revision: Of the store.
        at: When, in seconds since 1970.
        crashes: How often the candidate has ended the process by now.
    """

    pair: Pair
    revision: int
    at: float
    crashes: int


@dataclass(frozen=True)
class Said:
    """What was reported last.

    Attributes:
        sequence: Of the last report.
        text: What it said, without its number; empty before the first that was taken.
        at: When, in seconds since 1970.
        to: Whom: names a membership.
        pair: Names of the releases that were compared last.
        revision: Of the store, when that was.
        comparison: What came of it.
        failure: A later comparison that failed.
        surveyed: Of the last survey: the store's revision, the last sample that counted as trained on, the release.
        handwriting: What it found.
    """

    sequence: int = 0
    text: str = ""
    at: float = 0.0
    to: str | None = None
    pair: Pair | None = None
    revision: int | None = None
    comparison: Comparison | None = None
    failure: Failure | None = None
    surveyed: tuple[int, ...] = ()
    handwriting: HandwritingReport | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What the file says; nothing where it is missing or damaged, as the server tells the number."""
        try:
            value: dict[str, Any] = json.loads((folder / FILE).read_bytes())
            comparison, pair, failure = value.pop("comparison"), value.pop("pair", None), value.pop("failure", None)
            survey = value.pop("handwriting", None)
            return cls(
                **{**value, "surveyed": tuple(value.pop("surveyed", ()))},
                comparison=Comparison(**comparison) if comparison else None,
                pair=_pair(pair) if pair else None,
                failure=Failure(**{**failure, "pair": _pair(failure["pair"])}) if failure else None,
                handwriting=None if survey is None else HandwritingReport.from_json(survey),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def told(self, enrolment: Enrolment) -> Self:
        """What counts for a membership; nothing of another one."""
        to = f"{enrolment.fingerprint} {enrolment.device}"
        return replace(self, to=to) if self.to in {None, to} else type(self)(to=to)

    def write(self, folder: Path) -> None:
        """Writes the file.

        Raises:
            StorageError: It cannot be written.
        """
        survey = None if self.handwriting is None else self.handwriting.to_json()
        said = {**asdict(replace(self, handwriting=None)), "handwriting": survey}
        write_atomically(folder / FILE, json.dumps(said, indent=2).encode() + b"\n")


def look(folder: Path, clock: Callable[[], float] = time.time) -> str:
    """Pulls, compares and reports once.

    Args:
        folder: The device's folder; it has joined.
        clock: Seconds since 1970.

    Returns:
        What came of the pull, for people.

    Raises:
        HandfedError: The registry or the server cannot be reached, or breaks a rule.
    """
    store = Store(folder)
    try:
        news = pull(store, source_of(folder)).message
    finally:  # what stands in quarantine is told though a pull failed
        report(folder, clock)
    return news


def report(folder: Path, clock: Callable[[], float] = time.time) -> None:
    """Compares what is on trial, surveys what is new, and reports.

    Args:
        folder: The device's folder; it has joined.
        clock: Seconds since 1970.

    Raises:
        HandfedError: The server cannot be reached.
    """
    store, enrolment, now_s = Store(folder), credentials.load(folder), clock()
    said = _surveyed(folder, store, _compared(folder, store, Said.read(folder).told(enrolment), now_s))
    said.write(folder)
    state = _of_this_registry(folder, store.state())
    doubted = said.failure.pair[1] if said.failure and said.failure.pair == (state.current, state.on_trial) else None
    _report(folder, enrolment, standings(state, doubted), said, now_s)


def standings(state: State, doubted: str | None = None) -> tuple[Standing, ...]:
    """What a device has to say of the releases that it holds or refuses.

    Args:
        state: What it knows of them.
        doubted: The name of one that has not shown whether it is well.
    """
    refused = {
        number_of(name): _CONDITIONS[found.reason]
        for name, found in state.quarantined.items()
        if found.reason in _CONDITIONS
    }
    ours = [each for each in (state.on_trial, state.current) if each and each not in state.foreign]
    held = {number_of(name): Condition.HEALTHY for name in ours if name != doubted}
    current = number_of(state.current) if state.current in ours and state.current else None
    took = {number_of(name): told_latency(state.speeds[name]) for name in ours if name in state.speeds}
    found = sorted((refused | held).items(), reverse=True)[:MOST_ENTRIES]
    return tuple(Standing(release, how, release == current, took.get(release)) for release, how in found)


def _of_this_registry(folder: Path, state: State) -> State:
    """What the device knows of releases; nothing where that is of another registry than its federation's."""
    root = credentials.registry_root(folder)
    return state if root is None or state.registry in {None, registry_of(root)} else State()


def uses(folder: Path) -> tuple[Use, ...]:
    """What a device has to say of readings that people saw, of releases with so many that it may."""
    counted = Tally(folder).counts().items()
    told = (Use.told(release, count.readings, count.corrections) for release, count in sorted(counted))
    return tuple(each for each in told if each.readings)


def _compared(folder: Path, store: Store, said: Said, now_s: float) -> Said:
    """Compares the release in use with the one on trial, where that is to be done."""
    state = _of_this_registry(folder, store.state())
    if state.current is None or state.on_trial is None or state.current in state.foreign:
        return said
    pair = state.current, state.on_trial
    try:
        with Handwriting.open(store_in(folder), make=False) as handwriting:
            revision = handwriting.revision()
    except HandfedError:
        return said  # no handwriting, or none that can be read now
    if (said.pair, said.revision) == (pair, revision):
        return said
    failed = said.failure
    if failed and (failed.pair, failed.revision) == (pair, revision) and 0 <= now_s - failed.at < _AGAIN_S:
        return said
    found = compare(folder, *map(store.path, pair))
    if isinstance(found, Comparison):
        return replace(said, pair=pair, revision=revision, comparison=found, failure=None)
    before = failed.crashes if failed and failed.pair[1] == pair[1] else 0
    return replace(said, failure=_failed(store, Failure(pair, revision, now_s, before + found.is_crash), found.why))


def _failed(store: Store, failure: Failure, why: str) -> Failure:
    """Tells of a comparison that failed, and quarantines a candidate that has crashed it too often."""
    candidate = failure.pair[1]
    _log.warning("the comparison of releases %d and %d failed: %s", *map(number_of, failure.pair), why)
    if failure.crashes >= CRASHES:
        store.give_up(candidate, Reason.CRASH)
    else:
        store.change(lambda state: state.with_fact("not compared", candidate, why, now()))
    return failure


def _pair(names: list[str]) -> Pair:
    first, second = names
    return first, second


def _surveyed(folder: Path, store: Store, said: Said) -> Said:
    """Surveys the device's handwriting, where that is to be done."""
    state = _of_this_registry(folder, store.state())
    if state.current is None:
        return said
    try:
        finished = [read_manifest(store.path(each)).run for each in (state.current, state.on_trial) if each]
        with Handwriting.open(store_in(folder), make=False) as handwriting:
            handwriting.settle(finished)
            seen = handwriting.revision(), handwriting.trained_up_to(), number_of(state.current)
    except HandfedError:
        return said  # no handwriting, or none that can be read now
    if said.surveyed == seen:
        return said
    command = child(_SURVEY, folder, store.path(state.current))
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SURVEYING_S, check=False)  # noqa: S603 - our own module
        found = HandwritingReport.from_json(json.loads(done.stdout)) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        found = None
    return said if found is None else replace(said, surveyed=seen, handwriting=found)


def _report(folder: Path, enrolment: Enrolment, standings: tuple[Standing, ...], said: Said, now_s: float) -> None:
    """Tells the server, where there is news."""
    comparisons = () if said.comparison is None else (said.comparison,)
    report = Report(1, standings, comparisons, said.handwriting, uses(folder))
    text = report.encode()
    if text == said.text and 0 <= now_s - said.at < _AGAIN_S:
        return
    numbered = replace(report, sequence=said.sequence + 1).encode()
    signature = keys.sign(credentials.read(folder, credentials.KEY), statement(enrolment.device, numbered))
    answer = ServerLink(enrolment.address).post(
        PATH.format(device=enrolment.device),
        SignedReport(numbered, signature).as_json(),
        credentials.read(folder, credentials.CA),
    )
    taken = answer.get("sequence") if isinstance(answer, dict) else None
    reached = taken if type(taken) is int else said.sequence + 1
    was_taken = reached == said.sequence + 1  # else the server has heard a later one, as of before a backup
    replace(said, sequence=reached, text=text if was_taken else "", at=now_s).write(folder)


def main(arguments: list[str]) -> int:
    """Looks, or reports, once; exit status 0, or that of the error."""
    parent, folder = int(arguments[0]), Path(arguments[1])
    die_with(parent)
    logging.basicConfig(format="%(message)s")
    try:
        if arguments[2:] == ["report"]:
            report(folder)
        else:
            sys.stderr.write(f"{look(folder)}\n")
    except HandfedError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
