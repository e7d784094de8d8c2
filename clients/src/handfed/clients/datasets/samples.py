"""From what a file holds to a data set: the checks that every format shares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.pictures import read_picture
from handfed.shared import strips
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError, ImageError
from handfed.shared.images import normalise, normalise_all
from handfed.shared.samples import END, Samples


def normalised_picture(content: bytes, *, where: str, height: int | None = None) -> NDArray[np.uint8]:
    """Decodes and normalises one picture file.

    Args:
        content: The file.
        where: What is read, for the message of an error.
        height: Of the strip, where it shows a word or a line; None of a single character.

    Returns:
        uint8 (28, 28), or (height, width) of a word or a line.

    Raises:
        DatasetError: The picture cannot be decoded, or shows no ink.
    """
    return normalised_pixels(decoded_picture(content, where=where), where=where, height=height)


def decoded_picture(content: bytes, *, where: str) -> NDArray[np.uint8]:
    """Decodes one picture file to uint8 (height, width).

    Raises:
        DatasetError: It cannot be decoded.
    """
    try:
        return read_picture(content, where=where)
    except ImageError as error:  # it names `where`
        raise DatasetError(str(error)) from error


def normalised_pixels(pixels: NDArray[np.uint8], *, where: str, height: int | None = None) -> NDArray[np.uint8]:
    """Normalises one picture, uint8 (height, width), as `normalised_picture`.

    Raises:
        DatasetError: It shows no ink.
    """
    try:
        return normalise(pixels) if height is None else strips.normalise(pixels, height)
    except ImageError as error:
        raise DatasetError(f"{where}: {error}; remove it or scan it again") from None


def bordered(pixels: NDArray[np.uint8], paper: int) -> NDArray[np.uint8]:
    """A picture that was cut out tightly, with a border of paper where it needs one.

    Normalisation takes for paper what a picture's frame shows; of a full stop or a dash without any margin that is
    ink.

    Args:
        pixels: uint8 (height, width).
        paper: Its shade.

    Returns:
        uint8: the picture as it was, or with a pixel of paper around it where its frame is nearer to ink than to paper.
    """
    ink = max(int(pixels.min()), int(pixels.max()), key=lambda shade: abs(shade - paper))
    frame = float(np.median(np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])))
    if abs(frame - paper) <= abs(frame - ink):
        return pixels
    return np.pad(pixels, 1, constant_values=paper)


def normalised_rows(pictures: NDArray[np.uint8], *, where: str) -> NDArray[np.uint8]:
    """Normalises a stack of pictures, uint8 (n, height, width), to uint8 (n, 28, 28).

    Raises:
        DatasetError: A picture shows no ink; the message names its row.
    """
    try:
        return normalise_all(pictures)
    except ImageError as error:  # it names the row
        raise DatasetError(f"{where}, {error}; leave the row out and save the data set anew") from None


def number_writers(ids: Sequence[str] | NDArray[np.generic]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The ids of writers in order, each once, and int32 (n,): which of them wrote each sample, from 0."""
    known, numbers = np.unique(np.asarray(ids), return_inverse=True)
    return tuple(map(str, known.tolist())), numbers.reshape(-1).astype(np.int32)


def refuse_empty_classes(labels: NDArray[np.int32], alphabet: Alphabet, *, where: str) -> None:
    """Refuses an alphabet with classes that no sample shows: nothing could be learned about them.

    Raises:
        DatasetError: A class has no sample; the message names the first.
    """
    counts = np.bincount(labels[labels != END], minlength=len(alphabet))
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise DatasetError(
            f"{where}: class {alphabet.names[empty[0]]!r} has no samples ({len(empty)} of {len(alphabet)} classes are"
            " empty); add samples or remove the class"
        )


def assemble(
    path: Path,
    *,
    alphabet: Alphabet,
    samples: Samples,
    writers: Sequence[str] | NDArray[np.generic] | None,
    kind: str,
) -> Dataset:
    """Builds the data set of a file or folder; its name is the file's without the suffix.

    Args:
        path: The file or folder.
        alphabet: The classes.
        samples: The samples.
        writers: The id of each sample's writer, as the files have it; None where writers are unknown.
        kind: What the files are.

    Raises:
        DatasetError: A class has no sample.
    """
    refuse_empty_classes(samples.labels, alphabet, where=str(path))
    name = path.resolve().stem if path.is_file() else path.resolve().name
    ids, numbers = (None, None) if writers is None else number_writers(writers)
    return Dataset(name, alphabet, samples, numbers, source=f"Your own {kind}", licence="unknown", writer_ids=ids)
