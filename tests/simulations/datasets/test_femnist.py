"""FEMNIST through Flower Datasets and Hugging Face's library, from a local folder of the same Parquet files."""

from __future__ import annotations

import io
import json
import os
import string
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from handfed.clients.datasets import NamedDataset
from handfed.clients.datasets.cli import commands
from handfed.shared.errors import DatasetError, MissingExtraError
from handfed.shared.images import normalise_all
from handfed.simulations.datasets.femnist import FEMNIST, Femnist

CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
SAMPLES = 2 * len(CHARACTERS)


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network for Hugging Face, no telemetry, and an empty cache; the libraries may be imported already."""
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HOME", str(tmp_path))  # Flower Datasets writes an id there
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "huggingface" / "datasets")
    monkeypatch.setattr("datasets.config.HF_MODULES_CACHE", str(tmp_path / "huggingface" / "modules"))


def pictures() -> NDArray[np.uint8]:
    """Dark on light, as FEMNIST is."""
    rng = np.random.default_rng(0)
    result = np.full((SAMPLES, 28, 28), 255, np.uint8)
    for picture in result:
        row, column = rng.integers(4, 19, 2)
        picture[row : row + 8, column : column + 2] = rng.integers(0, 190, (8, 2))
    return result


def png(picture: NDArray[np.uint8]) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def published(folder: Path, **changes: Any) -> Femnist:
    """A folder as the Hub has it: every character twice, by three writers; columns may be changed, or left out."""
    import datasets  # type: ignore[import-untyped]

    columns: dict[str, Any] = {
        "image": [png(picture) for picture in pictures()],
        "writer_id": [f"f{9 - row % 3:04}_14" for row in range(SAMPLES)],
        "hsf_id": [0] * SAMPLES,
        "character": [row % 62 for row in range(SAMPLES)],
    }
    features: dict[str, Any] = {
        "image": datasets.Image(),
        "writer_id": datasets.Value("string"),
        "hsf_id": datasets.Value("int64"),
        "character": datasets.ClassLabel(names=list(CHARACTERS)),
    }
    for name, change in changes.items():
        columns[name], features[name] = change if isinstance(change, tuple) else (change, features[name])
        if columns[name] is None:
            del columns[name], features[name]
    (folder / "femnist" / "data").mkdir(parents=True)
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    table.to_parquet(folder / "femnist" / "data" / "train-00000-of-00001.parquet")
    return Femnist(repository=str(folder / "femnist"))


def test_it_is_a_named_data_set_that_states_its_licence_and_what_it_downloads() -> None:
    assert isinstance(FEMNIST, NamedDataset)
    assert (FEMNIST.name, FEMNIST.repository) == ("femnist", "flwrlabs/femnist")
    assert "3,597 known writers" in FEMNIST.summary
    assert "downloads 201 MB on first use" in FEMNIST.summary
    assert "BSD-2-Clause" in FEMNIST.licence


def test_pictures_come_in_order_with_their_characters_and_writers(tmp_path: Path) -> None:
    dataset = published(tmp_path).load()
    assert dataset.name == "femnist"
    assert np.array_equal(dataset.images, normalise_all(pictures()))
    assert "".join(dataset.alphabet.names) == CHARACTERS
    assert dataset.labels.tolist() == [row % 62 for row in range(SAMPLES)]
    assert dataset.labels.dtype == np.int32
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [(2, 1, 0)[row % 3] for row in range(SAMPLES)]
    assert "left out" not in dataset.source


def test_a_picture_without_ink_is_left_out_and_counted(tmp_path: Path) -> None:
    blank = pictures()
    blank[[1, 100]] = 255
    dataset = published(tmp_path, image=[png(picture) for picture in blank]).load()
    kept = np.delete(np.arange(SAMPLES), [1, 100])
    assert np.array_equal(dataset.images, normalise_all(pictures()[kept]))
    assert dataset.labels.tolist() == (kept % 62).tolist()
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [(2, 1, 0)[row % 3] for row in kept]
    assert "2 pictures without ink are left out" in dataset.source


def test_nothing_is_printed_on_standard_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    published(tmp_path).load()
    assert capfd.readouterr().out == ""


def test_telemetry_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "1")
    published(tmp_path).load()
    assert os.environ["FLWR_TELEMETRY_ENABLED"] == "0"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_without_a_network_what_to_do_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "huggingface"
    with pytest.raises(
        DatasetError, match=rf"FEMNIST cannot be downloaded \(.*flwrlabs/femnist.*\); .*copy the folder {folder}"
    ):
        FEMNIST.load()
    result = CliRunner().invoke(commands, ["show", "femnist", "--json"])
    assert isinstance(result.exception, DatasetError)
    assert result.stdout == ""


def test_without_flower_datasets_what_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flwr_datasets", None)
    with pytest.raises(MissingExtraError, match=r"Flower Datasets .* pip install 'handfed-simulations\[femnist\]'"):
        FEMNIST.load()


def changed(values: list[Any], row: int, value: Any) -> list[Any]:
    return [*values[:row], value, *values[row + 1 :]]


NUMBERS = [row % 62 for row in range(SAMPLES)]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("character", None, "has the columns image, writer_id, hsf_id; image, writer_id and character"),
        ("writer_id", None, "has the columns image, hsf_id, character; "),
        ("image", None, "has the columns writer_id, hsf_id, character; "),
        ("character", changed(NUMBERS, 5, None), "row 5 has no character"),
        ("character", changed(NUMBERS, 6, -1), "row 6 has no character"),
        ("character", [row % 61 for row in range(SAMPLES)], "class 'z' has no samples"),
        ("writer_id", [*["f1"] * (SAMPLES - 1), None], f"row {SAMPLES - 1} has no writer_id"),
        ("image", changed([png(picture) for picture in pictures()], 3, None), "row 3 has no picture"),
        ("image", changed([png(picture) for picture in pictures()], 4, {"bytes": b"x", "path": None}), "row 4: is not"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, column: str, values: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=f"femnist: {message}"):
        published(tmp_path, **{column: values}).load()


def test_a_class_without_names_is_refused(tmp_path: Path) -> None:
    import datasets

    with pytest.raises(DatasetError, match="image, writer_id and character, a class label, are needed"):
        published(tmp_path, character=(NUMBERS, datasets.Value("int64"))).load()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    femnist = published(tmp_path)
    (path,) = Path(femnist.repository).rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match="FEMNIST cannot be downloaded"):
        femnist.load()


def test_show_counts_its_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handfed.simulations.datasets.femnist.FEMNIST", published(tmp_path))
    result = CliRunner().invoke(commands, ["show", "femnist", "--json"])
    assert json.loads(result.stdout)["writers"] == {
        "count": 3,
        "samples_min": 41,
        "samples_median": 41.0,
        "samples_max": 42,
    }
