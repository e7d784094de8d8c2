"""Classes that may stand for one another: how well is read by those who do not care which of them was meant.

ignoring_case        a letter and its capital are one (Unicode case folding)
lookalikes_as_one    and so are 0 and o, and 1, l and i, which normalised to one size even people cannot tell apart
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.transcripts import Transcripts

IGNORING_CASE: Final = "ignoring_case"
LOOKALIKES_AS_ONE: Final = "lookalikes_as_one"
_LOOKALIKES: Final = {"0": "o", "1": "l", "i": "l"}


def accuracies(found: Transcripts, alphabet: Alphabet) -> dict[str, float]:
    """Accuracy in each of these ways, as a fraction; but for a way that tells as many classes apart as the one before.

    Args:
        found: At least one character.
        alphabet: Its classes.
    """
    return {name: found.merged(classes).accuracy for name, classes in _merging(alphabet).items()}


def _merging(alphabet: Alphabet) -> dict[str, NDArray[np.int32]]:
    """For each way int32 (classes,): the first class that each class counts as; a way that merges no more goes."""
    folded = [name.casefold() for name in alphabet.names]
    kinds = {IGNORING_CASE: folded, LOOKALIKES_AS_ONE: [_LOOKALIKES.get(name, name) for name in folded]}
    found: dict[str, NDArray[np.int32]] = {}
    classes = len(alphabet)
    for way, names in kinds.items():
        if len(set(names)) < classes:
            classes = len(set(names))
            found[way] = np.array([names.index(name) for name in names], np.int32)
    return found
