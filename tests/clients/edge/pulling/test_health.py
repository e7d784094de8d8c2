"""A release that is not well on this processor is not used, and what was used goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from handfed.clients.edge import Recogniser
from handfed.clients.edge import marks as marks_module
from handfed.clients.edge import store as store_module
from handfed.clients.edge.health import Health, examine
from handfed.clients.edge.marks import Mark
from handfed.clients.edge.state import Reason
from handfed.clients.edge.store import Store, number_of
from handfed.shared.errors import ManifestError
from handfed.shared.manifest import MANIFEST, MODEL, File
from handfed.shared.registry import Channel

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device, Registry

# Ends a process that opens release 2, as a model that crashes LiteRT would.
CRASHING = """
import os, signal, sys
if any("/0002-" in argument for argument in sys.orig_argv):
    os.kill(os.getpid(), signal.SIGSEGV)
"""
HANGING = CRASHING.replace("os.kill(os.getpid(), signal.SIGSEGV)", "import time; time.sleep(60)")


@pytest.fixture
def crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever Python starts from here crashes with release 2."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CRASHING)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return tmp_path / "site" / "sitecustomize.py"


def offer_with_another_self_test(registry: Registry, number: int) -> None:
    from tests.clients.edge.pulling.conftest import a_release

    manifest, _ = a_release(number)
    test = manifest.self_test
    registry.offer(number, self_test=replace(test, logits=test.logits + np.float32(9)))


def test_a_release_that_reads_otherwise_here_is_quarantined(device: Device) -> None:
    offer_with_another_self_test(device.registry, 2)
    pulled = device.pull()
    assert (pulled.outcome, pulled.release, pulled.current) == ("quarantined", 2, 1)
    assert "fails its self-test here" in pulled.message
    assert str(device.folder) not in pulled.message
    assert device.reads() == 1
    assert device.store.state().facts[-1].reason == Reason.SELF_TEST
    assert len(device.store.on_disk()) == 1


def test_what_is_quarantined_is_not_fetched_again_until_the_software_changed_or_somebody_says_so(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer_with_another_self_test(device.registry, 2)
    device.pull()
    device.server.reset(device.registry.files)
    assert "not used here (self-test); --retry tries it again" in device.pull().message
    assert not any(path.endswith(MODEL) for path, _, _ in device.server.asked)
    assert device.pull(retry=True).outcome == "quarantined"
    assert any(path.endswith(MODEL) for path, _, _ in device.server.asked)
    (name,) = device.store.state().quarantined
    assert device.store.is_quarantined(name) is Reason.SELF_TEST
    monkeypatch.setattr(store_module, "software", lambda: "another")
    assert device.store.is_quarantined(name) is None


def test_a_newer_release_ends_it(device: Device) -> None:
    offer_with_another_self_test(device.registry, 2)
    device.pull()
    device.registry.offer(3)
    assert device.pull().current == 3
    assert device.reads() == 3


def test_a_release_that_is_too_slow_is_quarantined(device: Device) -> None:
    device.registry.offer(2)
    pulled = device.pull(latency_ms=1e-6)
    assert pulled.outcome == "quarantined"
    assert "(latency: it takes" in pulled.message
    assert device.reads() == 1


def test_a_signed_file_that_is_no_model_is_quarantined(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import a_release

    manifest, _ = a_release(2)
    model = b"no model"
    manifest = replace(manifest, model=File.of(model))
    device.registry.put_release(2, manifest, model)
    device.registry.put_channel(Channel("digits", 2))
    device.registry.step()
    device.registry.publish()
    assert "(unusable: " in device.pull().message
    assert device.reads() == 1


@pytest.mark.usefixtures("crashing")
def test_a_model_that_ends_the_process_twice_is_quarantined(device: Device) -> None:
    device.registry.offer(2)
    pulled = device.pull()
    assert (pulled.outcome, pulled.current) == ("quarantined", 1)
    assert "(crash: it ended the process that read with it, twice)" in pulled.message
    assert device.reads() == 1


def test_a_model_that_hangs_counts_as_one_that_crashes(crashing: Path, release_copy: Path) -> None:
    crashing.write_text(HANGING)
    assert examine(release_copy, patience_s=0.3) == Health(
        Reason.CRASH, "it ended the process that read with it, twice"
    )


@pytest.fixture
def release_copy(device: Device, tmp_path: Path) -> Path:
    (release,) = device.store.releases.iterdir()
    return release.rename(tmp_path / "0002-copy")


def test_a_model_gets_no_more_than_half_of_the_memory() -> None:
    program = (
        "import os; from handfed.clients.edge.health import limit_memory; limit_memory()\n"
        "bytearray(int(0.6 * os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr


def test_a_release_that_is_well_is_measured(release_copy: Path) -> None:
    health = examine(release_copy)
    assert health.reason is None
    assert health.latency_ms is not None
    assert health.latency_ms > 0


PROGRAM = """
import os, signal, sys
from pathlib import Path
from handfed.clients.edge import Recogniser
recogniser = Recogniser.of_device(Path(sys.argv[1]))
print(recogniser.release, flush=True)
if recogniser.release == 2 and sys.argv[2] != "well":
    def crash(_): os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    recogniser._model.logits = crash
