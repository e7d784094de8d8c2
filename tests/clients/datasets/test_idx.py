"""MNIST's and EMNIST's own files: a pair for each split, whole or refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from numpy.typing import NDArray

from handfed.clients.datasets import idx as idx_module
from handfed.clients.datasets import read
from handfed.clients.datasets import trees as trees_module
from handfed.clients.datasets.idx import parse_idx
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise_all

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def pictures(samples: int, height: int = 28, width: int = 28) -> NDArray[np.uint8]:
    """Strokes that are no square, so that a transposed picture is another one."""
    rng = np.random.default_rng(samples)
    result = np.zeros((samples, height, width), np.uint8)
    for picture in result:
        row, column = rng.integers(2, height - 9), rng.integers(2, width - 4)
        picture[row : row + 7, column : column + 2] = rng.integers(60, 256, (7, 2))
    return result


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape) + array.tobytes()


def split(folder: Path, name: str, images: NDArray[np.uint8], labels: list[int]) -> str:
    """Writes a split, plain, and gives its images file."""
    (folder / f"{name}{IMAGES}").write_bytes(idx(images))
    (folder / f"{name}{LABELS}").write_bytes(idx(np.array(labels, np.uint8)))
    return str(folder / f"{name}{IMAGES}")


def plainly(content: bytes) -> bytes:
    return content


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize(("pack", "suffix"), [(plainly, ""), (gzip.compress, ".gz"), (gzip.compress, "")])
def test_a_pair_is_read_by_its_images_plain_or_gzipped(
    tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str, mark: str
) -> None:
    images, labels = pictures(6), np.array([3, 1, 7, 7, 1, 3], np.uint8)
    path = tmp_path / f"t10k-images{mark}idx3-ubyte{suffix}"
    path.write_bytes(pack(idx(images)))
    (tmp_path / f"t10k-labels{mark}idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    dataset = read(str(path))
    assert np.array_equal(dataset.images, normalise_all(images))
    assert dataset.alphabet.names == ("1", "3", "7")
    assert dataset.labels.tolist() == [1, 0, 2, 2, 0, 1]
    assert dataset.labels.dtype == np.int32
    assert dataset.writers is None


def test_the_labels_may_be_packed_otherwise_than_the_images(tmp_path: Path) -> None:
    (tmp_path / f"train-{IMAGES}.gz").write_bytes(gzip.compress(idx(pictures(2))))
    (tmp_path / f"train-{LABELS}").write_bytes(idx(np.array([0, 1], np.uint8)))
    assert read(str(tmp_path / f"train-{IMAGES}.gz")).labels.tolist() == [0, 1]


def test_of_two_labels_files_the_one_packed_as_the_images_is_read(tmp_path: Path) -> None:
    path = split(tmp_path, "train-", pictures(2), [0, 1])
    (tmp_path / f"train-{LABELS}.gz").write_bytes(gzip.compress(idx(np.array([1, 0], np.uint8))))
    assert read(path).labels.tolist() == [0, 1]


def test_a_folder_gives_all_splits_the_training_first(tmp_path: Path) -> None:
    test, train = pictures(3), pictures(4, 20, 31)  # sizes may differ
    split(tmp_path, "t10k-", test, [0, 1, 2])
    split(tmp_path, "train-", train, [3, 2, 1, 0])
    (tmp_path / "readme.txt").write_bytes(b"other files are not read")
    dataset = read(str(tmp_path))
    assert np.array_equal(dataset.images, np.concatenate([normalise_all(train), normalise_all(test)]))
    assert dataset.labels.tolist() == [3, 2, 1, 0, 0, 1, 2]
    assert dataset.name == tmp_path.name


def test_emnists_pictures_are_turned_upright_and_its_mapping_names_the_classes(tmp_path: Path) -> None:
    train, test = pictures(4), pictures(2)
    split(tmp_path, "emnist-balanced-train-", train.transpose(0, 2, 1), [0, 10, 36, 10])
    split(tmp_path, "emnist-balanced-test-", test.transpose(0, 2, 1), [36, 0])
    (tmp_path / "emnist-balanced-mapping.txt").write_bytes(b"0 48\n10 65\n36 97\n")
    dataset = read(str(tmp_path))
    assert np.array_equal(dataset.images, np.concatenate([normalise_all(train), normalise_all(test)]))
    assert dataset.alphabet.names == ("0", "A", "a")
    assert dataset.labels.tolist() == [0, 1, 2, 1, 2, 0]


def test_a_mapping_of_another_data_set_beside_it_is_not_read(tmp_path: Path) -> None:
    path = split(tmp_path, "emnist-letters-train-", pictures(2), [1, 2])
    (tmp_path / "emnist-balanced-mapping.txt").write_bytes(b"nonsense")
    assert read(path).alphabet.names == ("1", "2")
    (tmp_path / "emnist-letters-mapping.txt").write_bytes(b"1 65 97\n2 66 98\n")
    assert read(path).alphabet.names == ("A", "B")


def test_a_class_of_the_mapping_without_samples_is_refused(tmp_path: Path) -> None:
    path = split(tmp_path, "emnist-letters-test-", pictures(2), [1, 2])
    (tmp_path / "emnist-letters-mapping.txt").write_bytes(b"1 65 97\n2 66 98\n3 67 99\n")
    with pytest.raises(DatasetError, match="class 'C' has no samples"):
        read(path)


def test_a_label_outside_the_mapping_is_refused_with_its_file_and_row(tmp_path: Path) -> None:
    split(tmp_path, "emnist-digits-train-", pictures(2), [0, 1])
    split(tmp_path, "emnist-digits-test-", pictures(3), [0, 1, 9])
    (tmp_path / "emnist-digits-mapping.txt").write_bytes(b"0 48\n1 49\n")
    with pytest.raises(DatasetError, match=rf"emnist-digits-test-{LABELS}, row 2: label 9 is not in the mapping"):
        read(str(tmp_path))


def test_a_picture_without_ink_is_refused_with_its_file_and_row(tmp_path: Path) -> None:
    blank = pictures(3)
    blank[1] = 77
    split(tmp_path, "train-", pictures(2), [0, 1])
    split(tmp_path, "t10k-", blank, [0, 1, 0])
    with pytest.raises(DatasetError, match=rf"t10k-{IMAGES}, row 1: .* no ink"):
        read(str(tmp_path))


WHOLE = idx(pictures(3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with 0x, and not with 0x00000803"),
        (b"\x00\x00", "begins with 0x0000, and not with 0x00000803"),
        (idx(np.arange(3, dtype=np.uint8)), "begins with 0x00000801, and not with 0x00000803, as images in idx do"),
        (b"\x00\x00\x0d\x03" + WHOLE[4:], "begins with 0x00000d03"),
        (b"\x08\x03\x00\x00" + WHOLE[4:], "begins with 0x08030000"),
        (b"PK\x03\x04" + WHOLE[4:], "begins with 0x504b0304"),
        (WHOLE[:15], "is cut off in its header"),
        (WHOLE[:16], "should hold 3 x 28 x 28 bytes after its header and holds 0"),
        (WHOLE[:-1], "should hold 3 x 28 x 28 bytes after its header and holds 2,351"),
        (WHOLE + b"\x00", "should hold 3 x 28 x 28 bytes after its header and holds 2,353"),
        (WHOLE[:4] + b"\xff" * 12 + WHOLE[16:], "should hold 4,294,967,295 x 4,294,967,295 x 4,294,967,295 bytes"),
        (idx(np.zeros((0, 28, 28), np.uint8)), "holds no samples"),
        (WHOLE[:4] + bytes(4) + b"\xff" * 8, "holds no samples"),
        (idx(np.zeros((3, 1, 28), np.uint8)), "holds images of 1 x 28; they must be 2 x 2 or larger"),
        (idx(pictures(2)), "holds 3 labels, and .* 2 images"),
    ],
)
def test_images_that_are_not_whole_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = split(tmp_path, "train-", pictures(3), [0, 1, 2])
    for packed in (content, gzip.compress(content)):
        Path(path).write_bytes(packed)
        with pytest.raises(DatasetError, match=rf"train-\w+-idx\d-ubyte: {message}"):
            read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE, "begins with 0x00000803, and not with 0x00000801, as labels in idx do"),
        (idx(np.arange(4, dtype=np.uint8)), f"holds 4 labels, and 'train-{IMAGES}' 3 images; get both files anew"),
        (idx(np.arange(3, dtype=np.uint8))[:-1], "should hold 3 bytes after its header and holds 2"),
        (idx(np.zeros(0, np.uint8)), "holds no samples"),
    ],
)
def test_labels_that_are_not_whole_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = split(tmp_path, "train-", pictures(3), [0, 1, 2])
    (tmp_path / f"train-{LABELS}").write_bytes(content)
    with pytest.raises(DatasetError, match=f"train-{LABELS}: {message}"):
        read(path)


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least two classes"):
        read(split(tmp_path, "train-", pictures(3), [4, 4, 4]))


PACKED = gzip.compress(WHOLE, mtime=0)  # the same in every process of a test run


@pytest.mark.parametrize(
    "content",
    [
        PACKED[:5],
        PACKED[:-20],
        PACKED[:-1],
        PACKED[:-8] + bytes(4) + PACKED[-4:],  # the checksum
        PACKED[:20] + b"\xff\xff\xff" + PACKED[23:],
        PACKED + b"more",
    ],
)
def test_a_damaged_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = Path(split(tmp_path, "train-", pictures(3), [0, 1, 2]))
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"train-{IMAGES}: is damaged or cut off \("):
        read(str(path))


def test_a_gzip_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(split(tmp_path, "train-", pictures(3), [0, 1, 2]))
    path.write_bytes(gzip.compress(bytes(3_000_000)))
    monkeypatch.setattr(idx_module, "MAX_TOTAL_BYTES", 1_000_000)
    with pytest.raises(DatasetError, match="unpacks to more than 1,000,000 bytes"):
        read(str(path))


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = split(tmp_path, "train-", pictures(3), [0, 1, 2])
    monkeypatch.setattr(trees_module, "MAX_TOTAL_BYTES", 1_000)
    with pytest.raises(DatasetError, match="is larger than 1,000 bytes"):
        read(path)


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    path = split(tmp_path, "train-", pictures(3), [0, 1, 2])
    (tmp_path / f"train-{LABELS}").unlink()
    for reference in (path, str(tmp_path)):
        with pytest.raises(DatasetError, match=f"there is no 'train-{LABELS}' beside it, plain or gzipped"):
            read(reference)


def test_labels_without_images_are_refused(tmp_path: Path) -> None:
    split(tmp_path, "train-", pictures(3), [0, 1, 2])
    (tmp_path / f"t10k-{LABELS}.gz").write_bytes(b"")
    with pytest.raises(DatasetError, match=f"'t10k-{LABELS}.gz' has no images file beside it"):
        read(str(tmp_path))


def test_the_same_images_twice_are_refused_in_a_folder_and_read_by_name(tmp_path: Path) -> None:
    path = split(tmp_path, "train-", pictures(3), [0, 1, 2])
    (tmp_path / f"train-{IMAGES}.gz").write_bytes(gzip.compress(Path(path).read_bytes()))
    with pytest.raises(DatasetError, match=f"'train-{IMAGES}' are there again as 'train-{IMAGES}.gz'; remove one"):
        read(str(tmp_path))
    assert len(read(path)) == 3


def test_a_folder_with_several_data_sets_is_refused_and_each_read_by_name(tmp_path: Path) -> None:
    path = split(tmp_path, "emnist-digits-train-", pictures(2), [0, 1])
    split(tmp_path, "emnist-digits-test-", pictures(2), [0, 1])
    split(tmp_path, "train-", pictures(2), [0, 1])
    with pytest.raises(DatasetError, match=r"holds 2 data sets \('', 'emnist-digits-'\); move each into a folder"):
        read(str(tmp_path))
    assert len(read(path)) == 2


def test_a_link_out_of_the_folder_is_refused_and_a_named_one_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder").mkdir()
    path = Path(split(tmp_path / "elsewhere", "train-", pictures(2), [0, 1]))
    for part in (IMAGES, LABELS):
        (tmp_path / "folder" / f"train-{part}").symlink_to(path.with_name(f"train-{part}"))
    with pytest.raises(DatasetError, match="is a link out of the folder"):
        read(str(tmp_path / "folder"))
    assert len(read(str(tmp_path / "folder" / path.name))) == 2


@given(nps.arrays(np.uint8, nps.array_shapes(min_dims=1, max_dims=3, max_side=5)), st.booleans())
def test_any_array_is_parsed_as_it_was_written(array: NDArray[np.uint8], packed: bool) -> None:
    content = gzip.compress(idx(array), compresslevel=1) if packed else idx(array)
    assert np.array_equal(parse_idx(content, array.ndim, where="file"), array)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 300),
    st.sampled_from([WHOLE, PACKED]),
)
def test_damage_gives_a_data_set_or_a_dataset_error(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int, whole: bytes
) -> None:
    path = split(tmp_path, "train-", pictures(3), [0, 1, 2])
    content = bytearray(whole[: len(whole) - max(0, cut - 200)])
    for position, value in changes:
        content[position % len(content)] = value
    Path(path).write_bytes(content)
    try:
        dataset = read(path)
    except DatasetError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017 - a data set is as right as a refusal
    else:
        assert len(dataset) == 3
