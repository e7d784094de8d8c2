"""MNIST whole, from a small stand-in for the file that Keras downloads, in Keras' own cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from handfed.clients.datasets import NamedDataset, read
from handfed.clients.datasets.cli import commands
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise_all
from handfed.shared.tf.runtime import keras
from handfed.simulations.datasets.mnist import MNIST


@pytest.fixture
def in_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> NDArray[np.uint8]:
    """Keras' cache with a file of 60 real digits, and those digits; the first 40 are the training part."""
    few = digits.take(np.concatenate([np.flatnonzero(digits.labels == digit)[:6] for digit in range(10)]))
    path = tmp_path / "datasets" / "mnist.npz"
    path.parent.mkdir()
    labels = few.labels.astype(np.uint8)
    parts = {"x_train": few.images[:40], "y_train": labels[:40], "x_test": few.images[40:], "y_test": labels[40:]}
    np.savez(path, allow_pickle=False, **parts)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    def with_its_checksum(name: str, *, origin: str, cache_dir: str, **_: object) -> Any:
        return keras.utils.get_file(name, origin=origin, file_hash=sha256, cache_dir=cache_dir)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("tf_keras.src.datasets.mnist.get_file", with_its_checksum)
    return few.images


def test_it_is_a_named_data_set_that_states_its_licence_and_what_it_downloads() -> None:
    assert isinstance(MNIST, NamedDataset)
    assert MNIST.name == "mnist"
    assert "not recorded who wrote" in MNIST.summary
    assert "downloads 11 MB on first use" in MNIST.summary
    assert "CC BY-SA 3.0" in MNIST.licence


def test_the_test_images_follow_the_training_images_of_unknown_writers(in_cache: NDArray[np.uint8]) -> None:
    dataset = read("mnist")
    assert dataset.name == "mnist"
    assert np.array_equal(dataset.images, normalise_all(in_cache))
    assert dataset.labels.tolist() == [digit for digit in range(10) for _ in range(6)]
    assert dataset.labels.dtype == np.int32
    assert dataset.alphabet.names == tuple("0123456789")
    assert dataset.writers is None


@pytest.mark.usefixtures("in_cache")
def test_show_prints_one_json_object() -> None:
    result = CliRunner().invoke(commands, ["show", "mnist", "--json"])
    assert json.loads(result.stdout)["samples"] == 60


def test_without_the_file_and_a_network_it_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_nowhere(name: str, *, cache_dir: str, **_: object) -> Any:
        return keras.utils.get_file(name, origin="http://127.0.0.1:1/mnist.npz", cache_dir=cache_dir)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("tf_keras.src.datasets.mnist.get_file", from_nowhere)
    with pytest.raises(DatasetError, match=r"MNIST cannot be downloaded .*mnist5k"):
        MNIST.load()