recogniser.read(recogniser.manifest.self_test.pictures[0, ..., 0])
"""


def read_in_a_process(device: Device, how: str) -> tuple[int, int]:
    """Which release a new process opens, and how it ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, device.folder, how], capture_output=True, text=True, check=False
    )
    return int(done.stdout), done.returncode


@pytest.fixture
def switched(device: Device) -> Device:
    """A device that has switched to release 2, and has not read with it."""
    device.registry.offer(2)
    assert device.pull().current == 2
    return device


def test_a_release_that_crashes_a_program_twice_is_left(switched: Device) -> None:
    assert read_in_a_process(switched, "SIGSEGV") == (2, -11)
    assert read_in_a_process(switched, "SIGABRT") == (2, -6)
    assert read_in_a_process(switched, "SIGABRT") == (1, 0)
    state = switched.store.state()
    assert [(fact.what, fact.reason) for fact in state.facts[-2:]] == [
        ("returned", Reason.CRASH),
        ("quarantined", Reason.CRASH),
    ]
    assert switched.pull().outcome == "quarantined"


def test_one_crash_and_then_a_reading_is_forgiven(switched: Device) -> None:
    read_in_a_process(switched, "SIGSEGV")
    assert read_in_a_process(switched, "well") == (2, 0)
    assert (switched.store.state().proved, switched.store.state().crashes) == (True, 0)
    with switched.store.marked(str(switched.store.state().current)):  # nobody suspects it any more
        assert switched.store.state().marks == ()


def marked(store: Store, **changes: Any) -> None:
    name = store.state().current
    assert name is not None
    mark = replace(Mark(name, 1, "", marks_module.boot()), **changes)
    store.change(lambda state: replace(state, marks=(*state.marks, mark)))


def test_a_power_cut_is_no_crash(switched: Device) -> None:
    for _ in range(3):
        marked(switched.store, boot="another start of the machine")
        assert switched.store.next_to_use() == switched.store.state().current
    assert switched.store.state().crashes == 0
    assert switched.reads() == 2


def test_a_number_of_a_process_that_is_used_again_hides_no_crash(switched: Device) -> None:
    for _ in range(2):
        marked(switched.store, process=os.getpid(), started="0")
        switched.store.next_to_use()
    assert switched.reads() == 1


def test_a_process_that_nobody_has_waited_for_has_ended(switched: Device) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = marks_module.start_of(child.pid)
        assert started
        for _ in range(2):
            marked(switched.store, process=child.pid, started=started)
            switched.store.next_to_use()
        assert switched.store.state().crashes == 0
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        switched.store.next_to_use()
        assert switched.store.state().crashes == 1


def test_a_process_that_is_still_at_work_has_not_crashed(switched: Device) -> None:
    with switched.store.marked(str(switched.store.state().current)):
        for _ in range(3):
            switched.store.next_to_use()
    assert switched.store.state().crashes == 0


def test_a_picture_that_cannot_be_read_proves_nothing_and_is_no_crash(switched: Device) -> None:
    recogniser = Recogniser.of_device(switched.folder)
    with pytest.raises(Exception, match="ink"):
        recogniser.read(np.full((20, 20), 255, np.uint8))
    assert (switched.store.state().proved, switched.store.state().marks) == (False, ())


