"""The personal layer is in a file of the device's folder, for one release, and is used by whatever reads there."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.edge import personal
from handfed.clients.edge.personal import FILE, Learnt, layer_for
from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.serving.supply import Source
from handfed.clients.edge.store import Store
from handfed.shared.datasets import Dataset
from handfed.shared.personal import PersonalLayer

NAME = "0003-0123456789ab"


@pytest.fixture
def layer() -> PersonalLayer:
    return PersonalLayer(np.random.default_rng(0).normal(size=(10, 11)).astype(np.float32))


def test_what_is_written_is_read_and_is_the_owner_s_alone(tmp_path: Path, layer: PersonalLayer) -> None:
    personal.write(tmp_path, Learnt(NAME, 17, layer))
    found = personal.read(tmp_path)
    assert found is not None
    assert found.layer is not None
    assert (found.release, found.revision) == (NAME, 17)
    assert np.array_equal(found.layer.matrix, layer.matrix)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_that_no_layer_helps_is_known_too(tmp_path: Path) -> None:
    personal.write(tmp_path, Learnt(NAME, 17, None))
    assert personal.read(tmp_path) == Learnt(NAME, 17, None)
    assert layer_for(tmp_path, NAME, 10) is None


def test_a_layer_is_for_one_release_and_its_classes(tmp_path: Path, layer: PersonalLayer) -> None:
    personal.write(tmp_path, Learnt(NAME, 17, layer))
    assert layer_for(tmp_path, NAME, 10) is not None
    assert layer_for(tmp_path, "0003-ffffffffffff", 10) is None
    assert layer_for(tmp_path, NAME, 62) is None
    personal.discard(tmp_path)
    personal.discard(tmp_path)
    assert layer_for(tmp_path, NAME, 10) is None


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"matrix": "no base64"}, {"matrix": "AAAA"}, {"classes": 0}, {"release": None}, {"classes": "ten"}],
)
def test_a_file_that_is_damaged_or_newer_is_as_none(
    tmp_path: Path, layer: PersonalLayer, change: dict[str, object]
) -> None:
    document = json.loads(Learnt(NAME, 17, layer).encode()) | change
    (tmp_path / FILE).write_text(json.dumps(document))
    assert layer_for(tmp_path, NAME, 10) is None
    (tmp_path / FILE).write_text("{")
    assert personal.read(tmp_path) is None


def test_a_device_reads_with_its_layer_from_the_next_picture_on(
    tmp_path: Path, release_directory: Path, digits: Dataset
) -> None:
    store = Store(tmp_path)
    store.make()
    shutil.copytree(release_directory, store.incoming / NAME)
    store.switch(NAME, "digits")
    source = Source.of_device(tmp_path)
    without, stamp = source.open(), source.stamp()
    picture = digits.images[:1]
    everything_is_7 = np.zeros((10, 11), np.float32)
    everything_is_7[7, -1] = 1000
    personal.write(tmp_path, Learnt(NAME, 1, PersonalLayer(everything_is_7)))
    assert source.stamp() != stamp
    assert source.open().read_all(picture).labels.tolist() == [7]
    assert (
        without.read_all(picture).labels.tolist() == Recogniser.open(store.path(NAME)).read_all(picture).labels.tolist()
    )
