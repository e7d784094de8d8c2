"""From the labels in a file to an alphabet, by EMNIST's mapping where there is one.

    47 92 120       a row a class: its label, the code point of its character, and in `letters`, where both cases are
                    one class, the code point of the other case, which is not used

Rules:
1. With a mapping, each of its classes has a sample and each label is one of its own.
2. Without a mapping, the classes are the labels that occur, in their order and named by their number.

Source: Cohen, Afshar, Tapson and van Schaik 2017, EMNIST: extending MNIST to handwritten letters,
https://www.nist.gov/itl/products-and-services/emnist-dataset.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DatasetError


@dataclass(frozen=True)
class Mapping:
    """Which label in a file stands for which class.

    Attributes:
        labels: int64 (classes,): the labels; position `i` stands for class `i` of the alphabet.
        alphabet: The classes.
    """

    labels: NDArray[np.int64]
    alphabet: Alphabet

    @classmethod
    def of_rows(cls, rows: NDArray[np.int64], *, where: str) -> Self:
        """The mapping that a file states.

        Args:
            rows: int64 (classes, columns), a row as this module describes it.
            where: What is read, for the message of an error.

        Raises:
            DatasetError: There are fewer than two columns, a label comes twice, or a class has no usable name.
        """
        if rows.ndim != 2 or rows.shape[1] < 2:  # noqa: PLR2004 - a label and its character
            raise DatasetError(f"{where}: each row must hold a label and the code of its character, in two columns")
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        repeated = np.flatnonzero(np.diff(rows[:, 0]) == 0)
        if len(repeated):
            raise DatasetError(f"{where}: label {rows[repeated[0], 0]} is there twice; give each label one row")
        for label, code in rows[:, :2].tolist():
            if not 0 <= code <= sys.maxunicode:
                raise DatasetError(f"{where}: label {label} stands for {code}, which is no character's code")
        return cls(rows[:, 0], Alphabet.of([chr(code) for code in rows[:, 1]], where=where))

    @classmethod
    def of_labels(cls, labels: NDArray[Any], *, where: str) -> Self:
        """The mapping of a file that states none.

        Args:
            labels: Integers (samples,).
            where: What is read, for the message of an error.

        Raises:
            DatasetError: There are fewer than two different labels.
        """
        occurring = np.unique(labels).astype(np.int64)
        return cls(occurring, Alphabet.of([str(label) for label in occurring], where=where))

    def positions(self, labels: NDArray[Any], *, where: str) -> NDArray[np.int32]:
        """int32 (samples,): the position in the alphabet that each label stands for.

        Raises:
            DatasetError: A label is not in the mapping; the message names its row.
        """
        found = np.searchsorted(self.labels, labels).clip(max=len(self.labels) - 1)
        wrong = np.flatnonzero(self.labels[found] != labels)
        if len(wrong):
            row = int(wrong[0])
            raise DatasetError(
                f"{where}, row {row}: label {int(labels[row])} is not in the mapping, which has {len(self.labels)}"
                " labels; check that the mapping belongs to this data set"
            )
        return found.astype(np.int32)


def parse_mapping(content: bytes, *, where: str) -> Mapping:
    """Parses a mapping file, such as `emnist-balanced-mapping.txt`.

    Args:
        content: The file.
        where: What is read, for the message of an error.

    Raises:
        DatasetError: A line is not a row of whole numbers as long as the first, or as `Mapping.of_rows`.
    """
    rows: list[list[int]] = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [int(cell) for cell in line.decode("ascii").split()]
            np.array(row, np.int64)
        except (ValueError, OverflowError):  # Unicode errors are value errors
            raise DatasetError(f"{where}, line {number}: is not a row of whole numbers; get the file anew") from None
        if rows and len(row) != len(rows[0]):
            raise DatasetError(f"{where}, line {number}: has {len(row)} columns, and the first row {len(rows[0])}")
        rows.append(row)
    if not rows:
        raise DatasetError(f"{where}: holds no row; get the file anew")
    return Mapping.of_rows(np.array(rows, np.int64), where=where)
