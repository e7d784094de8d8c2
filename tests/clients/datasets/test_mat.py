"""EMNIST's .mat files, as SciPy writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.io import savemat  # type: ignore[import-untyped]

from handfed.clients.datasets import read
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise_all

MAPPING = np.array([[0, 48], [10, 65], [36, 97]], np.uint8)


def pictures(samples: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(samples)
    result = np.zeros((samples, 28, 28), np.uint8)
    for picture in result:
        row, column = rng.integers(4, 19, 2)
        picture[row : row + 8, column : column + 2] = rng.integers(60, 256, (8, 2))
    return result


def part(images: NDArray[np.uint8], labels: list[float], writers: list[float] | None = None) -> dict[str, Any]:
    """As EMNIST has it: a picture a row, column by column; columns of labels and writers."""
    fields = {"images": images.transpose(0, 2, 1).reshape(-1, 784), "labels": np.array(labels)[:, None]}
    return fields if writers is None else {**fields, "writers": np.array(writers)[:, None]}


def saved(path: Path, dataset: object, *, compressed: bool = True) -> str:
    savemat(path, {"dataset": dataset}, do_compression=compressed)
    return str(path)


TRAIN = part(pictures(4), [0, 10, 36, 0], [700, 12, 700, 12])
TEST = part(pictures(2), [36, 10], [12, 3000])


@pytest.mark.parametrize("compressed", [False, True])
def test_images_are_upright_with_their_classes_and_writers_the_training_first(tmp_path: Path, compressed: bool) -> None:
    dataset = read(
        saved(tmp_path / "emnist.mat", {"test": TEST, "train": TRAIN, "mapping": MAPPING}, compressed=compressed)
    )
    assert dataset.name == "emnist"
    assert np.array_equal(dataset.images, normalise_all(np.concatenate([pictures(4), pictures(2)])))
    assert dataset.alphabet.names == ("0", "A", "a")
    assert dataset.labels.tolist() == [0, 1, 2, 0, 2, 1]
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [1, 0, 1, 0, 0, 2]
    assert dataset.writers.dtype == np.int32


def test_where_both_cases_are_one_class_the_capital_names_it(tmp_path: Path) -> None:
    mapping = np.array([[1, 65, 97], [2, 66, 98]], np.uint8)
    dataset = read(saved(tmp_path / "a.mat", {"train": part(pictures(2), [2, 1]), "mapping": mapping}))
    assert dataset.alphabet.names == ("A", "B")
    assert dataset.labels.tolist() == [1, 0]


def test_without_a_mapping_the_labels_name_the_classes(tmp_path: Path) -> None:
    assert read(saved(tmp_path / "a.mat", {"test": TEST})).alphabet.names == ("10", "36")


def test_without_writers_they_are_unknown(tmp_path: Path) -> None:
    assert read(saved(tmp_path / "a.mat", {"train": part(pictures(2), [0, 1])})).writers is None


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.float32, np.float64])
def test_labels_and_writers_may_be_of_any_type_and_lie_in_a_row(tmp_path: Path, dtype: type[np.number[Any]]) -> None:
    fields = {**TRAIN, "labels": TRAIN["labels"].T.astype(dtype), "writers": np.array([[9, 4, 9, 4]], dtype)}
    dataset = read(saved(tmp_path / "a.mat", {"train": fields, "mapping": MAPPING}))
    assert dataset.labels.tolist() == [0, 1, 2, 0]
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [1, 0, 1, 0]


def test_other_fields_and_variables_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(
        path, {"note": "text", "dataset": {"train": {**TRAIN, "cells": np.array(["a", 1], object)}, "note": "text"}}
    )
    assert len(read(str(path))) == 4


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


BLANK = pictures(4)
BLANK[2] = 9


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (np.eye(2), "'dataset' is not a struct"),
        ({"mapping": MAPPING}, r"'dataset' has neither 'train' nor 'test' \(found: mapping\)"),
        ({"train": np.eye(2)}, "'train' is not a struct"),
        ({"train": without(TRAIN, "images")}, r"'train' has no field 'images' \(found: labels, writers\)"),
        ({"train": TRAIN, "test": without(TEST, "labels")}, "'test' has no field 'labels'"),
        ({"train": {**TRAIN, "images": "text"}}, r"'train.images' is something else; it must be uint8 \(samples, 784"),
        ({"train": {**TRAIN, "images": np.ones((4, 784))}}, r"'train.images' is float64 \(4, 784\)"),
        ({"train": {**TRAIN, "images": np.ones((4, 100), np.uint8)}}, r"'train.images' is uint8 \(4, 100\)"),
        ({"train": {**TRAIN, "images": np.ones((4, 28, 28), np.uint8)}}, r"'train.images' is uint8 \(4, 28, 28\)"),
        ({"train": {**TRAIN, "images": np.ones((0, 784), np.uint8)}}, "'train' holds no samples"),
        ({"train": part(BLANK, [0, 1, 0, 1])}, "'train.images', row 2: .* no ink"),
        ({"train": part(pictures(4), [0, 1, 0])}, r"'train.labels' is of \(3, 1\), and there are 4 images"),
        ({"train": {**TRAIN, "labels": np.zeros((4, 2))}}, r"'train.labels' is of \(4, 2\), and there are 4 images"),
        ({"train": {**TRAIN, "labels": "abcd"}}, "'train.labels' does not hold numbers"),
        ({"train": part(pictures(4), [0, 1, 0.5, 1])}, "'train.labels', row 2: is not a whole number"),
        ({"train": part(pictures(4), [0, 1, 0, np.nan])}, "'train.labels', row 3: is not a whole number"),
        ({"train": part(pictures(4), [0, 1e300, 0, 1])}, "'train.labels', row 1: is not a whole number"),
        ({"train": {**TRAIN, "writers": np.zeros((3, 1))}}, r"'train.writers' is of \(3, 1\), and there are 4 images"),
        ({"train": part(pictures(4), [0, 1, 0, 1], [1, 2, 3, np.inf])}, "'train.writers', row 3: is not a whole"),
        ({"train": TRAIN, "test": without(TEST, "writers")}, "only one of 'train' and 'test' has writers"),
        ({"train": TRAIN, "mapping": MAPPING[:2]}, "'train.labels', row 2: label 36 is not in the mapping"),
        ({"test": TEST, "mapping": MAPPING}, "class '0' has no samples"),
        ({"train": TRAIN, "mapping": MAPPING[:, :1]}, "'mapping': each row must hold a label and the code"),
        ({"train": TRAIN, "mapping": "0 48"}, "'mapping' does not hold numbers"),
        ({"train": TRAIN, "mapping": np.ones((3, 2, 2))}, "'mapping': each row must hold"),
        ({"train": part(pictures(2), [5, 5])}, "at least two classes"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, dataset: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"emnist\.mat: .*{message}"):
        read(saved(tmp_path / "emnist.mat", dataset))


def test_a_file_without_the_variable_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"train": TRAIN})
    with pytest.raises(DatasetError, match=r"a\.mat: holds no variable 'dataset'"):
        read(str(tmp_path / "a.mat"))


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_damage_gives_a_data_set_or_a_dataset_error(
    tmp_path: Path, changes: list[tuple[int, int]], compressed: bool
) -> None:
    path = Path(saved(tmp_path / "a.mat", {"train": TRAIN, "test": TEST, "mapping": MAPPING}, compressed=compressed))
    content = bytearray(path.read_bytes())
    for position, value in changes:
        content[position % len(content)] = value
    path.write_bytes(content)
    try:
        dataset = read(str(path))
    except DatasetError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - a data set is as right as a refusal
    else:
        assert len(dataset) in {2, 4, 6}  # a damaged name hides a part
