"""Decoders: what a text recogniser's outputs say, how sure that is, and what else they may say.

    Greedy      `greedy`    the most probable class of each step
    Beam        `beam`      the most probable text; with a language model, the most probable under both
    Lexicon     `lexicon`   a language model of words that are allowed
    NGram       `ngram`     a language model of how characters follow one another; `arpa` reads one of another tool

Rules:
1. A confidence is of a text, summed over the paths that say it (CTC), and not of one path.
2. A language model makes a decoder surer than it should be; logits divided by a temperature mend that
   (`handfed.shared.calibration`), each decoder having its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decoded:
    """What outputs say.

    Attributes:
        text: Classes in reading order.
        confidence: Probability of that text, 0 to 1.
        alternatives: Other texts with their probabilities, most probable first.
    """

    text: tuple[int, ...]
    confidence: float
    alternatives: tuple[tuple[tuple[int, ...], float], ...] = ()


class Decoder(Protocol):
    """A way to read outputs."""

    def decode(self, logits: NDArray[np.float32]) -> Decoded:
        """Reads one text.

        Args:
            logits: float (steps, classes + 1), of the steps that hold something of the text; the last class is CTC's
                blank.
        """
        ...
