"""A device learns its personal layer from its own handwriting, where that is wanted, and unlearns it at once."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from handfed.clients.device import personal
from handfed.clients.device.folder import store_in
from handfed.clients.device.handwriting_upkeep import look
from handfed.clients.device.store.cli import commands
from handfed.clients.device.store.store import Store as Handwriting
from handfed.clients.edge.personal import FILE, Learnt, read
from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.store import Store
from handfed.shared.datasets import Dataset
from handfed.simulations.real import write_handwriting

NAME = "0001-0123456789ab"


@pytest.fixture
def device(tmp_path: Path, release_directory: Path, digits: Dataset) -> Path:
    """A device with a release in use, and 600 digits of people who write a 4 as others write a 9, and a 9 as a 4."""
    store, folder = Store(tmp_path / "device"), tmp_path / "device"
    store.make()
    shutil.copytree(release_directory, store.incoming / NAME)
    store.switch(NAME, "digits")
    rows = np.arange(2000, 2600)
    odd = digits.take(rows)
    fours, nines = (odd.labels == label for label in (4, 9))
    odd.labels[fours], odd.labels[nines] = 9, 4
    write_handwriting(tmp_path / "digits.npz", odd, range(600))
    run("import", tmp_path / "digits.npz", "--task", "digits", "--consent", "given", folder=folder)
    return folder


def run(*arguments: object, folder: Path) -> str:
    done = CliRunner().invoke(commands, [*map(str, arguments), "--data", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def learn(folder: Path) -> Learnt | None:
    with Handwriting.open(store_in(folder), make=False) as store:
        return personal.learn(store, folder)


def test_nothing_is_learnt_unless_it_is_wanted(device: Path) -> None:
    assert "personal layer: no" in run("settings", folder=device)
    assert learn(device) is None
    assert not (device / FILE).exists()


def test_what_is_written_here_otherwise_is_read_as_it_is_meant(device: Path, digits: Dataset) -> None:
    assert "personal layer: yes" in run("settings", "--personal", folder=device)
    assert "the personal layer was learnt anew, and is used from now on" in look(device, datetime.now(UTC))
    nines = digits.images[2600:][digits.labels[2600:] == 9][:50]
    with_layer, without = Recogniser.of_device(device), Recogniser.open(Store(device).path(NAME))
    meant, usual = ((each.read_all(nines).labels == 4).mean() for each in (with_layer, without))
    assert (meant > 0.8, usual < 0.2) == (True, True)


def test_it_is_learnt_again_when_there_is_news_alone(device: Path, digits: Dataset, tmp_path: Path) -> None:
    run("settings", "--personal", folder=device)
    assert learn(device) is not None
    assert learn(device) is None
    write_handwriting(tmp_path / "more.npz", digits, range(2700, 2800))
    run("import", tmp_path / "more.npz", "--task", "digits", "--consent", "given", folder=device)
    assert learn(device) is not None


@pytest.mark.parametrize(
    "how", [("settings", "--no-personal"), ("forget", "pupil-3", "--yes"), ("consent", "pupil-3", "withdrawn")]
)
def test_it_goes_at_once_with_what_it_was_learnt_from(device: Path, how: tuple[str, ...]) -> None:
    run("settings", "--personal", folder=device)
    learn(device)
    assert read(device) is not None
    run(*how, folder=device)
    assert read(device) is None
