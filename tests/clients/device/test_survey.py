"""What a device tells of new handwriting: counts and figures over whole groups of writers, and nothing of anybody."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device.folder import store_in
from handfed.clients.device.release_upkeep import Said
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.clients.device.survey import by_writer, class_shares, classes_told, rows_of_groups, surveyed
from handfed.shared.datasets import Dataset
from handfed.shared.handwriting_reports import APPEARANCE, CONFIDENCE, Figure, HandwritingReport
from handfed.shared.manifest import MANIFEST, MODEL, Manifest
from handfed.shared.parent import child
from handfed.shared.tasks import TASKS
from handfed.simulations import styles

Release = tuple[Manifest, bytes]
NOW = datetime(2027, 3, 1, tzinfo=UTC)
EACH = 10


def stored(folder: Path, release: Release, number: int = 1) -> Path:
    directory = folder / f"{number:04d}"
    directory.mkdir()
    (directory / MANIFEST).write_bytes(replace(release[0], release=number).encode())
    (directory / MODEL).write_bytes(release[1])
    return directory


def take(store: Store, digits: Dataset, first: int, writers: range, *, held_out: bool, shear: float = 0.0) -> None:
    """Takes in ten digits of each writer."""
    part = digits.take(np.arange(first, first + EACH * len(writers)))
    samples = replace(part.samples, images=styles.affine(part.images, shear=shear))
    names = tuple(f"pupil-{number}" for number in writers)
    numbers = np.arange(len(part), dtype=np.int32) // EACH
    made = replace(part, samples=samples, writers=numbers, writer_ids=names)
    store.take_in(Incoming(made, TASKS["characters"], "characters", held_out=held_out), by="me", now=NOW)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Path:
    """A device: 14 writers trained on and 10 held out, then 23 more, who slant."""
    folder = tmp_path_factory.mktemp("device")
    with Store.open(store_in(folder)) as store:
        take(store, digits, 2000, range(14), held_out=False)
        take(store, digits, 2200, range(14, 24), held_out=True)
        store.note_trained(7, store.newest_sample())
        store.settle([7])
        take(store, digits, 2400, range(24, 47), held_out=False, shear=0.3)
    return folder


@pytest.fixture(scope="module")
def told(filled: Path, trained_release: Release) -> HandwritingReport:
    """What the process prints."""
    command = child("handfed.clients.device.survey", filled, stored(filled, trained_release))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert not [word for word in ("pupil", "characters", str(filled)) if word in done.stdout + done.stderr]
    return HandwritingReport.from_json(json.loads(done.stdout))


def test_the_process_prints_counts_and_figures_of_whole_groups_alone(told: HandwritingReport) -> None:
    assert (told.release, told.fresh) == (1, 230)
    assert {told.known[name].writers for name in APPEARANCE} == {20}  # of 24
    assert {told.recent[name].writers for name in APPEARANCE} == {20}  # of 23
    assert (told.known[CONFIDENCE].writers, told.recent[CONFIDENCE].writers) == (10, 20)  # of the 10 held out


def test_figures_tell_what_is_new_of_the_handwriting(told: HandwritingReport) -> None:
    known, recent = told.known, told.recent
    assert recent["slant"].mean - known["slant"].mean == pytest.approx(0.3, abs=0.1)
    assert recent["ink"].mean == pytest.approx(known["ink"].mean, rel=0.1)
    assert recent[CONFIDENCE].mean < known[CONFIDENCE].mean
    classes = [each.mean for name, each in recent.items() if name.startswith("class-")]
    assert 0.8 < sum(classes) <= 1.001


def test_below_the_floor_only_how_much_is_new_is_told(
    tmp_path: Path, digits: Dataset, trained_release: Release
) -> None:
    with Store.open(store_in(tmp_path)) as store:
        take(store, digits, 2000, range(9), held_out=False)
    assert surveyed(tmp_path, stored(tmp_path, trained_release)) == HandwritingReport(1, 90)


def test_a_failure_names_no_file(filled: Path) -> None:
    command = child("handfed.clients.device.survey", filled, filled / "pupil")
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "pupil" not in failed.stderr


@given(st.lists(st.integers(0, 40), max_size=400))
def test_groups_are_whole_and_only_ever_grow_by_ten(writers: list[int]) -> None:
    came = np.array(writers, np.int64)
    found = [set(came[:end][rows_of_groups(came[:end])].tolist()) for end in range(0, len(came) + 1, 7)]
    for earlier, later in itertools.pairwise(found):
        assert len(later) % 10 == 0
        assert earlier <= later


def test_of_very_many_writers_the_last_are_told_of() -> None:
    came = np.repeat(np.arange(235), 5)
    rows = rows_of_groups(came)
    assert set(came[rows].tolist()) == set(range(130, 230))


def test_a_writer_counts_once_however_much_he_or_she_wrote() -> None:
    writers = np.repeat(np.arange(10), [100, *[5] * 9])
    values = np.where(writers == 0, 1.0, 0.0)
    assert by_writer(values, writers) == Figure(10, 0.1, 0.316)


def test_of_classes_too_rare_to_be_told_none_can_be_told_from_the_rest() -> None:
    assert classes_told(np.array([50, 40, 10, 0]), 100) == [0, 1, 2]
    assert classes_told(np.array([50, 40, 9, 1]), 100) == [0, 1]
    assert classes_told(np.array([50, 46, 3, 1]), 100) == [0]
    assert classes_told(np.array([3, 4]), 7) == []


def test_shares_of_a_text_are_by_its_characters() -> None:
    assert class_shares([[0, 0, 1, 2], [], [2]], 3).tolist() == [[0.5, 0.25, 0.25], [0, 0, 0], [0, 0, 1]]


def test_what_was_surveyed_is_read_as_it_was_written(tmp_path: Path, told: HandwritingReport) -> None:
    said = Said(7, "text", 12.5, surveyed=(3, 120, 1), handwriting=told)
    said.write(tmp_path)
    assert Said.read(tmp_path) == said
