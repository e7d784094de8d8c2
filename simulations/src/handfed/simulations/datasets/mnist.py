"""MNIST whole: its 60,000 training images and then its 10,000 test images, downloaded by Keras on first use.

Source: LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Final

import numpy as np

from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.images import normalise_all
from handfed.shared.samples import Samples


@dataclass(frozen=True)
class Mnist:
    """A `handfed.clients.datasets.NamedDataset`."""

    name: str = "mnist"
    summary: str = (
        "all 70,000 MNIST digits; it is not recorded who wrote which; downloads 11 MB on first use, through Keras"
    )
    licence: str = "CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)"

    def load(self) -> Dataset:
        """Downloads the images where Keras has not kept them, and normalises them.

        Raises:
            DatasetError: They cannot be downloaded; the message says what to do.
            MissingExtraError: TensorFlow is not installed.
        """
        from handfed.shared.tf.downloads import load_mnist

        train_images, train_labels, test_images, test_labels = load_mnist()  # checked by their SHA-256
        return Dataset(
            self.name,
            Alphabet(tuple(string.digits)),
            Samples(
                normalise_all(np.concatenate([train_images, test_images])),
                np.concatenate([train_labels, test_labels]).astype(np.int32),
            ),
            None,
            source="MNIST's 60,000 training and 10,000 test images, as Keras publishes them",
            licence=self.licence,
        )


MNIST: Final = Mnist()
