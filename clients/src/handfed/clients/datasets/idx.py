"""Characters in idx files, the format of MNIST and EMNIST: a pair for each split, gzipped or plain.

    train-images-idx3-ubyte     0x00000803, then how many pictures, rows and columns, then uint8 pixels row by row
    train-labels-idx1-ubyte     0x00000801, then how many labels, then uint8 labels
    emnist-balanced-train-images-idx3-ubyte.gz, emnist-balanced-train-labels-idx1-ubyte.gz
    emnist-balanced-mapping.txt which character each label stands for; see `handfed.clients.datasets.mapping`

Rules:
1. Images and labels have the same name but for `images-idx3` and `labels-idx1`. The name before `train`, `t10k` or
   `test` is the data set's; a folder holds one data set, and all its splits are read, training first.
2. Whether a file is gzipped is seen by its content. Numbers are big-endian, of 4 bytes.
3. A file is as long as its header says, also when it is unpacked, and unpacks to at most `MAX_TOTAL_BYTES`.
4. Files named `emnist-...` hold each picture column by column, others row by row.
5. Who wrote what is not in idx files; EMNIST's .mat files say it.

Source: http://yann.lecun.com/exdb/mnist (the format), https://www.nist.gov/itl/products-and-services/emnist-dataset.
"""

from __future__ import annotations

import gzip
import io
import itertools
import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.mapping import Mapping, parse_mapping
from handfed.clients.datasets.samples import assemble, normalised_rows
from handfed.clients.datasets.trees import MAX_TOTAL_BYTES, FolderTree, read_bounded
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.samples import Samples

_IMAGES: Final = re.compile(r"(.*)images([-.])idx3-ubyte(\.gz|)")
_LABELS: Final = re.compile(r"(.*)labels([-.])idx1-ubyte(\.gz|)")
_SPLIT: Final = re.compile(r"(?:train|t10k|test)[-_.]?$")
_PICTURES_RANK: Final = 3  # picture, row, column
_LABELS_RANK: Final = 1
_UNSIGNED_BYTES: Final = 0x08  # the third byte of a file
_GZIP: Final = b"\x1f\x8b"
_CHUNK: Final = 1 << 20  # bytes that are unpacked at a time
_LEAST_SIDE: Final = 2  # pixels


@dataclass(frozen=True)
class Split:
    """The pair of files of one split.

    Attributes:
        name: What both file names begin with, such as `emnist-balanced-train-`.
        images: The images file.
        labels: The labels file.
    """

    name: str
    images: Path
    labels: Path

    @property
    def data_set(self) -> str:
        """What the names of all splits of its data set begin with, such as `emnist-balanced-`."""
        return _SPLIT.sub("", self.name, count=1)


def is_images(name: str) -> bool:
    """Whether a file of that name should hold images in idx."""
    return _IMAGES.fullmatch(name) is not None


def is_labels(name: str) -> bool:
    """Whether a file of that name should hold labels in idx."""
    return _LABELS.fullmatch(name) is not None


def read_idx_file(path: Path) -> Dataset:
    """Reads one split.

    Args:
        path: Its images file; the labels file lies beside it.

    Raises:
        DatasetError: A file is missing or breaks a rule of this module; the message names it and, where there is
            one, the row.
    """
    return _read(path, [_split(path, has=lambda name: (path.parent / name).is_file())])


def read_idx_folder(path: Path, tree: FolderTree) -> Dataset:
    """Reads every split in a folder.

    Args:
        path: The folder.
        tree: What it holds.

    Raises:
        DatasetError: As `read_idx_file`, or the folder holds several data sets.
    """
    names = tree.top_files()
    splits = [_split(path / name, has=tree.has) for name in names if is_images(name)]
    _refuse_half(path, names, splits)
    data_sets = sorted({split.data_set for split in splits})
    if len(data_sets) > 1:
        raise DatasetError(
            f"{path}: holds {len(data_sets)} data sets ({', '.join(repr(name) for name in data_sets)}); move each into"
            " a folder of its own, or name one images file"
        )
    return _read(path, sorted(splits, key=lambda split: ("train" not in split.name, split.name)))


