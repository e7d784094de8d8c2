"""Prefix beam search: the texts with the most probability, each summed over the paths that say it.

Step by step, the search keeps the `width` most probable prefixes. Of each it holds how probable it is that the paths
that say it end in a blank, and in its last class: only after a blank does the same class begin anew.

Rules:
1. Without a bound on width and classes, and without a language model, probabilities are exact. With bounds they are
   lower: the probability of what was given up is lost, and given to no one.
2. With a language model, a text's probability is its share among the texts in the beam: the model's scores add up to no
   known sum.
3. Where no text in the beam may end (a lexicon allows only whole words), the text is empty and the confidence 0.

Sources: Graves 2012, "Supervised Sequence Labelling with Recurrent Neural Networks", section 7.5.3; Hannun et al. 2014,
arXiv:1408.2873, algorithm 1.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ctc
from handfed.shared.decoding import Decoded
from handfed.shared.decoding.language_model import LanguageModel

_LEAST: Final = 1e-30  # a probability above 0, so that no step ends every prefix
_ROOT: Final = 0  # of the tree of prefixes: the empty text

_Masses = tuple[float, float]  # of a prefix: of the paths that end in a blank, and in its last class


@dataclass(frozen=True)
class Beam:
    """A prefix beam search.

    Attributes:
        width: How many prefixes are kept at each step, at least 1.
        model: Which texts to expect; None, and all are alike.
        least_probability: A step's classes below it are passed over.
        classes_a_step: Of the others, at most so many are looked at, at least 1: a bound on the work of a step.
        alternatives: How many alternatives to name, at most; fewer than `width`.
    """

    width: int = 16
    model: LanguageModel[Any] | None = None
    least_probability: float = 1e-3
    classes_a_step: int = 16
    alternatives: int = 3

    def decode(self, logits: NDArray[np.float32]) -> Decoded:
        """Reads one text.

        Args:
            logits: float (steps, classes + 1).
        """
        probabilities = np.maximum(np.exp(ctc.log_softmax(logits)), _LEAST)
        prefixes = _Prefixes(self.model)
        beam: dict[int, _Masses] = {_ROOT: (1.0, 0.0)}
        nats = 0.0  # what the masses were divided by, so that they do not vanish
        for step in probabilities:
            candidates = self._candidates(step[:-1])
            extended = prefixes.extended(beam, step.tolist(), candidates)
            kept = heapq.nlargest(self.width, extended.items(), key=lambda item: sum(item[1]))
            largest = sum(kept[0][1])
            nats += math.log(largest)
            beam = {prefix: (blank / largest, label / largest) for prefix, (blank, label) in kept}
        return self._decoded(prefixes, beam, nats)

    def _candidates(self, step: NDArray[np.float64]) -> list[int]:
        """The classes of a step that are looked at."""
        found = np.flatnonzero(step >= self.least_probability)
        if len(found) > self.classes_a_step:
            found = found[np.argpartition(step[found], -self.classes_a_step)[-self.classes_a_step :]]
        return found.tolist()

    def _decoded(self, prefixes: _Prefixes, beam: dict[int, _Masses], nats: float) -> Decoded:
        """The beam after the last step, with probabilities."""
        masses = {prefix: sum(mass) * prefixes.ending(prefix) for prefix, mass in beam.items()}
        whole = sum(masses.values())
        if not whole:
            return Decoded((), 0.0)
        scale = math.exp(nats) if self.model is None else 1 / whole
        best = heapq.nlargest(1 + self.alternatives, masses.items(), key=lambda item: item[1])
        (text, confidence), *others = (
            (prefixes.text(prefix), min(mass * scale, 1.0)) for prefix, mass in best if mass > 0
        )
        return Decoded(text, confidence, tuple(others))


class _Prefixes:
    """The prefixes that one search has come upon, as a tree: a prefix is its last class, after another prefix."""

    def __init__(self, model: LanguageModel[Any] | None) -> None:
        self._model = model
        self._parents, self._labels = [_ROOT], [-1]
        self._children: list[dict[int, int]] = [{}]
        self._states: list[Hashable] = [None if model is None else model.start()]
        self._scores: list[NDArray[np.float64] | None] = [None]

    def extended(self, beam: dict[int, _Masses], step: list[float], candidates: list[int]) -> dict[int, _Masses]:
        """The prefixes that a beam becomes by one more step: each stays, or has one more class.

        Args:
            beam: Prefixes with their masses.
            step: Probabilities (classes + 1,).
            candidates: The classes to add.
        """
        found: dict[int, _Masses] = {}
        for prefix, (blank, label) in beam.items():
            both, last = blank + label, self._labels[prefix]
            before = found.get(prefix, (0.0, 0.0))
            found[prefix] = before[0] + both * step[-1], before[1] + label * step[last]
            for candidate in candidates:
                mass = (blank if candidate == last else both) * step[candidate] * self._factor(prefix, candidate)
                if mass:
                    child = self._child(prefix, candidate)
                    before = found.get(child, (0.0, 0.0))
                    found[child] = before[0], before[1] + mass
        return found

    def _child(self, prefix: int, label: int) -> int:
        """The prefix with one more class."""
        child = self._children[prefix].get(label)
        if child is None:
            child = self._children[prefix][label] = len(self._parents)
            self._parents.append(prefix)
            self._labels.append(label)
            self._children.append({})
            self._states.append(None)
            self._scores.append(None)
        return child

    def _state(self, prefix: int) -> Hashable:
        """The model's state after a prefix; made when it is asked for, as most prefixes fall out of the beam."""
        if self._model is not None and self._states[prefix] is None:
            self._states[prefix] = self._model.after(self._state(self._parents[prefix]), self._labels[prefix])
        return self._states[prefix]

    def _factor(self, prefix: int, label: int) -> float:
        """What the model multiplies the probability of one more class by."""
        if self._model is None:
            return 1.0
        scores = self._scores[prefix]
        if scores is None:
            scores = self._scores[prefix] = self._model.scores(self._state(prefix))
        return math.exp(scores.item(label))

    def ending(self, prefix: int) -> float:
        """What the model multiplies the probability of a text that ends here by."""
        return 1.0 if self._model is None else math.exp(self._model.end(self._state(prefix)))

    def text(self, prefix: int) -> tuple[int, ...]:
        """The classes of a prefix, in reading order."""
        found = []
        while prefix != _ROOT:
            found.append(self._labels[prefix])
            prefix = self._parents[prefix]
        return tuple(reversed(found))
