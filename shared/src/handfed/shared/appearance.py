"""How handwriting looks, as three numbers of each picture: ink, stroke width and slant.

Let I(x, y) be the ink from 0 to 1, and its gradient by central differences (x to the right, y down).

    ink            sum of I over the picture's area
    stroke width   2 A / P with the area A = sum of I and the perimeter P = sum of |grad I|: of a strip much longer than
                   it is wide, its width in pixels. That P is the perimeter is the coarea formula (Rudin, Osher and
                   Fatemi 1992, "Nonlinear total variation based noise removal algorithms", Physica D 60).
    slant          sum(I_x I_y) / sum(I_x^2), the shear that best explains the gradients as those of upright strokes by
                   least squares: pixels to the right for each pixel further up. Entries of the structure tensor (Bigün
                   and Granlund 1987); what is round weighs on both sides.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.samples import Samples

_AT_ONCE: Final = 256  # pictures
_FULL: Final = 255
_LEAST: Final = 1e-6  # of a divisor: paper without ink has no strokes


def appearance(samples: Samples) -> NDArray[np.float64]:
    """How samples look.

    Args:
        samples: Of any kind.

    Returns:
        float64 (n, 3): ink as a fraction, stroke width in pixels, slant in pixels a pixel.
    """
    found = np.zeros((len(samples), 3))
    for rows, part in samples.batches(_AT_ONCE):
        height, width = part.images.shape[1:]
        widths = np.full(len(part), width) if part.widths is None else part.widths
        found[rows] = _of(part.images, height * widths)
    return found


def _of(images: NDArray[np.uint8], areas: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.float64]:
    ink = np.pad(images, ((0, 0), (1, 1), (1, 1))).astype(np.float64) / _FULL
    right = (ink[:, 1:-1, 2:] - ink[:, 1:-1, :-2]) / 2
    down = (ink[:, 2:, 1:-1] - ink[:, :-2, 1:-1]) / 2
    area, perimeter = ink.sum(axis=(1, 2)), np.hypot(right, down).sum(axis=(1, 2))
    slant = (right * down).sum(axis=(1, 2)) / np.maximum((right**2).sum(axis=(1, 2)), _LEAST)
    return np.stack([area / areas, 2 * area / np.maximum(perimeter, _LEAST), slant], axis=1)
