"""The record of releases."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from handfed.server.database import Database, open_database
from handfed.server.releases.schemas import RecordedRelease, ReleaseFacts, UnknownReleaseError
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.schemas import RunStart, UnknownRunError
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import ManifestError, StorageError, UsageError
from handfed.shared.files import sha256_of

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
FACTS = ReleaseFacts("digits", "cnn", None, 0.9875, 0.975)


def files_of(number: int) -> Mapping[str, bytes]:
    manifest = {"release": number, "task": {"classes": ["0", "é"]}, "metrics": {"accuracy_int8": 0.975}}
    return {"model.tflite": b"TFL3%d" % number, "manifest.json": json.dumps(manifest).encode()}


@pytest.fixture
def record(database: Database) -> ReleaseRecord:
    return ReleaseRecord(database, lambda: NOON)


def check_complete(releases: Path, release: RecordedRelease) -> None:
    directory = releases / release.path
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == files_of(release.number)
    assert release.sha256 == sha256_of((directory / "model.tflite").read_bytes())


def test_a_release_is_recorded_with_what_its_files_say(record: ReleaseRecord, tmp_path: Path) -> None:
    number = record.publish(tmp_path / "releases", files_of, FACTS)
    assert number == 1
    release = record.get(1)
    assert release == RecordedRelease(
        number=1,
        run_id=None,
        task="digits",
        recogniser="cnn",
        path="0001",
        sha256=sha256_of(b"TFL31"),
        size_bytes=5,
        accuracy_float=0.9875,
        accuracy_int8=0.975,
        manifest=json.loads(files_of(1)["manifest.json"]),
        created_at=NOON,
    )
    check_complete(tmp_path / "releases", release)


def test_a_release_names_the_run_that_made_it(database: Database, record: ReleaseRecord, tmp_path: Path) -> None:
    run = RunRecord(database).start(RunStart("digits", "cnn", "fedavg", 1, {}, 3, "in-process"))
    number = record.publish(tmp_path, files_of, ReleaseFacts("digits", "cnn", run))
    assert record.get(number).run_id == run


def test_a_release_of_a_run_that_is_not_on_record_is_refused_before_it_is_built(
    record: ReleaseRecord, tmp_path: Path
) -> None:
    def unexpected(_number: int) -> Mapping[str, bytes]:
        pytest.fail("it was built")

    with pytest.raises(UnknownRunError, match="run 5"):
        record.publish(tmp_path, unexpected, ReleaseFacts("digits", "cnn", 5))
    assert record.publish(tmp_path, files_of, FACTS) == 1  # no number was taken


def test_releases_are_listed_newest_first(record: ReleaseRecord, tmp_path: Path) -> None:
    assert record.list() == ()
    assert record.latest() is None
    for _ in range(3):
        record.publish(tmp_path, files_of, FACTS)
    assert [release.number for release in record.list()] == [3, 2, 1]
    assert [release.number for release in record.list(2)] == [3, 2]
    latest = record.latest()
    assert latest is not None
    assert latest.number == 3


@pytest.mark.parametrize("number", [0, -1, 3, 2**31, 2**70])
def test_an_unknown_release_is_an_error_of_use_that_names_those_there_are(
    record: ReleaseRecord, tmp_path: Path, number: int
) -> None:
    record.publish(tmp_path, files_of, FACTS)
    record.publish(tmp_path, files_of, FACTS)
    with pytest.raises(UnknownReleaseError, match=f"release {number} is not on record; there are 1-2") as caught:
        record.get(number)
    assert isinstance(caught.value, UsageError)


def test_what_fails_to_build_leaves_nothing_and_its_number_is_not_given_again(
    record: ReleaseRecord, tmp_path: Path
) -> None:
    def failing(_number: int) -> Mapping[str, bytes]:
        raise KeyError

    with pytest.raises(KeyError):
        record.publish(tmp_path / "releases", failing, FACTS)
    assert record.list() == ()
    assert not (tmp_path / "releases").exists()
    assert record.publish(tmp_path / "releases", files_of, FACTS) == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no file model.tflite"),
        ({"model.tflite": b""}, "no file manifest.json"),
        ({"model.tflite": b"", "manifest.json": b"{"}, "no JSON"),
        ({"model.tflite": b"", "manifest.json": b"\xff"}, "no JSON"),
        ({"model.tflite": b"", "manifest.json": b"[]"}, "no JSON object"),
        ({"model.tflite": b"", "manifest.json": b"{}", "../x": b""}, "cannot hold a file named"),
    ],
)
def test_files_that_are_no_release_are_refused(
    record: ReleaseRecord, tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        record.publish(tmp_path / "releases", lambda _: files, FACTS)
    assert record.list() == ()
    assert not (tmp_path / "releases").exists()


def test_the_names_of_model_and_manifest_can_be_chosen(record: ReleaseRecord, tmp_path: Path) -> None:
    facts = ReleaseFacts("digits", "cnn", model_file="digits.tflite", manifest_file="about.json")
    number = record.publish(tmp_path, lambda _: {"digits.tflite": b"x", "about.json": b"{}"}, facts)
    assert record.get(number).sha256 == sha256_of(b"x")


def test_a_directory_that_is_not_on_record_is_neither_used_nor_in_the_way(
    record: ReleaseRecord, tmp_path: Path
) -> None:
    (tmp_path / "0001").mkdir()
    (tmp_path / "0004").mkdir()
    (tmp_path / "0004" / "model.tflite").write_bytes(b"orphan")
    assert record.publish(tmp_path, files_of, FACTS) == 5
    assert [release.number for release in record.list()] == [5]
    assert (tmp_path / "0004" / "model.tflite").read_bytes() == b"orphan"
    assert list((tmp_path / "0001").iterdir()) == []


def test_a_number_is_not_given_again_when_a_release_is_gone(
    database: Database, record: ReleaseRecord, tmp_path: Path
) -> None:
    record.publish(tmp_path / "a", files_of, FACTS)
    with database.write() as session:
        session.execute(text("DELETE FROM releases"))
    assert record.publish(tmp_path / "b", files_of, FACTS) == 2


def test_a_directory_that_appears_meanwhile_is_refused_and_left_alone(record: ReleaseRecord, tmp_path: Path) -> None:
    def slow(number: int) -> Mapping[str, bytes]:
        (tmp_path / f"{number:04d}").mkdir()
        (tmp_path / f"{number:04d}" / "theirs").touch()
        return files_of(number)

    with pytest.raises(StorageError, match=r"cannot write .*0001"):
        record.publish(tmp_path, slow, FACTS)
    assert [path.name for path in (tmp_path / "0001").iterdir()] == ["theirs"]
    assert record.list() == ()
    assert record.publish(tmp_path, files_of, FACTS) == 2


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(["publish", "fail", "orphan", "new database"]), min_size=1, max_size=8))
def test_whatever_happens_numbers_rise_and_what_is_listed_is_complete(events: list[str]) -> None:
    def failing(_number: int) -> Mapping[str, bytes]:
        raise KeyError

    with tempfile.TemporaryDirectory() as folder:
        releases = Path(folder) / "releases"
        generation, published = 0, [0]
        for event in events:
            if event == "new database":
                generation += 1
            elif event == "orphan":
                releases.mkdir(exist_ok=True)
                (releases / f"{published[-1] + 2:04d}").mkdir(exist_ok=True)
            with open_database(f"sqlite:///{folder}/{generation}.db") as database:
                record = ReleaseRecord(database)
                if event == "publish":
                    published.append(record.publish(releases, files_of, FACTS))
                elif event == "fail":
                    with pytest.raises(KeyError):
                        record.publish(releases, failing, FACTS)
                for release in record.list():
                    check_complete(releases, release)
        assert published == sorted(set(published))


PUBLISH = """
import sys
from pathlib import Path
from handfed.server.database import open_database
from handfed.server.releases.schemas import ReleaseFacts
from handfed.server.releases.service import ReleaseRecord
def files_of(number):
    return {"model.tflite": b"TFL3%d" % number, "manifest.json": b'{"release": %d}' % number}
