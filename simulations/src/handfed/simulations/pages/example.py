"""An example of a server's record: a federation that never was, for pictures, tests and benchmarks of pages.

Its figures are drawn, and look like those of real runs; no handwriting is behind them. The same numbers give the same
record. It holds a run that is done, one that failed and one that goes on, releases at every stage, and devices of four
organisations, some of which have not been heard of for long.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.orm import Session

from handfed.server.api.services import Services
from handfed.server.devices.models import DeviceKeyRow, DeviceRow
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import PromotionRow
from handfed.server.releases import directories
from handfed.server.releases.models import Release
from handfed.server.runs.control import ENGINE
from handfed.server.runs.models import DeviceRound, RejectedUpdate, Round, Run
from handfed.shared.browser_twin import browser_twin
from handfed.shared.data_directory import releases_in
from handfed.shared.disclosure import EDGES, ClassCount
from handfed.shared.files import sha256_of
from handfed.shared.manifest import BROWSER_MODEL, File, read_release
from handfed.simulations.pages.example_learning import learn

ORGANISATIONS: Final = ("Clinic North", "School South", "School West", "Stadtschule Ost")
ADA: Final = Principal("Ada", "admin")
_UPDATE_BYTES: Final = 292_000
_WRITERS: Final = 12  # held out by a device
_HEARD: Final = 60  # devices that tell of them
_HELD_OUT: Final = 80
_FIRST_NODE: Final = 1 << 40
_HARDEST: Final = 8  # the class that is read worst
_RUNNING: Final = 9  # rounds of the run that goes on
_OF_CLASS: Final = 168  # held-out samples
_RATE_OF_ABSENCE: Final = 0.08
_RATE_OF_LATENESS: Final = 0.05
_RATE_OF_REJECTION: Final = 0.006


@dataclass(frozen=True)
class Example:
    """What there is to log in with.

    Attributes:
        tokens: The text of a token by whose it is: `admin`, `operator`, `viewer`, `school` (an operator of the first
            organisation) and `school viewer`.
        run: Number of the run that goes on.
        done: Number of the run that is done.
    """

    tokens: Mapping[str, str]
    run: int
    done: int


def fill(
    services: Services,
    data_dir: Path,
    *,
    devices: int = 24,
    rounds: int = 30,
    now: datetime,
    real: Path | None = None,
) -> Example:
    """Fills an empty database and its directory of releases.

    Args:
        services: Over the database.
        data_dir: Of the server.
        devices: How many.
        rounds: Of the run that is done.
        now: The moment at which the record is looked at.
        real: A release's directory, whose model the stable release gets, so that a page can read with it; None for
            bytes that are no model.

    Raises:
        ManifestError: There is no release of digits in that directory.
    """
    drawn = random.Random(7)  # noqa: S311 - figures of an example
    tokens = _people(services)
    with services.database.write() as session:
        _devices(session, devices, now, drawn)
        began = now - timedelta(days=9)
        done = _run(session, "done", rounds, began, {"rounds": rounds, "qat_rounds": max(rounds // 6, 1)})
        _rounds(session, done, rounds, devices, began, drawn, qat=max(rounds // 6, 1))
        failed = _run(session, "failed", 2, now - timedelta(days=4), {"rounds": 20})
        _rounds(session, failed, 2, devices, now - timedelta(days=4), drawn, qat=0)
        going = _run(session, "running", _RUNNING, now - timedelta(minutes=3), {"rounds": 20, "qat_rounds": 4})
        _rounds(session, going, _RUNNING, devices, now - timedelta(minutes=3), drawn, qat=0)
        _releases(session, releases_in(data_dir), done, now, real)
    learn(services, devices, now)
    return Example(tokens, going, done)


def _people(services: Services) -> dict[str, str]:
    numbers = [services.organisations.add(ADA, name).number for name in ORGANISATIONS]
    add = services.tokens.add
    return {
        "admin": add(ADA, "Ada, school board", "admin").secret,
        "operator": add(ADA, "Bo, operator", "operator").secret,
        "viewer": add(ADA, "Cy, data protection", "viewer").secret,
        "school": add(ADA, "Di, Clinic North", "operator", organisation=numbers[0]).secret,
        "school viewer": add(ADA, "Ed, Clinic North", "viewer", organisation=numbers[0]).secret,
    }


def _devices(session: Session, count: int, now: datetime, drawn: random.Random) -> None:
    for number in range(1, count + 1):
        quiet = timedelta(seconds=drawn.uniform(1, 40))
        if number % 9 == 0:
            quiet = timedelta(hours=drawn.uniform(1, 60))
        if number % 23 == 0:
            quiet = timedelta(days=11)
        is_revoked = number % 17 == 0
        session.add(
            DeviceRow(
                organisation=1 + number % len(ORGANISATIONS),
                name=f"Room {number}",
                state="revoked" if is_revoked else "enrolled",
                max_samples=5000 if number % 5 == 0 else None,
                versions={"handfed": "0.1.0", "python": "3.12.4"},
                enrolled_at=now - timedelta(days=40 - number % 30),
                revoked_at=now - timedelta(days=2) if is_revoked else None,
                last_seen_at=now - quiet,
            )
        )
    session.flush()
    keys = [
        {
            "device": number,
            "fingerprint": f"{number:064x}",
            "public_key": f"-----BEGIN PUBLIC KEY-----\nexample {number}\n-----END PUBLIC KEY-----\n",
            "node_id": _FIRST_NODE + number,
            "wanted": number % 17 != 0,
            "settled": True,
            "created_at": now - timedelta(days=40),
        }
        for number in range(1, count + 1)
    ]
    session.execute(insert(DeviceKeyRow), keys)


def _run(session: Session, status: str, rounds: int, began: datetime, settings: Mapping[str, Any]) -> int:
    is_done = status == "done"
    row = Run(
        status=status,
        task="digits",
        recogniser="cnn",
        strategy="fedavg",
        seed=0,
        settings={"visibility": "inspected", **settings},
        devices=24,
        engine=ENGINE,
        started_at=began,
        ended_at=None if status == "running" else began + timedelta(seconds=6.0 * rounds),
        error="in 3 rounds in a row fewer devices than the quorum returned a usable update"
        if status == "failed"
        else None,
        summary={"accuracy_float": 0.927, "accuracy_int8": 0.925, "release": 3, "samples": 1680} if is_done else None,
    )
    session.add(row)
    session.flush()
    return row.id


def _rounds(  # noqa: PLR0917 - as `_round`
    session: Session, run: int, rounds: int, devices: int, began: datetime, drawn: random.Random, *, qat: int
) -> None:
    for number in range(1, rounds + 1):
        accuracy = 0.965 - 0.62 / (1 + 0.55 * number) - (0.004 if number > rounds - qat else 0.0)
        taking = [each for each in range(1, devices + 1) if drawn.random() > _RATE_OF_ABSENCE]
        late = [each for each in taking if drawn.random() < _RATE_OF_LATENESS]
        refused = [each for each in taking if each not in late and drawn.random() < _RATE_OF_REJECTION]
        away = {*late, *refused}
        used = [each for each in taking if each not in away]
        rates = {each: min(max(drawn.gauss(accuracy - 0.006 * (each % 7), 0.012), 0.02), 1.0) for each in taking}
        session.execute(insert(Round), [_round(run, number, rounds - qat, accuracy, used, taking, rates, began, drawn)])
        session.execute(insert(DeviceRound), list(_of_devices(run, number, taking, away, rates, drawn)))
        replies = [*((each, "no-reply", "no reply before the deadline") for each in late)]
        replies += [(each, "not-finite", "conv/kernel: NaN or infinite") for each in refused]
        if replies:
            rows = [
                {"run_id": run, "round": number, "device": _FIRST_NODE + each, "reason": reason, "detail": detail}
                for each, reason, detail in replies
            ]
            session.execute(insert(RejectedUpdate), rows)


def _round(  # noqa: PLR0917 - a row has that many columns
    run: int,
    number: int,
    floating: int,
    accuracy: float,
    used: list[int],
    taking: list[int],
    rates: Mapping[int, float],
    began: datetime,
    drawn: random.Random,
) -> dict[str, Any]:
    bins = [0] * len(EDGES)
    for each in taking[:_HEARD]:
        for _ in range(_WRITERS):
            bins[bisect_right(EDGES, 1000 * min(max(drawn.gauss(rates[each], 0.04), 0.0), 1.0)) - 1] += 1
    samples = len(taking) * _HELD_OUT // 10
    told = tuple(
        ClassCount(
            label, samples, round(samples * min(max(drawn.gauss(accuracy - 0.01 * (label == _HARDEST), 0.01), 0), 1))
        )
        for label in range(10)
    )
    return {
        "run_id": run,
        "number": number,
        "phase": "float" if number <= floating else "qat",
        "started_at": began + timedelta(seconds=6 * number),
        "seconds": drawn.uniform(4.4, 6.2),
        "train_seconds": 2.1 * len(used),
        "participants": len(taking),
        "accepted": len(used),
        "examples": 400 * len(used),
        "loss": 2.1 / (0.6 * number + 0.6) + 0.1,
        "accuracy": accuracy,
        "evaluated": len(taking) * _HELD_OUT,
        "bytes_down": 2 * _UPDATE_BYTES * len(taking),
        "bytes_up": _UPDATE_BYTES * len(used),
        "held_out_loss": 2.2 / (0.55 * number + 0.6) + 0.14,
        "ended": None,
        "writer_bins": tuple(bins),
        "class_counts": told,
    }


def _of_devices(  # noqa: PLR0917 - as `_round`
    run: int, number: int, taking: list[int], away: set[int], rates: Mapping[int, float], drawn: random.Random
) -> Iterator[dict[str, Any]]:
    for each in taking:
        has_trained = each not in away
        right = round(_HELD_OUT * rates[each])
        yield {
            "run_id": run,
            "round": number,
            "device": _FIRST_NODE + each,
            "examples": 400 if has_trained else 0,
            "loss": 0.4 if has_trained else None,
            "seconds": drawn.uniform(1.4, 2.9) if has_trained else None,
            "bytes_up": _UPDATE_BYTES if has_trained else 0,
            "held_out": _HELD_OUT,
            "correct": right,
            "held_out_loss": 0.3,
            "characters": _HELD_OUT,
            "edits": _HELD_OUT - right,
        }


# What each release is: how far it has come, why, and how well it reads.
_STAGES: Final = (
    ("superseded", 100, "release 2 took its place", 0.912),
    ("rolled-back", 0, "3 of 14 devices are not well with it", 0.934),
    ("stable", 100, "it was shown to be not worse than release 1, and devices are well with it", 0.948),
    ("rolling-out", 25, "all devices that use it say that they are well; it waits for the day to be over", 0.955),
)


def _releases(session: Session, releases: Path, run: int, now: datetime, real: Path | None) -> None:
    for number, (phase, percent, reason, accuracy) in enumerate(_STAGES, 1):
        model, manifest = b"TFL3" + bytes(97_000), _manifest(number, accuracy)
        twin: dict[str, bytes] = {}
        if real is not None and phase == "stable":
            model, twin, manifest = _real(real, manifest)
        at = now - timedelta(days=28 - 7 * number, hours=3)
        files = {"model.tflite": model, "manifest.json": json.dumps(manifest).encode(), "README.md": b"# Card\n"}
        directories.write(releases, number, files | twin)
        session.add(
            Release(
                number=number,
                run_id=run,
                task="digits",
                recogniser="cnn",
                path=directories.name_of(number),
                sha256=sha256_of(model),
                size_bytes=len(model),
                accuracy_float=accuracy + 0.002,
                accuracy_int8=accuracy,
                manifest=manifest,
                created_at=at,
            )
        )
        session.flush()
        session.add(
            PromotionRow(
                release=number,
                champion={1: None, 2: 1, 3: 1, 4: 3}[number],
                salt=f"{number:032x}",
                phase=phase,
                step={0: 0, 25: 2, 100: 3}[percent],
                since=at + timedelta(days=1),
                reason=reason,
                shown=phase != "rolled-back",
                pinned=False,
            )
        )


def _by_class(number: int, accuracy: float) -> dict[str, list[list[int]]]:
    """How a release reads classes."""
    drawn = random.Random(number)  # noqa: S311 - figures of an example
    classes, confusions = [], Counter[tuple[int, int]]()
    for label in range(10):
        hard = 0.035 * (label == _HARDEST) + 0.07 * (label == number)
        wrong = round(_OF_CLASS * max(1 - accuracy + hard + drawn.gauss(0, 0.01), 0.003))
        classes.append([label, _OF_CLASS, _OF_CLASS - wrong])
        alike = [(label + step) % 10 for step in (1, 3, 5, 6)]
        confusions.update((label, read) for read in drawn.choices(alike, (6, 3, 2, 1), k=wrong))
    return {"classes": classes, "confusions": [[*cell, count] for cell, count in sorted(confusions.items())]}


def _real(directory: Path, manifest: dict[str, Any]) -> tuple[bytes, dict[str, bytes], dict[str, Any]]:
    """A model that reads, its twin for browsers, and the example's manifest with what a reader has to know of it."""
    known, model = read_release(directory)
    twin = browser_twin(model)
    names = ("kind", "inputs", "normalisation", "temperature", "alphabet", "geometry", "model")
    of_model = {name: value for name, value in known.to_json().items() if name in names}
    return model, {BROWSER_MODEL: twin}, manifest | of_model | {"browser": File.of(twin).as_json(BROWSER_MODEL)}


def _manifest(number: int, accuracy: float) -> dict[str, Any]:
    return {
        "format": 2,
        "release": number,
        "alphabet": list("0123456789"),
        "devices": 24,
        "rounds": 30,
        "licence": "for use within the federation that trained it",
        "metrics": {
            "samples": 1680,
            "split_by": "writer",
            "accuracy_float": accuracy + 0.002,
            "accuracy_int8": accuracy,
            "float_minus_int8": {"difference": 0.002, "low": -0.001, "high": 0.005},
            **_by_class(number, accuracy),
            "writers": {
                "count": 276,
                "p10": accuracy - 0.05,
                "median": accuracy + 0.01,
                "p90": 1.0,
                "worst_decile": accuracy - 0.09,
                "gini": 0.02,
            },
        },
    }
