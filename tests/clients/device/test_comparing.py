"""What is on trial is compared with what is used, once, and one that cannot be is told of and not asked for ever."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device import credentials
from handfed.clients.device.credentials import Enrolment
from handfed.clients.device.folder import store_in
from handfed.clients.device.release_upkeep import Failure, Said, _compared, _of_this_registry, standings
from handfed.clients.device.shadow_process import Broken, compare
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store as Handwriting
from handfed.clients.edge.source import registry_of
from handfed.clients.edge.state import Quarantine, Reason, State
from handfed.clients.edge.store import Store, name_of
from handfed.shared.datasets import Dataset
from handfed.shared.files import sha256_of
from handfed.shared.manifest import MANIFEST, MODEL, read_release
from handfed.shared.release_reports import Comparison, Condition, Standing
from handfed.shared.tasks import TASKS

COMPAT = Path(__file__).parents[2] / "compat"
DAY_S = 86_400.0
# What the model of a release does to the process that reads the device's own handwriting with it.
READING = """
import os, signal, sys, time
if any("device.shadow" in argument for argument in sys.orig_argv):
    from handfed.clients.edge.recogniser import Recogniser
    whole = Recogniser.transcribe
    def transcribe(self, samples):
        if self.release == {release}:
            {does}
        return whole(self, samples)
    Recogniser.transcribe = transcribe