def publish(url, releases):
    with open_database(url) as database:
        return ReleaseRecord(database).publish(Path(releases), files_of, ReleaseFacts("digits", "cnn"))
"""


def test_processes_that_publish_at_once_get_different_numbers(url: str, tmp_path: Path) -> None:
    open_database(url).close()
    code = PUBLISH + "for _ in range(5): print(publish(*sys.argv[1:]))"
    command = [sys.executable, "-W", "error", "-c", code, url, str(tmp_path / "releases")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    results = [process.communicate(timeout=300) for process in processes]
    assert [stderr for _, stderr in results] == ["", "", ""]
    numbers = [int(number) for stdout, _ in results for number in stdout.split()]
    assert sorted(numbers) == list(range(1, 16))
    with open_database(url) as database:
        listed = ReleaseRecord(database).list()
    assert sorted(release.number for release in listed) == sorted(numbers)
    for release in listed:
        assert (tmp_path / "releases" / release.path / "model.tflite").read_bytes() == b"TFL3%d" % release.number


# A child process ends, as if killed, before the n-th thing it does to a file or a database connection; n goes
# up until a child gets through. Python reports each of those things as an audit event (PEP 578).
CRASH = (
    PUBLISH
    + """
import os
EVENTS = ("open", "os.mkdir", "os.rename", "os.chmod", "sqlite3.connect/handle", "sqlite3.connect")
def crash_before(step):
    left = [step]
    def hook(event, arguments):
        if event in EVENTS and sys.argv[2] in "".join(str(argument) for argument in arguments[:2]):
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
    sys.addaudithook(hook)
step, crashes = 0, []
while True:
    step += 1
    child = os.fork()
    if child == 0:
        crash_before(step)
        print(publish(sys.argv[1], sys.argv[2] + "/releases"), flush=True)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(step - 1, flush=True)
"""
)


def test_a_crash_at_any_step_leaves_a_whole_release_or_nothing_that_is_listed(url: str, tmp_path: Path) -> None:
    open_database(url).close()
    result = subprocess.run(
        [sys.executable, "-c", CRASH, url, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    number, crashes = (int(line) for line in result.stdout.split())
    assert crashes >= 8
    releases = tmp_path / "releases"
    with open_database(url) as database:
        record = ReleaseRecord(database)
        listed = record.list()
        assert [release.number for release in listed] == [number]
        assert sha256_of((releases / listed[0].path / "model.tflite").read_bytes()) == listed[0].sha256
        named = {path.name for path in releases.iterdir() if path.name.isdigit()}
        assert len(named) > 1, "no crash left a directory that is not on record: the test proves nothing"
        for name in named:
            assert {path.name for path in (releases / name).iterdir()} == {"model.tflite", "manifest.json"}
        assert record.publish(releases, files_of, FACTS) > max(int(name) for name in named)