def parse_idx(content: bytes, rank: int, *, where: str) -> NDArray[np.uint8]:
    """Parses a file, gzipped or plain.

    Args:
        content: The file.
        rank: How many dimensions it should have: 3 for images, 1 for labels.
        where: What is read, for the message of an error.

    Returns:
        uint8, of the shape that the header states.

    Raises:
        DatasetError: It is damaged, empty, holds something else, or is longer or shorter than its header says.
    """
    plain = _unpacked(content, where) if content.startswith(_GZIP) else content
    magic = bytes([0, 0, _UNSIGNED_BYTES, rank])
    if plain[:4] != magic:
        raise DatasetError(
            f"{where}: begins with 0x{plain[:4].hex()}, and not with 0x{magic.hex()}, as"
            f" {'images' if rank == _PICTURES_RANK else 'labels'} in idx do; get the file anew"
        )
    start = 4 + 4 * rank
    if len(plain) < start:
        raise DatasetError(f"{where}: is cut off in its header; copy or download it again")
    shape = [int.from_bytes(plain[at : at + 4], "big") for at in range(4, start, 4)]
    if 0 in shape:
        raise DatasetError(f"{where}: holds no samples")
    if math.prod(shape) != len(plain) - start:
        stated = " x ".join(f"{side:,}" for side in shape)
        raise DatasetError(
            f"{where}: should hold {stated} bytes after its header and holds {len(plain) - start:,};"
            " copy or download it again"
        )
    return np.frombuffer(plain, np.uint8, offset=start).reshape(shape)


def _split(images: Path, *, has: Callable[[str], bool]) -> Split:
    """The split of an images file, with the labels file beside it: of two, the one that is packed as the images."""
    matched = _IMAGES.fullmatch(images.name)
    name, mark, suffix = matched.groups() if matched else ("", "-", "")
    wanted = [(mark, suffix), *itertools.product("-.", ("", ".gz"))]
    for mark, suffix in wanted:
        labels = f"{name}labels{mark}idx1-ubyte{suffix}"
        if has(labels):
            return Split(name, images, images.with_name(labels))
    raise DatasetError(f"{images}: there is no '{name}labels-idx1-ubyte' beside it, plain or gzipped; put it there")


def _refuse_half(path: Path, names: Sequence[str], splits: Sequence[Split]) -> None:
    """Refuses a folder with labels without images, or with a split's images twice."""
    images: dict[str, str] = {}
    for split in splits:
        if split.name in images:
            raise DatasetError(
                f"{path}: the images of {images[split.name]!r} are there again as {split.images.name!r}; remove one"
            )
        images[split.name] = split.images.name
    for name in names:
        labels = _LABELS.fullmatch(name)
        if labels and labels[1] not in images:
            raise DatasetError(f"{path}: {name!r} has no images file beside it; add it, or remove the labels")


def _read(path: Path, splits: Sequence[Split]) -> Dataset:
    """Reads the splits of one data set; everything is checked before the images are normalised, which takes a while."""
    pictures = [_pictures(split) for split in splits]
    labels = [_labels(split, len(images)) for split, images in zip(splits, pictures, strict=True)]
    mapping = _mapping(splits[0]) or Mapping.of_labels(np.concatenate(labels), where=str(path))
    positions = [mapping.positions(part, where=str(split.labels)) for split, part in zip(splits, labels, strict=True)]
    images = [normalised_rows(part, where=str(split.images)) for split, part in zip(splits, pictures, strict=True)]
    return assemble(
        path,
        alphabet=mapping.alphabet,
        samples=Samples(np.concatenate(images), np.concatenate(positions)),
        writers=None,
        kind="idx files",
    )


def _labels(split: Split, images: int) -> NDArray[np.uint8]:
    """The labels of a split, uint8 (samples,), as many as its images."""
    labels = parse_idx(read_bounded(split.labels), _LABELS_RANK, where=str(split.labels))
    if len(labels) != images:
        raise DatasetError(
            f"{split.labels}: holds {len(labels):,} labels, and {split.images.name!r} {images:,} images;"
            " get both files anew"
        )
    return labels


def _pictures(split: Split) -> NDArray[np.uint8]:
    """The pictures of a split, uint8 (samples, height, width)."""
    pictures = parse_idx(read_bounded(split.images), _PICTURES_RANK, where=str(split.images))
    if min(pictures.shape[1:]) < _LEAST_SIDE:
        raise DatasetError(
            f"{split.images}: holds images of {pictures.shape[1]} x {pictures.shape[2]}; they must be 2 x 2 or larger"
        )
    return pictures.transpose(0, 2, 1) if split.name.startswith("emnist-") else pictures


def _mapping(split: Split) -> Mapping | None:
    path = split.images.with_name(f"{split.data_set}mapping.txt")
    return parse_mapping(read_bounded(path), where=str(path)) if path.is_file() else None


def _unpacked(content: bytes, where: str) -> bytearray:
    """What is gzipped, unpacked in pieces, so that a small file cannot take all memory."""
    result = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while piece := file.read(_CHUNK):
                result += piece
                if len(result) > MAX_TOTAL_BYTES:
                    raise DatasetError(f"{where}: unpacks to more than {MAX_TOTAL_BYTES:,} bytes")
    except (EOFError, OSError, zlib.error) as error:
        raise DatasetError(f"{where}: is damaged or cut off ({error}); copy or download it again") from error
    return result
