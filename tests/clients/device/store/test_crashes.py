"""Processes that are killed or run out of disk leave a store whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
WORDS = "three small rivers"

# Says what SQLite is about to do, and then waits to be killed at the words of its second argument.
PROGRAM = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.samples import Samples
from handfed.shared.tasks import TASKS

folder, at, what = sys.argv[1:]
store = Store.open(Path(folder))

def traced(statement):
    if statement.startswith(at):
        print(at, flush=True)
        time.sleep(60)

def progressed(done):
    if at == str(done):
        print(at, flush=True)
        time.sleep(60)

store._database.connection.set_trace_callback(traced)
now = datetime.now(UTC)
if what == "import":
    images = np.random.default_rng(9).integers(0, 256, (8000, 28, 28), np.uint8)
    samples = Samples(images, np.zeros(8000, np.int32))
    dataset = Dataset("many", Alphabet(("0", "1")), samples, np.zeros(8000, np.int32), "", "", ("Ada",))
    store.take_in(Incoming(dataset, TASKS["digits"], "digits"), by="me", now=now, progress=progressed)
elif what == "forget":
    store.forget("Wilhelmina", now=now)
else:
    store.encrypt(PassphraseLock("three small rivers", Cost(n=2**4)))
print("done", flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path, characters: Make, now: datetime) -> Path:
    """A store with 300 samples, 100 of them Wilhelmina's."""
    incoming = characters(["0", "1", "2"] * 100, ["Wilhelmina", "Bob", "Cy"] * 100, source="Autumn term")
    with Store.open(tmp_path / "store") as store:
        store.take_in(incoming, by="me", now=now)
    return tmp_path / "store"


def killed(folder: Path, *, at: str, what: str) -> None:
    """Kills a process at a place, as power cuts and people do."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, folder, at, what], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        reached = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert (process.wait(), reached) == (-signal.SIGKILL, f"{at}\n")


def is_whole(store: Store) -> bool:
    return store._database.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("at", ["7000", "COMMIT"])
def test_a_killed_import_leaves_nothing(folder: Path, at: str) -> None:
    killed(folder, at=at, what="import")
    with Store.open(folder) as store:
        assert is_whole(store)
        held = store.contents()
        assert [(each.number, each.left) for each in held.imports] == [(1, 300)]
        assert [writer.name for writer in store.writers()] == ["Bob", "Cy", "Wilhelmina"]
        (pages,) = store._database.connection.execute("PRAGMA page_count").fetchone()
    assert (folder / "samples.db").stat().st_size == pages * 4096
    assert sorted(path.name for path in folder.iterdir()) == ["samples.db"]


@pytest.mark.parametrize("at", ["DELETE FROM writers", "COMMIT"])
def test_a_forgetting_that_is_killed_before_it_holds_changes_nothing(folder: Path, at: str) -> None:
    killed(folder, at=at, what="forget")
    with Store.open(folder) as store:
        assert is_whole(store)
        assert store.writer("Wilhelmina").samples == 100


@pytest.mark.parametrize("at", ["PRAGMA wal_checkpoint", "VACUUM"])
def test_a_forgetting_that_is_killed_later_is_finished_by_who_opens_the_store(
    folder: Path, characters: Make, at: str
) -> None:
    pixels = characters(["0", "1", "2"] * 100).dataset.images[::3]
    killed(folder, at=at, what="forget")
    with Store.open(folder) as store:
        assert is_whole(store)
        assert [writer.name for writer in store.writers()] == ["Bob", "Cy"]
        left = content(folder)
    assert b"Wilhelmina" not in left
    assert not [row for row, image in enumerate(pixels) if image.tobytes()[100:132] in left]


def test_an_encryption_that_is_killed_is_there_wholly_or_not_at_all(folder: Path) -> None:
    killed(folder, at="COMMIT", what="encrypt")
    with Store.open(folder) as store:
        assert (is_whole(store), store.lock_kind(), len(store.writers())) == (True, None, 3)
    killed(folder, at="VACUUM", what="encrypt")
    with Store.open(folder, ask=lambda: WORDS) as store:
        assert (is_whole(store), store.lock_kind(), len(store.writers())) == (True, "passphrase", 3)
        left = content(folder)
    assert b"Wilhelmina" not in left
    assert b"Autumn" not in left


def test_a_limit_of_the_disk_in_the_middle_of_an_import_loses_nothing(folder: Path) -> None:
    before = (folder / "samples.db").stat().st_size
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({before + 2**20}, {before + 2**20}))\n"
    done = subprocess.run(
        [sys.executable, "-c", limited + PROGRAM, folder, "never", "import"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "StorageError" in done.stderr.splitlines()[-1]
    assert "nothing was changed" in done.stderr.splitlines()[-1]
    with Store.open(folder) as store:
        assert is_whole(store)
        usable = store.handwriting(TASKS["digits"], Alphabet(tuple("012")))
        assert len(usable.training) + len(usable.held_out) == 300


def test_a_forgetting_on_a_full_disk_changes_nothing_or_is_finished_later(folder: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    done = subprocess.run(
        [sys.executable, "-c", limited + PROGRAM, folder, "never", "forget"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StorageError" in done.stderr.splitlines()[-1]
    with Store.open(folder) as store:
        names = {writer.name for writer in store.writers()}
        assert is_whole(store)
        assert (b"Wilhelmina" in content(folder)) is ("Wilhelmina" in names)
        assert {"Bob", "Cy"} <= names


def test_a_store_that_was_just_killed_goes_on(folder: Path, characters: Make, now: datetime) -> None:
    killed(folder, at="7000", what="import")
    with Store.open(folder) as store:
        assert store.take_in(characters(["5"] * 10, seed=5), by="me", now=now).number == 2
        store.encrypt(PassphraseLock(WORDS, Cost(n=2**4)))
    with Store.open(folder, ask=lambda: WORDS) as store:
        images = store.handwriting(TASKS["digits"], Alphabet(tuple("0125")))
        assert len(np.concatenate([images.training.labels, images.held_out.labels])) == 310
