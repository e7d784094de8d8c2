"""Releases reach a device that joined, are judged there in shadow, and are taken back, by the commands people type."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handfed.clients.edge import Recogniser
from handfed.clients.edge.health import LATENCY_MS
from handfed.server.database import open_database
from handfed.server.promotion.evidence import reported
from handfed.server.releases.schemas import ReleaseFacts
from handfed.server.releases.service import ReleaseRecord
from handfed.shared.datasets import Dataset
from handfed.shared.manifest import MANIFEST, MODEL, MODEL_CARD, Manifest
from handfed.shared.release_reports import Comparison, Condition, Report, Standing
from handfed.simulations.real import RealFederation, real_federation, write_handwriting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # of a busy machine, whose imports take minutes

Release = tuple[Manifest, bytes]


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[RealFederation]:
    with real_federation(tmp_path) as made:
        made.serve()
        yield made


def publish(federation: RealFederation, release: Release) -> None:
    """Publishes a release as a run's process does: files first, then the record."""
    manifest, model = release

    def files(number: int) -> dict[str, bytes]:
        described = replace(manifest, release=number, task="digits")
        return {MANIFEST: described.encode(), MODEL: model, MODEL_CARD: b"card"}

    with open_database(federation.database) as database:
        facts = ReleaseFacts("digits", "cnn", None)
        ReleaseRecord(database).publish(federation.server / "releases", files, facts)


def look(device: Path) -> str:
    command = [sys.executable, "-m", "handfed.clients.device.release_upkeep", str(os.getpid()), str(device)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip()


def looks_until(federation: RealFederation, device: Path, wanted: str) -> None:
    federation.until(lambda: wanted in look(device), wanted, "server")


def has_compared(federation: RealFederation, device: Path) -> bool:
    look(device)
    told = report_of(federation, 1)
    return told is not None and bool(told.comparisons)


def report_of(federation: RealFederation, number: int) -> Report | None:
    with open_database(federation.database) as database, database.read() as session:
        return reported(session)[number].report


def promotions(federation: RealFederation) -> dict[int, Any]:
    found = federation.answer("releases", "promotions")["promotions"]
    return {each["release"]: each for each in found}


def is_well(standings: Sequence[Standing], release: int) -> bool:
    """Whether a device reads with a release, is well with it, and told how long that takes."""
    (found,) = (each for each in standings if each.release == release)
    took = found.latency_ms is not None and 0 < found.latency_ms < LATENCY_MS
    return found.in_use and found.condition is Condition.HEALTHY and took


def test_a_release_goes_from_shadow_to_everybody_and_back(
    federation: RealFederation, trained_release: Release, digits: Dataset, tmp_path: Path
) -> None:
    device, file = tmp_path / "north", tmp_path / "pages.npz"
    write_handwriting(file, digits, range(3000, 3400))
    code = federation.answer("invite", "Clinic North")["code"]
    federation.run("join", code, "--data", device)
    given = ("--task", "digits", "--consent", "given", "--side", "held-out", "--data", device)
    federation.run("device", "import", file, *given)

    publish(federation, trained_release)
    looks_until(federation, device, "release 1 is in use")
    told = report_of(federation, 1)
    assert told is not None
    assert (is_well(told.standings, 1), len(told.standings), told.comparisons) == (True, 1, ())

    publish(federation, trained_release)
    federation.until(lambda: 2 in promotions(federation), "the candidate", "server")
    federation.until(
        lambda: look(device) and (told := report_of(federation, 1)) and told.comparisons, "shadow", "server"
    )
    told = report_of(federation, 1)
    assert told is not None
    (found,) = told.comparisons
    assert found == Comparison(1, 2, 400, 0, 0)
    assert Recogniser.of_device(device).release == 1
    assert (promotions(federation)[2]["phase"], promotions(federation)[2]["percent"]) == ("candidate", 0)

    federation.answer("devices", "pin", 1, "--release", 2)
    looks_until(federation, device, "release 2 is in use")
    federation.answer("devices", "unpin", 1)
    looks_until(federation, device, "release 1 is in use")

    for _ in range(3):
        federation.answer("releases", "promote", 2, "--why", "all well")
    looks_until(federation, device, "release 2 is in use")
    assert Recogniser.of_device(device).release == 2
    told = report_of(federation, 1)
    assert told is not None
    assert is_well(told.standings, 2)

    federation.answer("releases", "rollback", 2)
    pull = ("edge", "pull", "--data", device)
    federation.until(lambda: "release 1 is in use" in federation.run(*pull).lower(), "release 1 again", "server")
    assert Recogniser.of_device(device).release == 1
    told = report_of(federation, 1)
    assert told is not None
    assert is_well(told.standings, 1)
    assert not [word for word in ("pupil", "pages", str(tmp_path)) if word in told.encode()]
