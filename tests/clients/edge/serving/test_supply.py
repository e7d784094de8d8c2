"""Which recogniser is used now."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from handfed.clients.edge import Recogniser
from handfed.clients.edge.serving.lanes import BusyError, Lanes
from handfed.clients.edge.serving.supply import RETRY_S, Source, Supply
from handfed.shared.errors import ManifestError
from handfed.shared.manifest import MANIFEST, read_release


class Clock:
    """Time that a test turns on by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def add(release: Path, tmp_path: Path) -> Callable[[int], Path]:
    """Publishes a release of that number in the data directory `tmp_path`, in one step."""
    manifest, _ = read_release(release)

    def made(number: int) -> Path:
        draft, final = tmp_path / "draft", tmp_path / "releases" / f"{number:04d}"
        shutil.copytree(release, draft)
        (draft / MANIFEST).write_bytes(replace(manifest, release=number).encode())
        final.parent.mkdir(exist_ok=True)
        draft.rename(final)
        return final

    return made


def test_a_release_is_opened_once_and_a_newer_one_is_taken_up(add: Callable[[int], Path], tmp_path: Path) -> None:
    add(1)
    supply = Supply(Source.of_releases(None, tmp_path))
    first = supply()
    assert first.release == 1
    assert supply() is first
    add(3)
    assert supply().release == 3
    add(2)
    assert supply().release == 3


def test_a_release_that_is_named_stays(add: Callable[[int], Path], tmp_path: Path) -> None:
    add(1)
    supply = Supply(Source.of_releases("1", tmp_path))
    first = supply()
    add(2)
    assert supply() is first


def test_what_cannot_be_used_is_not_taken_up_until_it_can(
    add: Callable[[int], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    add(1)
    supply = Supply(Source.of_releases(None, tmp_path), now_s=clock)
    first = supply()
    broken = add(2)
    content = (broken / MANIFEST).read_bytes()
    (broken / MANIFEST).chmod(0o600)
    (broken / MANIFEST).write_bytes(content[:100])
    assert supply() is first
    assert supply() is first
    assert caplog.text.count("another release cannot be used") == 1
    (broken / MANIFEST).write_bytes(content)
    assert supply().release == 2
    shutil.rmtree(tmp_path / "releases")
    assert supply().release == 2


def test_what_failed_for_a_moment_is_tried_again_after_a_while(release: Path) -> None:
    clock, works = Clock(), [True]

    def opened() -> Recogniser:
        if not works[0]:
            raise ManifestError("no memory")
        return Recogniser.open(release)

    stamps = [1]
    supply = Supply(Source(stamp=lambda: stamps[0], open=opened), now_s=clock)
    first = supply()
    stamps[0], works[0] = 2, False
    assert supply() is first
    works[0] = True
    assert supply() is first
    clock.now_s = RETRY_S
    assert supply() is not first


def test_without_any_release_there_is_no_supply(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        Lanes([Supply(Source.of_releases(None, tmp_path))], waiting=1)


def test_a_lane_belongs_to_one_at_a_time_and_comes_back(release: Path) -> None:
    source = Source.of_releases(str(release), Path("/nowhere"))
    lanes = Lanes([Supply(source)], waiting=1)
    with lanes.place(), lanes.recogniser(0) as recogniser, lanes.place():
        with pytest.raises(BusyError), lanes.recogniser(0.01):
            pass
        with pytest.raises(BusyError), lanes.place():
            pass
    with pytest.raises(ZeroDivisionError), lanes.place(), lanes.recogniser(0):
        _ = 1 / 0
    with lanes.place(), lanes.recogniser(0) as again:
        assert again is recogniser
