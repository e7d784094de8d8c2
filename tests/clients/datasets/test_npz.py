"""Characters in a NumPy archive: read whole, or refused with the array and the row."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.clients.datasets import read
from handfed.clients.datasets import trees as trees_module
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise_all


def characters(samples: int = 12, *, classes: int = 3) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    pictures = np.zeros((samples, 28, 28), np.uint8)
    for picture in pictures:
        row, column = rng.integers(4, 20, 2)
        picture[row : row + 6, column : column + 2] = 255
    return {"x": pictures, "y": np.arange(samples) % classes, "class_names": np.array(["a", "é", "ж"][:classes])}


def saved(path: Path, **arrays: Any) -> str:
    np.savez_compressed(path, **arrays)
    return str(path)


def test_images_come_normalised_with_their_labels(tmp_path: Path) -> None:
    arrays = characters()
    dataset = read(saved(tmp_path / "school.npz", **arrays))
    assert dataset.name == "school"
    assert dataset.alphabet.names == ("a", "é", "ж")
    assert np.array_equal(dataset.images, normalise_all(arrays["x"]))
    assert dataset.labels.tolist() == arrays["y"].tolist()
    assert dataset.labels.dtype == np.int32
    assert dataset.writers is None


@pytest.mark.parametrize("shape", [(12, 17, 40), (12, 2, 2), (12, 64, 9)])
def test_pictures_of_any_one_size_are_read(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    pictures = np.full(shape, 200, np.uint8)
    pictures[:, 1, 1] = 10
    dataset = read(saved(tmp_path / "a.npz", **{**characters(), "x": pictures}))
    assert dataset.images.shape == (12, 28, 28)


def test_dark_ink_and_light_ink_may_be_mixed(tmp_path: Path) -> None:
    arrays = characters()
    mixed = arrays["x"].copy()
    mixed[::2] = 255 - mixed[::2]
    assert np.array_equal(
        read(saved(tmp_path / "mixed.npz", **{**arrays, "x": mixed})).images,
        read(saved(tmp_path / "light.npz", **arrays)).images,
    )


def test_without_class_names_the_classes_are_numbered(tmp_path: Path) -> None:
    arrays = characters()
    del arrays["class_names"]
    assert read(saved(tmp_path / "a.npz", **arrays)).alphabet.names == ("0", "1", "2")


@pytest.mark.parametrize(
    "ids", [np.array([700, 3, 700, 3] * 3), np.array(["zoe", "adam", "zoe", "adam"] * 3), np.array([9, 1] * 6, np.int8)]
)
def test_writers_ids_become_numbers_and_are_not_kept(tmp_path: Path, ids: NDArray[Any]) -> None:
    dataset = read(saved(tmp_path / "a.npz", **characters(), writer=ids))
    assert dataset.writers is not None
    assert dataset.writers.dtype == np.int32
    assert dataset.writers.tolist() == [1, 0] * 6
    assert dataset.writer_count == 2


def test_other_arrays_are_not_read(tmp_path: Path) -> None:
    other = np.array([object()] * 12)  # a pickle, which is not even looked at
    assert len(read(saved(tmp_path / "a.npz", **characters(), other=other))) == 12


def changed(**changes: Any) -> dict[str, NDArray[Any]]:
    return {**characters(), **changes}


def with_value(array: NDArray[Any], row: int, value: int) -> NDArray[Any]:
    result = array.astype(np.int64)
    result[row] = value
    return result


BLANK = characters()["x"].copy()
BLANK[7] = 90


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (changed(x=characters()["x"].astype(np.float32) / 255), r"'x' is float32; save pixels as uint8"),
        (changed(x=characters()["x"][..., None]), r"'x' has shape \(12, 28, 28, 1\)"),
        (changed(x=characters()["x"].reshape(12, 784)), r"'x' has shape \(12, 784\)"),
        (changed(x=characters()["x"][:, :1]), r"'x' has shape \(12, 1, 28\)"),
        (changed(x=characters()["x"][:0], y=np.zeros(0, int)), "holds no samples"),
        (changed(x=BLANK), r"'x', row 7: .* no ink"),
        (changed(y=characters()["y"][:-1]), r"'y' has shape \(11,\), and 'x' has 12 rows"),
        (changed(y=characters()["y"][:, None]), r"'y' has shape \(12, 1\)"),
        (changed(y=characters()["y"].astype(np.float64)), r"'y' is float64; it must hold integers"),
        (changed(y=characters()["y"] == 1), r"'y' is bool"),
        (changed(y=characters()["y"].astype(str)), r"'y' is <U\d+; it must hold integers"),
        (changed(y=with_value(characters()["y"], 5, 3)), r"'y', row 5: label 3 .* below 3"),
        (changed(y=with_value(characters()["y"], 6, -1)), r"'y', row 6: label -1 "),
        (changed(y=np.arange(12) % 2), r"class 'ж' has no samples \(1 of 3 classes"),
        (changed(y=np.zeros(12, int), class_names=np.array(["a"])), "at least two classes"),
        (changed(class_names=np.array(["a", "a", "b"])), "'class_names': class 1 repeats"),
        (changed(class_names=np.array(["a", "", "b"])), "'class_names': class 1 has an empty name"),
        (changed(class_names=np.array([b"a", b"b", b"c"])), "'class_names' is .S1 .* row of text"),
        (changed(class_names=np.array("abc")), r"'class_names' is <U3 \(\); it must be a row of text"),
        (changed(writer=np.arange(11)), r"'writer' has shape \(11,\)"),
        (changed(writer=np.arange(12.0)), r"'writer' is float64; it must hold integers or text"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, arrays: dict[str, NDArray[Any]], message: str) -> None:
    with pytest.raises(DatasetError, match=rf"school\.npz: .*{message}"):
        read(saved(tmp_path / "school.npz", **arrays))


@pytest.mark.parametrize("label", [10**9, 2**63 - 1, -1, 12])
def test_without_class_names_a_wild_label_is_refused_and_takes_no_memory(tmp_path: Path, label: int) -> None:
    arrays = characters()
    del arrays["class_names"]
    with pytest.raises(DatasetError, match=f"row 4: label {label} "):
        read(saved(tmp_path / "a.npz", x=arrays["x"], y=with_value(arrays["y"], 4, label)))


def test_without_class_names_a_gap_is_an_empty_class(tmp_path: Path) -> None:
    arrays = characters()
    with pytest.raises(DatasetError, match="class '2' has no samples"):
        read(saved(tmp_path / "a.npz", x=arrays["x"], y=np.where(arrays["y"] == 2, 3, arrays["y"])))


@pytest.mark.parametrize("missing", ["x", "y"])
def test_a_missing_array_is_named_with_those_that_are_there(tmp_path: Path, missing: str) -> None:
    arrays = characters()
    del arrays[missing]
    with pytest.raises(DatasetError, match=rf"has no array '{missing}' \(found: .*class_names"):
        read(saved(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("name", ["x", "y", "class_names", "writer"])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, name: str) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    arrays = {**characters(), name: np.array([Trap()] * 12, dtype=object)}
    with pytest.raises(DatasetError, match=f"'{name}' holds pickled Python objects"):
        read(saved(tmp_path / "a.npz", **arrays))
    assert not (tmp_path / "ran").exists()


def rebuilt(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(path)


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def members(**arrays: NDArray[Any]) -> dict[str, bytes]:
    return {f"{name}.npy": npy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\x93NUMPY", b"PK\x03\x04" + bytes(40), bytes(200)])
def test_a_member_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match="'y' is not a plain NumPy array"):
        read(rebuilt(tmp_path / "a.npz", {**members(**characters()), "y.npy": content}))


def test_a_header_that_claims_more_than_is_there_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    content = members(**characters())
    content["x.npy"] = content["x.npy"].replace(b"(12, 28, 28)", b"(9999999999)")
    with pytest.raises(DatasetError, match="'x' is not a plain NumPy array"):  # a number is no shape
        read(rebuilt(tmp_path / "a.npz", content))
    content["x.npy"] = content["x.npy"].replace(b"(9999999999)", b"(9999, 9999)")
    with pytest.raises(DatasetError, match=r"'x' should hold 99,980,001 bytes and holds 9,408; save it anew"):
        read(rebuilt(tmp_path / "a.npz", content))


@settings(max_examples=200)
@given(
    st.sampled_from(["x", "y", "class_names", "writer"]),
    st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_a_damaged_header_gives_a_data_set_or_a_dataset_error(
    tmp_path: Path, name: str, changes: list[tuple[int, int]]
) -> None:
    parts = members(**characters(), writer=np.arange(12))
    header = bytearray(parts[f"{name}.npy"])
    for position, value in changes:
        header[position] = value
    path = rebuilt(tmp_path / "a.npz", {**parts, f"{name}.npy": bytes(header)})
    try:
        dataset = read(path)
    except DatasetError as error:
        assert str(error).startswith(path)  # noqa: PT017 - a data set is as right as a refusal
    else:
        assert len(dataset) == 12


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = Path(saved(tmp_path / "a.npz", **characters()))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError, match=r"a.npz: is not a whole zip archive"):
        read(str(path))


def test_a_bad_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, allow_pickle=False, **characters())  # stored, not packed
    content = bytearray(path.read_bytes())
    position = content.index(b"x.npy") + 2_000
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"'x.npy' is damaged .*CRC"):
        read(str(path))


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees_module, "MAX_TOTAL_BYTES", 9_000)
    path = saved(tmp_path / "a.npz", **characters())
    assert Path(path).stat().st_size < 9_000
    with pytest.raises(DatasetError, match="unpacks to more than 9,000 bytes"):
        read(path)


@pytest.mark.parametrize(
    ("file", "samples", "classes", "writers"),
    [("digits_mnist_writers.npz", 60_000, 10, 539), ("alphabets_omniglot.npz", 3_440, 172, 100)],
)
def test_real_handwriting_is_read(shared_data: Path, file: str, samples: int, classes: int, writers: int) -> None:
    dataset = read(str(shared_data / file))
    assert (len(dataset), len(dataset.alphabet), dataset.writer_count) == (samples, classes, writers)
    assert dataset.images.shape == (samples, 28, 28)


def test_pen_strokes_are_no_pictures(shared_data: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no array 'x' \(found: offset, points, points_per_mm, stroke\)"):
        read(str(shared_data / "characters_unipen_strokes.npz"))