def damaged(device: Device, file: str) -> None:
    path = device.store.path(str(device.store.state().current)) / file
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize("file", [MODEL, MANIFEST])
def test_a_damaged_release_is_left_and_fetched_again(switched: Device, file: str) -> None:
    damaged(switched, file)
    assert switched.reads() == 1
    assert switched.pull().outcome == "switched"
    assert switched.reads() == 2


def test_a_pull_mends_the_release_in_use(device: Device) -> None:
    damaged(device, MODEL)
    with pytest.raises(ManifestError, match="not the model of its manifest"):
        device.reads()
    assert device.pull().outcome == "switched"
    assert device.reads() == 1


def test_the_last_one_is_not_given_up(device: Device) -> None:
    """A broken update of LiteRT must not cost a device all that it has."""
    name = str(device.store.state().current)
    with pytest.raises(ManifestError, match="there is none to go back to"):
        device.store.give_up(name, Reason.SELF_TEST)
    assert device.store.state().current == name
    assert device.reads() == 1


def test_work_of_one_thread_hides_none_of_another_and_a_process_crashes_once(switched: Device) -> None:
    """One program opens a release for each of its lanes; while one reads for the first time, another is opened."""
    name = str(switched.store.state().current)
    with switched.store.marked(name):
        with Store(switched.folder).marked(name):
            assert len(switched.store.state().marks) == 2
        assert len(switched.store.state().marks) == 1
    assert switched.store.state().marks == ()
    for _ in range(2):
        marked(switched.store, process=2**22 + 1, token=str(_))
    switched.store.next_to_use()
    assert switched.store.state().crashes == 1


def test_a_mark_of_a_process_that_has_gone_is_counted_by_whoever_marks_next(switched: Device) -> None:
    marked(switched.store)
    with switched.store.marked(str(switched.store.state().current)):
        state = switched.store.state()
        assert (state.crashes, [mark.process for mark in state.marks]) == (1, [os.getpid()])


Unwritable = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["full", "read-only"])
def unwritable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Unwritable:
    """Within its block nothing can be written."""
    from handfed.shared.errors import StorageError

    def refuse(*_: object) -> None:
        raise StorageError("no space")

    @contextmanager
    def block() -> Iterator[None]:
        with monkeypatch.context() as patch:
            if request.param == "full":
                patch.setattr(store_module, "write_atomically", refuse)
            else:
                patch.setattr(Store, "_alone", refuse)  # its file cannot be opened to write
            yield

    return block


def current_of(device: Device) -> int:
    return number_of(str(device.store.state().current))


def test_a_disk_that_cannot_be_written_keeps_nobody_from_reading(switched: Device, unwritable: Unwritable) -> None:
    with unwritable():
        assert switched.reads() == 2
    assert not switched.store.state().proved


@pytest.mark.parametrize(("crashes", "release"), [(1, 2), (2, 1)])
def test_a_crash_that_cannot_be_counted_is_one_all_the_same(
    switched: Device, unwritable: Unwritable, crashes: int, release: int
) -> None:
    for process in range(crashes):
        marked(switched.store, process=2**22 + process)
    with unwritable():
        assert switched.reads() == release
        assert switched.reads() == release
    assert (switched.store.state().crashes, current_of(switched)) == (0, 2)
    assert switched.reads() == release
    assert current_of(switched) == release


def test_a_damaged_release_is_left_though_that_cannot_be_written(switched: Device, unwritable: Unwritable) -> None:
    damaged(switched, MODEL)
    with unwritable():
        assert switched.reads() == 1
    assert current_of(switched) == 2
    assert switched.reads() == 1
    assert current_of(switched) == 1


def test_what_could_not_be_written_is_with_the_next_change_unless_somebody_else_has_written(
    switched: Device, unwritable: Unwritable
) -> None:
    stores = [switched.store, switched.store]
    with unwritable():
        for store in stores:
            store.decide(lambda state: replace(state, crashes=1))
            assert store.state().crashes == 1
    assert switched.store.state().crashes == 0
    stores[0].change(lambda state: state)
    assert switched.store.state().crashes == 1
    switched.store.change(lambda state: replace(state, crashes=0, follows="canary"))
    assert stores[1].change(lambda state: state).crashes == 0