"""
SEGV = "os.kill(os.getpid(), signal.SIGSEGV)"
Reads = Callable[[int, str], None]


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Has a release do something when it reads what is held out."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    def does(release: int, what: str) -> None:
        (site / "sitecustomize.py").write_text(READING.format(release=release, does=what))

    return does


@pytest.fixture
def device(tmp_path: Path, digits: Dataset) -> Path:
    """A device with handwriting that uses release 1 and has release 2 on trial."""
    folder = tmp_path / "device"
    store = Store(folder)
    store.make()
    names = []
    for number in (1, 2):
        manifest, model = read_release(COMPAT / f"manifest-{number}")
        content = replace(manifest, release=number, task="digits").encode()
        names.append(name_of(number, sha256_of(content)))
        directory = store.releases / names[-1]
        directory.mkdir()
        (directory / MANIFEST).write_bytes(content)
        (directory / MODEL).write_bytes(model)
    store.change(lambda state: replace(state, task="digits", current=names[0], on_trial=names[1]))
    import_writers(folder, digits, 0)
    return folder


def import_writers(folder: Path, digits: Dataset, begin: int) -> None:
    some = digits.take(np.arange(begin, begin + 60))
    writers, names = np.arange(60, dtype=np.int32) % 20, tuple(f"pupil-{number}" for number in range(20))
    with Handwriting.open(store_in(folder)) as store:
        written = replace(some, writers=writers, writer_ids=names)
        incoming = Incoming(written, TASKS["characters"], "characters", held_out=True)
        store.take_in(incoming, by="me", now=datetime.now(UTC))


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_two_releases_are_compared_once_and_by_name(device: Path) -> None:
    store = Store(device)
    said = _compared(device, store, Said(), 0.0)
    assert said.comparison is not None
    assert (said.comparison.champion, said.comparison.candidate) == (1, 2)
    assert said.comparison.samples > 0
    before = replace(said, comparison=Comparison(1, 2, 7, 0, 0))
    assert _compared(device, store, before, DAY_S) is before
    # Releases of the same numbers, of another federation.
    other = replace(before, pair=("0001-aaaaaaaaaaaa", "0002-aaaaaaaaaaaa"))
    assert _compared(device, store, other, 0.0) == said


def test_a_candidate_that_crashes_on_real_handwriting_is_quarantined_the_second_time(
    device: Path, reads: Reads, caplog: pytest.LogCaptureFixture, digits: Dataset
) -> None:
    reads(2, SEGV)
    store = Store(device)
    once = _compared(device, store, Said(), 0.0)
    assert told(caplog) == ["the comparison of releases 1 and 2 failed: signal 11"]
    assert (once.comparison, once.failure and once.failure.crashes) == (None, 1)
    assert store.state().facts[-1].reason == "signal 11"
    doubted = store.state().on_trial
    assert standings(store.state(), doubted) == (Standing(1, Condition.HEALTHY, in_use=True),)
    assert _compared(device, store, once, DAY_S - 1) is once  # nothing has changed
    import_writers(device, digits, 100)
    twice = _compared(device, store, once, 1.0)
    assert twice.failure is not None
    assert (twice.failure.crashes, len(told(caplog))) == (2, 2)
    assert store.state().on_trial is None
    assert standings(store.state()) == (
        Standing(2, Condition.CRASHED, in_use=False),
        Standing(1, Condition.HEALTHY, in_use=True),
    )


@pytest.mark.parametrize(
    ("release", "does", "why"),
    [
        (1, SEGV, "signal 11"),  # the champion's fault
        (2, "os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),  # as by a system short of memory
        (2, "raise RuntimeError('pupil-7')", "RuntimeError"),
    ],
)
def test_what_is_no_fault_of_the_candidate_is_told_daily_and_quarantines_nothing(
    device: Path, reads: Reads, caplog: pytest.LogCaptureFixture, release: int, does: str, why: str
) -> None:
    reads(release, does)
    store, said = Store(device), Said()
    for day in range(3):
        said = _compared(device, store, said, day * DAY_S)
    assert told(caplog) == [f"the comparison of releases 1 and 2 failed: {why}"] * 3
    assert store.state().on_trial is not None
    assert store.state().quarantined == {}


def test_a_comparison_that_hangs_is_ended(device: Path, reads: Reads) -> None:
    reads(2, "time.sleep(600)")
    store = Store(device)
    champion, candidate = map(store.path, sorted(store.on_disk()))
    assert compare(device, champion, candidate, patience_s=0.5) == Broken("it hung")


def test_a_comparison_that_comes_to_something_ends_the_doubt(device: Path) -> None:
    state = Store(device).state()
    failure = Failure((str(state.current), str(state.on_trial)), -1, 0.0, 1)
    said = _compared(device, Store(device), Said(failure=failure), 0.0)
    assert said.failure is None
    assert said.comparison is not None


def membership(server: str) -> Enrolment:
    return Enrolment(
        server=server,
        fingerprint=server[0] * 64,
        device=7,
        name="reception",
        organisation="Clinic North",
        max_samples=None,
        enrolled_at="2026-01-01T00:00:00+00:00",
        key_since="2026-01-01T00:00:00+00:00",
    )


def test_of_a_federation_that_was_left_nothing_is_told(device: Path) -> None:
    said = Said(4, "text", 1.0, comparison=Comparison(1, 2, 30, 1, 0))
    ours = said.told(membership("a:1"))
    assert replace(ours, to=None) == said  # as of before it was said whom to
    assert ours.told(membership("a:1")) == ours
    assert ours.told(membership("b:1")) == Said(to=f"{'b' * 64} 7")
    (device / credentials.REGISTRY_ROOT).write_bytes(b"a root")
    store = Store(device)
    store.change(lambda state: replace(state, registry=registry_of(b"another")))
    assert standings(_of_this_registry(device, store.state())) == ()
    assert _compared(device, store, ours, 0.0) is ours
    state = store.change(lambda state: replace(state, registry=registry_of(b"a root")))
    assert len(standings(_of_this_registry(device, state))) == 2


def test_a_release_of_a_federation_that_was_left_is_not_the_one_of_that_number(device: Path) -> None:
    store = Store(device)
    state = store.change(lambda each: replace(each, foreign=(str(each.current),)))
    assert standings(state) == (Standing(2, Condition.HEALTHY, in_use=False),)
    said = Said()
    assert _compared(device, store, said, 0.0) is said
    refused = State(current=name_of(3, "a" * 64), quarantined={name_of(3, "b" * 64): Quarantine(Reason.CRASH, "any")})
    assert standings(replace(refused, foreign=refused.held)) == (Standing(3, Condition.CRASHED, in_use=False),)
