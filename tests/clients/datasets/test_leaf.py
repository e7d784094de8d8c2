"""LEAF's JSON: dark ink on light paper, by its writers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.clients.datasets import read
from handfed.clients.datasets import trees as trees_module
from handfed.clients.datasets.leaf import CHARACTERS
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise_all


def pictures(samples: int) -> NDArray[np.uint8]:
    """Dark on light."""
    rng = np.random.default_rng(samples)
    result = np.full((samples, 28, 28), 255, np.uint8)
    for picture in result:
        row, column = rng.integers(4, 19, 2)
        picture[row : row + 8, column : column + 2] = rng.integers(0, 200, (8, 2))
    return result


def samples(images: NDArray[np.uint8], labels: list[int]) -> dict[str, Any]:
    return {"x": (images.reshape(-1, 784) / 255).tolist(), "y": labels}


def leaf(**users: dict[str, Any]) -> dict[str, Any]:
    return {"users": list(users), "num_samples": [len(each["y"]) for each in users.values()], "user_data": users}


def saved(path: Path, content: object) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


ZOE, ADAM = samples(pictures(3), [0, 10, 36]), samples(pictures(2), [61, 0])


def test_pictures_come_with_their_characters_and_writers(tmp_path: Path) -> None:
    dataset = read(saved(tmp_path / "school.json", {**leaf(zoe=ZOE, adam=ADAM), "hierarchies": ["not read"]}))
    assert dataset.name == "school"
    assert np.array_equal(dataset.images, normalise_all(np.concatenate([pictures(3), pictures(2)])))
    assert dataset.alphabet.names == ("0", "A", "a", "z")
    assert dataset.labels.tolist() == [0, 1, 2, 3, 0]
    assert dataset.labels.dtype == np.int32
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [1, 1, 1, 0, 0]


def test_the_62_labels_are_digits_capitals_and_small_letters(tmp_path: Path) -> None:
    assert CHARACTERS == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    dataset = read(saved(tmp_path / "a.json", leaf(zoe=samples(pictures(62), list(range(62))))))
    assert "".join(dataset.alphabet.names) == CHARACTERS
    assert dataset.labels.tolist() == list(range(62))


def test_a_folder_gives_all_files_and_a_writer_is_the_same_in_each(tmp_path: Path) -> None:
    saved(tmp_path / "all_data_0_niid_0_keep_0_train_9.json", leaf(zoe=ZOE, adam=ADAM))
    saved(tmp_path / "all_data_1_niid_0_keep_0_train_9.json", leaf(eva=ADAM, zoe=ADAM))
    (tmp_path / "meta.json").write_bytes(b"other files are not read")
    dataset = read(str(tmp_path))
    assert len(dataset) == 9
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [2, 2, 2, 0, 0, 1, 1, 2, 2]


def test_two_steps_of_a_preparation_in_a_folder_are_refused(tmp_path: Path) -> None:
    for name in ("all_data_0.json", "all_data_10.json", "all_data_1_niid_0.json"):
        saved(tmp_path / name, leaf(zoe=ZOE))
    assert len(read(str(tmp_path))) == 9
    saved(tmp_path / "all_data_1_niid_0_keep_0.json", leaf(zoe=ZOE))
    with pytest.raises(DatasetError, match=r"'all_data_1_niid_0_keep_0.json' was made from 'all_data_1_niid_0.json'"):
        read(str(tmp_path))


def test_a_writer_without_samples_is_no_writer(tmp_path: Path) -> None:
    dataset = read(saved(tmp_path / "a.json", leaf(adam=samples(pictures(0), []), zoe=ZOE)))
    assert dataset.writer_count == 1
    with pytest.raises(DatasetError, match="holds no samples"):
        read(saved(tmp_path / "a.json", leaf(adam=samples(pictures(0), []))))
    with pytest.raises(DatasetError, match="holds no samples"):
        read(saved(tmp_path / "a.json", leaf()))


def test_every_grey_level_comes_back_as_it_was(tmp_path: Path) -> None:
    image = np.full((2, 28, 28), 255, np.uint8)
    image[:, 4:24, 4:24] = np.arange(400).reshape(20, 20) % 256
    assert set(image.ravel().tolist()) == set(range(256))
    dataset = read(saved(tmp_path / "a.json", leaf(zoe=samples(image, [0, 1]))))
    assert np.array_equal(dataset.images, normalise_all(image))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0x20, 0x7E)), min_size=1, max_size=3), st.integers(0, 50))
def test_damage_gives_a_data_set_or_a_dataset_error(tmp_path: Path, changes: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(json.dumps(leaf(zoe=ZOE, adam=ADAM)).encode())
    content = content[: len(content) - max(0, cut - 40)]
    for position, value in changes:
        content[position % len(content)] = value
    (tmp_path / "a.json").write_bytes(content)
    try:
        dataset = read(str(tmp_path / "a.json"))
    except DatasetError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017 - a data set is as right as a refusal
    else:
        assert len(dataset) == 5


def with_pixel(value: object) -> dict[str, Any]:
    changed = samples(pictures(3), [0, 10, 36])
    changed["x"][1][30] = value
    return changed


def with_label(value: object) -> dict[str, Any]:
    return {**ZOE, "y": [0, value, 1]}


BLANK = pictures(3)
BLANK[2] = 255


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "is not LEAF's JSON, an object with users, num_samples, user_data"),
        ({"users": [], "num_samples": []}, "is not LEAF's JSON"),
        ({**leaf(zoe=ZOE), "users": "zoe"}, "'users' must be a list of texts, and 'user_data' an object"),
        ({**leaf(zoe=ZOE), "users": [7]}, "'users' must be a list of texts"),
        ({**leaf(zoe=ZOE), "user_data": [ZOE]}, "'users' must be a list of texts, and 'user_data' an object"),
        ({**leaf(zoe=ZOE), "users": ["eva"]}, "'users' must name each user in 'user_data' once"),
        ({**leaf(zoe=ZOE), "users": ["zoe", "zoe"], "num_samples": [3, 3]}, "'users' must name each user"),
        ({**leaf(zoe=ZOE, eva=ADAM), "users": ["zoe"], "num_samples": [3]}, "'users' must name each user"),
        ({**leaf(zoe=ZOE), "num_samples": [3, 3]}, "'num_samples' must be a list with a number for each of 1 users"),
        ({**leaf(zoe=ZOE), "num_samples": 3}, "'num_samples' must be a list"),
        ({**leaf(zoe=ZOE), "num_samples": [4]}, "user 0: holds 3 pictures and 3 labels, and 'num_samples' says 4"),
        ({**leaf(zoe=ZOE), "user_data": {"zoe": 1}}, "user 0: must be an object with 'x' and 'y'"),
        ({**leaf(zoe=ZOE), "user_data": {"zoe": {"x": []}}}, "user 0: must be an object with 'x' and 'y'"),
        (leaf(eva=ADAM, zoe={**ZOE, "y": [0, 1]}), "user 1: holds 3 pictures and 2 labels, and 'num_samples' says 2"),
        ({**leaf(zoe=ZOE), "user_data": {"zoe": {**ZOE, "y": 3}}}, "user 0: holds 3 pictures and no list of labels"),
        (leaf(zoe=with_label(62)), "user 0, row 1: label 62 is not a whole number from 0 to 61"),
        (leaf(zoe=with_label(-1)), "user 0, row 1: label -1 "),
        (leaf(zoe=with_label(1.0)), "user 0, row 1: label 1.0 "),
        (leaf(zoe=with_label("a")), "user 0, row 1: label 'a' "),
        (leaf(zoe=with_label(value=True)), "user 0, row 1: label True "),
        (leaf(zoe={**ZOE, "x": "pictures"}), "user 0, 'x': must be a list of pictures"),
        (leaf(zoe={**ZOE, "x": [*ZOE["x"][:2], ZOE["x"][2][:-1]]}), "user 0, row 2: must be a list of 784 numbers"),
        (leaf(zoe={**ZOE, "x": [[0.5] * 783] * 3}), "user 0, row 0: must be a list of 784 numbers"),
        (leaf(zoe={**ZOE, "x": [0.5, 0.5, 0.5]}), "user 0, row 0: must be a list of 784 numbers"),
        (leaf(zoe=with_pixel(1.004)), "user 0, row 1: holds 1.004, which is not a number from 0 to 1"),
        (leaf(zoe=with_pixel(-0.1)), "user 0, row 1: holds -0.1"),
        (leaf(zoe=with_pixel(math.nan)), "user 0, row 1: holds nan"),
        (leaf(zoe=with_pixel(255)), "user 0, row 1: holds 255"),
        (leaf(zoe=with_pixel(10**400)), "user 0, row 1: holds 1000"),
        (leaf(zoe=with_pixel("0.5")), "user 0, row 1: holds '0.5'"),
        (leaf(zoe=with_pixel(None)), "user 0, row 1: holds None"),
        (leaf(zoe=with_pixel([1])), r"user 0, row 1: holds \[1\]"),
        (leaf(zoe=samples(BLANK, [0, 1, 2])), "user 0, row 2: .* no ink"),
        (leaf(zoe=samples(pictures(3), [5, 5, 5])), "a recogniser needs at least two classes"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"school\.json: {message}"):
        read(saved(tmp_path / "school.json", content))


WHOLE = json.dumps(leaf(zoe=ZOE, adam=ADAM)).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (WHOLE[:-1], "is not JSON .*cut off"),
        (WHOLE[: len(WHOLE) // 2], "is not JSON .*cut off"),
        (b"\xff" + WHOLE, "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b'{"users": ' + b"9" * 5_000 + b"}", "is not JSON"),
        (WHOLE.replace(b'"adam": {', b'"zoe": {'), "a key occurs twice in one object"),
    ],
)
def test_what_is_not_json_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"a\.json: {message}"):
        read(str(tmp_path / "a.json"))


def test_a_users_id_is_in_no_message(tmp_path: Path) -> None:
    for content in (
        leaf(secret=with_label(62)),
        {**leaf(secret=ZOE), "users": ["secrets"]},
        leaf(secret=with_pixel(2)),
    ):
        with pytest.raises(DatasetError) as refused:
            read(saved(tmp_path / "a.json", content))
        assert "secret" not in str(refused.value)


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.json", leaf(zoe=ZOE))
    monkeypatch.setattr(trees_module, "MAX_TOTAL_BYTES", 1_000)
    with pytest.raises(DatasetError, match="is larger than 1,000 bytes"):
        read(path)
