"""What a cheap model sees of a character: histograms of gradients, made non-linear by random cosines.

Sources: histograms of oriented gradients, Dalal and Triggs 2005 (doi:10.1109/CVPR.2005.177); random Fourier features,
Rahimi and Recht 2007 (NeurIPS 20), cos(Wx + b) for a Gaussian kernel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

CELLS: Final = 4  # along each side
ORIENTATIONS: Final = 8
RANDOM_FEATURES: Final = 1000
_GAMMA: Final = 0.5  # of the kernel exp(-gamma |x - y|^2), x of length 1
_AT_ONCE: Final = 1000  # pictures: a gradient takes 40 bytes a pixel
_POOLED: Final = 2  # pixels along each side, for `duplicates`
_ALIKE: Final = 0.995  # cosine from which on two pictures are one, scanned twice


def gradients(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of gradients of characters: float32 (n, CELLS * CELLS * ORIENTATIONS), each of length 1.

    Args:
        images: uint8 (n, side, side), normalised; the side is a multiple of `CELLS`.
    """
    parts = [_gradients(images[start : start + _AT_ONCE]) for start in range(0, len(images), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros((0, CELLS**2 * ORIENTATIONS), np.float32)


def _gradients(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    ink = images.astype(np.float32) / 255
    down, right = np.zeros_like(ink), np.zeros_like(ink)
    down[:, 1:-1] = ink[:, 2:] - ink[:, :-2]
    right[:, :, 1:-1] = ink[:, :, 2:] - ink[:, :, :-2]
    length = np.hypot(down, right)
    angle = np.arctan2(down, right) / (2 * np.pi) * ORIENTATIONS
    below = np.floor(angle)
    share = angle - below  # of the length, that goes to the next orientation
    first = below.astype(np.int64) % ORIENTATIONS
    count, side = len(images), images.shape[1] // CELLS
    found = np.zeros((count, CELLS, CELLS, ORIENTATIONS), np.float32)
    for orientation in range(ORIENTATIONS):
        own = np.where(first == orientation, 1 - share, 0) + np.where(
            (first + 1) % ORIENTATIONS == orientation, share, 0
        )
        found[..., orientation] = (length * own).reshape(count, CELLS, side, CELLS, side).sum((2, 4))
    flat = np.sqrt(found.reshape(count, -1))
    scaled: NDArray[np.float32] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return scaled


def random_cosines(histograms: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Random features of histograms: float32 (n, RANDOM_FEATURES).

    Args:
        histograms: As `gradients` gives them.
        seed: Of the features.
    """
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, np.sqrt(2 * _GAMMA), (histograms.shape[1], RANDOM_FEATURES)).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, RANDOM_FEATURES).astype(np.float32)
    found: NDArray[np.float32] = np.sqrt(np.float32(2 / RANDOM_FEATURES)) * np.cos(histograms @ weights + phases)
    return found


def duplicates(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Which pictures are nearly the same: int64 (n,), for each the first picture that it is nearly the same as.

    Args:
        images: uint8 (n, side, side).
    """
    count, side = len(images), images.shape[1] // _POOLED
    pooled = images.reshape(count, side, _POOLED, side, _POOLED).mean((2, 4), dtype=np.float32).reshape(count, -1)
    pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-6)
    first = np.arange(count)
    for start in range(0, count, _AT_ONCE):
        alike = pooled[start : start + _AT_ONCE] @ pooled[: start + _AT_ONCE].T >= _ALIKE
        alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = True  # of a blank one, too
        first[start : start + len(alike)] = alike.argmax(axis=1)
    while (first != first[first]).any():  # a is like b, and b like c
        first = first[first]
    return first
