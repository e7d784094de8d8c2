"""Calibration: how far confidences are from how often readings are right, and one temperature that mends it.

Logits are divided by a temperature before the softmax; above 1 it makes a recogniser less sure. The temperature is the
one with the least negative log-likelihood on handwriting that the recogniser has not seen. Devices agree on a grid of
temperatures, and each reports sums over its samples, never a sample; sums of devices add up with `+`.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599: equation 9 (temperature),
equation 3 (expected calibration error, ECE), figure 1 (reliability).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ctc

TEMPERATURES: Final = 2.0 ** (np.arange(-16, 17) / 8)  # 1/4 to 4, in eighths of an octave
BINS: Final = 15  # as in the source


@dataclass(frozen=True, eq=False)
class TemperatureCurve:
    """How well each temperature explains samples; `a + b` is the curve of both together.

    Attributes:
        samples: How many were summed.
        nats: float64 (temperatures,), their summed negative log-likelihood at each of `TEMPERATURES`.
    """

    samples: int
    nats: NDArray[np.float64]

    def __add__(self, other: TemperatureCurve) -> TemperatureCurve:
        return TemperatureCurve(self.samples + other.samples, self.nats + other.nats)

    @classmethod
    def empty(cls) -> Self:
        """The curve of no sample."""
        return cls(0, np.zeros(len(TEMPERATURES)))

    @classmethod
    def of_characters(cls, logits: NDArray[np.float32], labels: NDArray[np.int32]) -> Self:
        """The curve of single characters.

        Args:
            logits: float (n, classes).
            labels: int (n,), the class that was written.
        """
        rows = np.arange(len(labels))
        nats = [-ctc.log_softmax(logits / temperature)[rows, labels].sum() for temperature in TEMPERATURES]
        return cls(len(labels), np.array(nats))

    @classmethod
    def of_text(cls, logits: NDArray[np.float32], written: Sequence[int]) -> Self:
        """The curve of one text; of none, if it needs more steps than there are, which no temperature changes.

        Args:
            logits: float (steps, classes + 1), of the steps that hold something of the text.
            written: The classes that were written, in order.
        """
        nats = -ctc.log_likelihood(ctc.log_softmax(logits / TEMPERATURES[:, None, None]), written)
        return cls(1, nats) if np.isfinite(nats).all() else cls.empty()

    def temperature(self) -> float:
        """The temperature with the least negative log-likelihood; 1 of no sample."""
        return float(TEMPERATURES[self.nats.argmin()]) if self.samples else 1.0


@dataclass(frozen=True, eq=False)
class Reliability:
    """Readings by confidence; `a + b` is that of both together.

    Bin m of M holds confidences above (m - 1)/M and up to m/M; the first also holds 0.

    Attributes:
        counts: int64 (bins,), readings.
        confidences: float64 (bins,), their summed confidences.
        correct: int64 (bins,), how many of them are right.
    """

    counts: NDArray[np.int64]
    confidences: NDArray[np.float64]
    correct: NDArray[np.int64]

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.counts + other.counts, self.confidences + other.confidences, self.correct + other.correct
        )

    @classmethod
    def of(cls, confidences: NDArray[np.floating], correct: NDArray[np.bool_], *, bins: int = BINS) -> Self:
        """Sorts readings into bins of equal width.

        Args:
            confidences: float (n,), from 0 to 1.
            correct: bool (n,), whether each reading is right.
            bins: How many.
        """
        place = np.clip(np.ceil(confidences.astype(np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)
        return cls(
            np.bincount(place, minlength=bins),
            np.bincount(place, confidences, bins).astype(np.float64),
            np.bincount(place[correct], minlength=bins),
        )

    @property
    def mean_confidences(self) -> NDArray[np.float64]:
        """float64 (bins,): NaN of a bin without readings."""
        return _rates(self.confidences, self.counts)

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """float64 (bins,): the fraction that is right; NaN of a bin without readings."""
        return _rates(self.correct, self.counts)

    def expected_calibration_error(self) -> float:
        """How far confidence is from accuracy, on average over readings, 0 to 1; 0 of no reading."""
        return float(np.abs(self.correct - self.confidences).sum() / max(int(self.counts.sum()), 1))


def _rates(sums: NDArray[np.floating] | NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    found = np.full(len(counts), np.nan)
    np.divide(sums, counts, out=found, where=counts > 0)
    return found
