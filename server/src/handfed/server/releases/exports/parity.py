"""An exported file beside what it was made of: do they read the same?

Rules:
1. A file of integers is compared with the release's model, and must read every picture as that does. Two runtimes may
   round the last bit of a layer to different sides; so a picture may be read otherwise where the release's two best
   classes lie within what its self-test allows the same file on another processor: four output steps. Of such
   pictures there may be one in ten.
2. A file of floats is compared with the float model, of which it must read 99.9 % of the pictures alike.
3. The probabilities of a file must be those of its own logits under the release's temperature, since a file with
   another one reads the same; and of floats none may differ by more than a thousandth. Of integers the largest
   difference is said, and not bounded: a bit at the first layer may be several steps at the last.
4. Pictures are real handwriting, as much as there is of it, and synthetic self-test pictures in any case.

What is read of a text is its best path; what may be close is every step of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ctc
from handfed.shared.errors import ReleaseRefusedError
from handfed.shared.litert import softmax
from handfed.shared.samples import Samples

Floats = NDArray[np.float32]
Reads = Callable[[NDArray[np.uint8]], tuple[Floats, Floats]]  # logits and probabilities of pictures

_AT_ONCE: Final = 64
_OWN: Final = 1e-4  # that a probability may be off its own logits


@dataclass(frozen=True)
class Bounds:
    """What an export may differ by.

    Attributes:
        same: Fraction of the pictures that must be read alike, but for those that are close.
        close: Fraction of the pictures that may be close.
        probability: The largest difference of a probability; None for any.
    """

    same: float
    close: float
    probability: float | None


OF_INTEGERS: Final = Bounds(same=1.0, close=0.1, probability=None)
OF_FLOATS: Final = Bounds(same=0.999, close=0.0, probability=0.001)


@dataclass(frozen=True)
class Agreement:
    """How often two models read alike; `a + b` is that of both together.

    Attributes:
        pictures: How many they read.
        same: Of them, how many alike.
        close: Of the others, how many of which the first held two readings as good as equal.
        largest_difference: Of any probability.
    """

    pictures: int = 0
    same: int = 0
    close: int = 0
    largest_difference: float = 0.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.pictures + other.pictures,
            self.same + other.same,
            self.close + other.close,
            float(np.maximum(self.largest_difference, other.largest_difference)),
        )

    @property
    def rate(self) -> float:
        """The fraction that is read alike, close ones not counted."""
        return self.same / max(self.pictures - self.close, 1)

    def as_json(self) -> dict[str, Any]:
        """For `EXPORT.json`."""
        return asdict(self)


def compare(
    first: Reads, second: Reads, samples: Samples, *, columns: int, close: float, temperature: float
) -> Agreement:
    """Lets two models read the same.

    Args:
        first: What the second was made of.
        second: The exported file.
        samples: What they read.
        columns: Of a picture, that make one step of a text; 0 of characters.
        close: Logits within which the first does not tell two classes apart.
        temperature: What logits are divided by for probabilities.

    Raises:
        ReleaseRefusedError: The second does not give as many logits as the first, or other probabilities than its own
            logits have.
    """
    found = Agreement()
    for _, part in samples.batches(_AT_ONCE):
        (logits, sure), (others, as_sure) = first(part.pictures), second(part.pictures)
        if others.shape != logits.shape:
            raise ReleaseRefusedError(f"the exported file gives {others.shape} where the model gives {logits.shape}")
        if not np.allclose(softmax(others / np.float32(temperature)), as_sure, atol=_OWN):
            raise ReleaseRefusedError(
                "the exported file's probabilities are not those of its logits; nothing was written"
            )
        counts = part.steps(columns) if columns else np.ones(len(part), np.int32)
        differs = _otherwise(logits, others, counts, of_texts=bool(columns))
        near = differs & _near(logits, others, counts, close)
        apart = float(np.abs(sure - as_sure).max(initial=0))
        found += Agreement(len(part), int((~differs).sum()), int(near.sum()), apart)
    return found


def _otherwise(logits: Floats, others: Floats, counts: NDArray[np.int32], *, of_texts: bool) -> NDArray[np.bool_]:
    """Bool (n,): which pictures are read otherwise."""
    if not of_texts:
        return np.asarray(logits.argmax(axis=1) != others.argmax(axis=1))
    pairs = zip(ctc.best_path(logits, counts), ctc.best_path(others, counts), strict=True)
    return np.array([first != second for first, second in pairs], np.bool_)


def _near(logits: Floats, others: Floats, counts: NDArray[np.int32], close: float) -> NDArray[np.bool_]:
    """Bool (n,): whether the first's two best are close wherever the second has another best."""
    by_step = (len(logits), -1, logits.shape[-1])
    logits, others = logits.reshape(by_step), others.reshape(by_step)  # of characters, one step
    best = np.partition(logits, -2, axis=-1)
    apart = best[..., -1] - best[..., -2] > close * (1 + 1e-6)  # a step is a float, and one of them is close
    counted = np.arange(logits.shape[1]) < counts[:, None]
    return np.asarray(~((logits.argmax(-1) != others.argmax(-1)) & apart & counted).any(axis=1))


def check(found: Agreement, bounds: Bounds) -> None:
    """Refuses a file that does not read like what it was made of.

    Raises:
        ReleaseRefusedError: It does not.
    """
    others = found.pictures - found.same - found.close
    if found.rate < bounds.same:
        raise ReleaseRefusedError(
            f"the exported file reads {others:,} of {found.pictures:,} pictures otherwise than the model it was made of"
            f" ({found.rate:.2%} alike, at least {bounds.same:.1%}); nothing was written"
        )
    if found.close > bounds.close * found.pictures:
        raise ReleaseRefusedError(
            f"the model tells the two best classes of {found.close:,} of {found.pictures:,} pictures hardly apart, and"
            " the exported file reads them otherwise; nothing was written: train the release longer"
        )
    if bounds.probability is not None and not found.largest_difference <= bounds.probability:  # nor is NaN
        raise ReleaseRefusedError(
            f"a probability of the exported file differs by {found.largest_difference:.4f} from the model it was made"
            f" of (at most {bounds.probability:g}); nothing was written"
        )
