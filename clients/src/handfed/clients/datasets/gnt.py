"""Characters of CASIA-HWDB in its `.gnt` files: a file holds what one writer wrote.

    4 bytes     size of the record: 10 + width * height
    2 bytes     the character in GB 2312 or its superset GBK; of a one-byte character the other byte is 0
    2 bytes     width
    2 bytes     height
    width * height bytes of pixels, row by row: 255 is paper, and ink is darker

Rules:
1. Numbers are little-endian. Records follow one another up to the file's end.
2. A file is a writer, and its name without the suffix the writer's. A folder is read in the order of names.
3. Classes are the characters in normalisation form C, in code point order. A character that two codes stand for is one
   class.
4. A record that is cut off, of a size that cannot be, or of a code that stands for no visible character is an error,
   which names the file and the byte where the record begins.

Source: Liu, Yin, Wang and Wang 2011, CASIA online and offline Chinese handwriting databases, ICDAR;
https://nlpr.ia.ac.cn/databases/handwriting/Offline_database.html.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.samples import assemble, normalised_pixels
from handfed.clients.datasets.trees import FolderTree, read_bounded
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.samples import Samples

SUFFIX: Final = ".gnt"
_HEADER: Final = struct.Struct("<I2sHH")
_PAPER: Final = 255


def is_gnt(name: str) -> bool:
    """Whether a file of that name should hold characters of CASIA-HWDB."""
    return PurePosixPath(name).suffix.lower() == SUFFIX


def read_gnt_file(path: Path) -> Dataset:
    """Reads what one writer wrote.

    Raises:
        DatasetError: The file breaks a rule of this module; the message names it and the byte.
    """
    return _read(path, [path])


def read_gnt_folder(path: Path, tree: FolderTree) -> Dataset:
    """Reads every `.gnt` file in a folder.

    Args:
        path: The folder.
        tree: What it holds.

    Raises:
        DatasetError: As `read_gnt_file`.
    """
    return _read(path, [path / name for name in tree.top_files() if is_gnt(name)])


def records(content: bytes, *, where: str) -> Iterator[tuple[int, str, NDArray[np.uint8]]]:
    """Parses a file.

    Args:
        content: The file.
        where: What is read, for the message of an error.

    Yields:
        Of each record the byte where it begins, its character, and its pixels, uint8 (height, width).

    Raises:
        DatasetError: It holds no record, or one that breaks a rule of this module.
    """
    if not content:
        raise DatasetError(f"{where}: is empty; get the file anew")
    start = 0
    while start < len(content):
        place = f"{where}, byte {start:,}"
        if len(content) - start < _HEADER.size:
            raise DatasetError(f"{place}: the record is cut off in its header; copy or download the file again")
        size, code, width, height = _HEADER.unpack_from(content, start)
        if width * height == 0 or size != _HEADER.size + width * height:
            raise DatasetError(
                f"{place}: a record of {width} x {height} pixels cannot have {size:,} bytes; get the file anew"
            )
        if start + size > len(content):
            raise DatasetError(
                f"{place}: the record should have {size:,} bytes, and {len(content) - start:,} are left;"
                " copy or download the file again"
            )
        pixels = np.frombuffer(content, np.uint8, width * height, start + _HEADER.size)
        yield start, _character(code, place), pixels.reshape(height, width)
        start += size


def _character(code: bytes, place: str) -> str:
    """The character of a code, in normalisation form C."""
    try:
        character = unicodedata.normalize("NFC", code.strip(b"\0").decode("gbk"))
    except UnicodeDecodeError:
        character = ""
    if len(character) != 1 or character.isspace() or not character.isprintable():
        raise DatasetError(
            f"{place}: the code 0x{code.hex()} stands for no visible character of GB 2312 or GBK; get the file anew"
        )
    return character


def _read(path: Path, files: Sequence[Path]) -> Dataset:
    images: list[NDArray[np.uint8]] = []
    characters: list[str] = []
    writers: list[str] = []
    for file in files:
        for start, character, pixels in records(read_bounded(file), where=str(file)):
            with_margin = np.pad(pixels, 1, constant_values=_PAPER)  # they are cut out without any
            images.append(normalised_pixels(with_margin, where=f"{file}, byte {start:,}"))
            characters.append(character)
            writers.append(file.stem)
    alphabet = Alphabet.from_labels(characters, where=str(path))
    position = {name: index for index, name in enumerate(alphabet.names)}
    return assemble(
        path,
        alphabet=alphabet,
        samples=Samples(np.stack(images), np.array([position[each] for each in characters], np.int32)),
        writers=writers,
        kind="CASIA-HWDB files",
    )
