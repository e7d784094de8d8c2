"""Handwriting with what it says, as arrays: what a recogniser is trained on and judged by.

A sample is either one character, whose label is a class, or a text (a word or a line), whose label is a sequence of
classes. Texts are of any width: they stand in one array as wide as the widest, with paper to their right, and that
width is a multiple of `WIDTH_STEP`, which recognisers may halve a few times, and read in whole windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

END: Final = -1  # in a text's label, after its last class
WIDTH_STEP: Final = 32  # columns: eight steps of four
_USUAL: Final = 128  # columns: a word
_Columns = TypeVar("_Columns", int, NDArray[np.int32])


@dataclass(frozen=True)
class Samples:
    """Samples of one kind.

    Attributes:
        images: uint8 (n, height, width), normalised by `handfed.shared.images`: 0 is paper, 255 is ink.
        labels: int32 (n,), classes; of texts int32 (n, longest), classes and then `END`.
        widths: int32 (n,), columns of each image before the paper on its right; None of characters.
        planes: uint8 (n, height, width, k), what is seen beside the ink (`handfed.shared.planes`); None for nothing.
        weights: float32 (n,), what each label counts in training, 0 to 1; None where each counts 1.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    widths: NDArray[np.int32] | None = None
    planes: NDArray[np.uint8] | None = None
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """uint8 (n, height, width, 1 + k): the ink, and the planes beside it; what a recogniser sees."""
        ink = self.images[..., None]
        return ink if self.planes is None else np.concatenate([ink, self.planes], axis=3)

    @property
    def channels(self) -> int:
        """Planes of a picture, the ink's among them."""
        return 1 + (0 if self.planes is None else self.planes.shape[3])

    @property
    def are_texts(self) -> bool:
        """Whether each is a word or a line, and not one character."""
        return self.widths is not None

    @classmethod
    def of_texts(cls, images: list[NDArray[np.uint8]], labels: list[list[int]]) -> Self:
        """Puts texts of any width together.

        Args:
            images: uint8 (height, width) each, of one height.
            labels: Classes of each text, in reading order; none is empty.
        """
        widths = np.array([image.shape[1] for image in images], np.int32)
        together = np.zeros((len(images), images[0].shape[0], stepped(int(widths.max()))), np.uint8)
        sequences = np.full((len(labels), max(map(len, labels))), END, np.int32)
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            together[row, :, : image.shape[1]] = image
            sequences[row, : len(label)] = label
        return cls(together, sequences, widths)

    def written(self) -> list[list[int]]:
        """The classes of each sample, in reading order."""
        if not self.are_texts:
            return [[label] for label in self.labels.tolist()]
        return [[label for label in row if label != END] for row in self.labels.tolist()]

    def steps(self, columns: int) -> NDArray[np.int32]:
        """int32 (n,): of so many columns a step, how many hold something of each text; of characters, 0."""
        widths = np.zeros(len(self), np.int32) if self.widths is None else self.widths
        return -(-widths // columns)

    def take(self, rows: NDArray[np.int64]) -> Samples:
        """The samples at `rows`; texts without the columns that only others need."""
        counted = None if self.weights is None else self.weights[rows]
        if self.widths is None:
            seen = None if self.planes is None else self.planes[rows]
            return Samples(self.images[rows], self.labels[rows], planes=seen, weights=counted)
        widths, labels = self.widths[rows], self.labels[rows]
        longest = int((labels != END).sum(axis=1).max(initial=1))
        widest = stepped(int(widths.max(initial=1)))
        return Samples(self.images[rows, :, :widest], labels[:, :longest], widths, weights=counted)

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.int64], Samples]]:
        """All samples in parts, each with its rows; texts of like width share a part.

        Args:
            size: Samples of a part, at most. Texts of a part also have no more columns together, paper counted, than so
                many of `_USUAL` would have, unless it is one text: what a part takes of memory is bounded.
        """
        if self.widths is None:
            parts = [np.arange(start, min(start + size, len(self))) for start in range(0, len(self), size)]
        else:
            order = np.argsort(self.widths, kind="stable")
            parts, start = [], 0
            while start < len(order):
                rows = order[start : start + size]
                columns = np.arange(1, len(rows) + 1) * stepped(self.widths[rows])  # of the first, the first two, …
                fitting = int(np.searchsorted(columns, size * _USUAL, side="right"))
                parts.append(rows[: max(fitting, 1)])
                start += len(parts[-1])
        for rows in parts:
            yield rows, self.take(rows)


def stepped(columns: _Columns) -> _Columns:
    """The least multiple of `WIDTH_STEP` that is not below `columns`, of a number, an array or a tensor."""
    return -(-columns // WIDTH_STEP) * WIDTH_STEP
