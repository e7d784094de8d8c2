"""The most probable class of each step: the cheapest decoder, and for a sharp recogniser nearly as good as a beam.

Its confidence is that of the text (all paths that say it), by CTC's forward algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ctc
from handfed.shared.decoding import Decoded


@dataclass(frozen=True)
class Greedy:
    """Best path decoding (Graves et al. 2006, section 3.2); it knows no alternatives."""

    def decode(self, logits: NDArray[np.float32]) -> Decoded:
        """Reads one text.

        Args:
            logits: float (steps, classes + 1).
        """
        text = ctc.best_path(logits[None], np.array([len(logits)], np.int32))[0]
        nats = ctc.log_likelihood(ctc.log_softmax(logits[None]), text)[0]
        return Decoded(tuple(text), min(float(np.exp(nats)), 1.0))
