"""Data sets that Keras downloads on first use, and keeps: MNIST, 11 MB.

Keras checks the file's SHA-256 and looks for it in `~/.keras/datasets` first, or in the folder `datasets` of what the
environment variable KERAS_HOME names. Where there is no network, the file may be put there by hand.

Source: https://keras.io/api/datasets/mnist.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import DatasetError
from handfed.shared.tf.runtime import keras

MNIST_FILE: Final = "mnist.npz"
_PATIENCE_S: Final = 30.0  # without a byte from the network; Keras itself would wait for ever


def keras_home() -> Path:
    """Where Keras keeps what it downloads, in the folder `datasets`."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def load_mnist() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """MNIST from Keras' cache, or downloaded into it; progress goes to standard error.

    Returns:
        Training images uint8 (60000, 28, 28) and labels uint8 (60000,), then test images (10000, 28, 28) and labels.

    Raises:
        DatasetError: It cannot be downloaded or is not what Keras expects; the message says what to do.
    """
    home = keras_home()
    try:
        with _patient(), contextlib.redirect_stdout(sys.stderr):
            (train_x, train_y), (test_x, test_y) = keras.datasets.mnist.load_data(cache_dir=str(home))
    except Exception as error:  # what goes wrong on the network Keras raises as a bare Exception
        raise DatasetError(
            f"MNIST cannot be downloaded ({error}); without a network, put Keras' {MNIST_FILE} into"
            f" {home / 'datasets'}, or use the 5,000 digits that come installed: mnist5k"
        ) from error
    return train_x, train_y, test_x, test_y


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Lets new sockets give up after a while."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
