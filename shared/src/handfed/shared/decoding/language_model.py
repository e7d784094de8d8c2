"""What a beam asks of a language model, and how much a model counts.

A model walks along a text class by class. Its state is all that it remembers of what came before; equal states give
equal answers, so answers may be kept. Its scores need not be probabilities: a score is added to the logarithm of a
text's probability, and minus infinity forbids it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

State = TypeVar("State", bound=Hashable)


class LanguageModel(Protocol[State]):
    """Which texts to expect."""

    def start(self) -> State:
        """The state before the first class."""
        ...

    def scores(self, state: State) -> NDArray[np.float64]:
        """float64 (classes,), nats: of each class as the next one."""
        ...

    def after(self, state: State, label: int) -> State:
        """The state after one more class."""
        ...

    def end(self, state: State) -> float:
        """Nats: the score of a text that ends here."""
        ...


@dataclass(frozen=True)
class Weighted:
    """A model that counts for more or less (Hannun et al. 2014, arXiv:1408.2873, equation 2, of characters).

    Attributes:
        model: The model; one that forbids nothing, or with a weight above 0.
        weight: Alpha: the power of its probability. 0 is no model, 1 takes it at its word.
        bonus: Beta: nats added for each class, against the short texts that a product of probabilities prefers.
    """

    model: LanguageModel[Any]
    weight: float = 1.0
    bonus: float = 0.0

    def start(self) -> Hashable:  # noqa: D102 - as of `LanguageModel`, like those below
        state: Hashable = self.model.start()
        return state

    def scores(self, state: Hashable) -> NDArray[np.float64]:  # noqa: D102
        return self.weight * self.model.scores(state) + self.bonus

    def after(self, state: Hashable, label: int) -> Hashable:  # noqa: D102
        following: Hashable = self.model.after(state, label)
        return following

    def end(self, state: Hashable) -> float:  # noqa: D102
        return self.weight * self.model.end(state)
