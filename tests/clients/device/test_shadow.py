"""A candidate and the champion read what a device holds out, and only counts come of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.folder import store_in
from handfed.clients.device.shadow import compare, counted
from handfed.clients.device.shadow_process import CANDIDATE
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.clients.edge.recogniser import Recogniser
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import ConflictError
from handfed.shared.manifest import MANIFEST, MODEL, Manifest
from handfed.shared.release_reports import Comparison
from handfed.shared.tasks import TASKS

SWAPPED = Alphabet(tuple("1023456789"))  # reads a 0 as 1, and a 1 as 0
GROWN = Alphabet(tuple("xy23456789"))  # of another alphabet: it knows no 0 and no 1

Release = tuple[Manifest, bytes]


def opened(release: Release, number: int, **changed: object) -> Recogniser:
    manifest, model = release
    return Recogniser(replace(manifest, release=number, **changed), model, where="here")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def unseen(digits: Dataset) -> Dataset:
    return digits.take(np.arange(4000, 4300))


def test_a_release_beside_itself_differs_in_nothing(trained_release: Release, unseen: Dataset) -> None:
    champion, candidate = opened(trained_release, 1), opened(trained_release, 2)
    assert compare(champion, candidate, unseen.samples) == Comparison(1, 2, 300, 0, 0)


@pytest.mark.parametrize("alphabet", [SWAPPED, GROWN])
def test_what_only_one_reads_right_is_counted(trained_release: Release, unseen: Dataset, alphabet: Alphabet) -> None:
    champion, candidate = opened(trained_release, 1), opened(trained_release, 2, alphabet=alphabet)
    read = champion.read_all(unseen.images).labels
    right = int(((read == unseen.labels) & (unseen.labels < 2)).sum())
    mistaken = int(((read != unseen.labels) & (read < 2) & (unseen.labels < 2)).sum())
    found = compare(champion, candidate, unseen.samples)
    assert found == Comparison(1, 2, 300, mistaken if alphabet is SWAPPED else 0, right)
    assert right > 40


def test_nothing_held_out_gives_counts_of_nothing(trained_release: Release, unseen: Dataset) -> None:
    nothing = unseen.samples.take(np.arange(0))
    assert compare(opened(trained_release, 1), opened(trained_release, 2), nothing) == Comparison(1, 2, 0, 0, 0)


def test_a_bare_file_is_not_compared(trained_release: Release, unseen: Dataset) -> None:
    bare = Recogniser(None, trained_release[1], where="here")
    with pytest.raises(ConflictError):
        compare(opened(trained_release, 1), bare, unseen.samples)


def stored(folder: Path, release: Release, number: int) -> Path:
    directory = folder / f"{number:04d}"
    directory.mkdir()
    (directory / MANIFEST).write_bytes(replace(release[0], release=number).encode())
    (directory / MODEL).write_bytes(release[1])
    return directory


def test_the_process_prints_counts_of_the_held_out_part_alone(
    trained_release: Release, unseen: Dataset, tmp_path: Path
) -> None:
    with Store.open(store_in(tmp_path)) as store:
        for writer, rows, side in (("pupil-1", np.arange(200), False), ("pupil-2", np.arange(200, 300), True)):
            incoming = Incoming(unseen.take(rows), TASKS["characters"], "characters", writer=writer, held_out=side)
            store.take_in(incoming, by="me", now=datetime.now(UTC))
    places = [stored(tmp_path, trained_release, number) for number in (1, 2)]
    assert counted(tmp_path, *places).samples == 100
    command = [sys.executable, "-m", "handfed.clients.device.shadow", *map(str, (os.getpid(), tmp_path, *places))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    turn, _, counts = done.stdout.partition("\n")
    assert (turn, json.loads(counts)) == (CANDIDATE, vars(Comparison(1, 2, 100, 0, 0)))
    failed = subprocess.run([*command[:-1], str(tmp_path / "pupil")], capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "pupil" not in failed.stderr
