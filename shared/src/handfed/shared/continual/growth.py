"""A recogniser's outputs when its alphabet grows: letters after digits, or another script beside the first.

Rules:
1. What stood for a class stands for it afterwards, to the bit, wherever the class is in the new alphabet.
2. The outputs of new classes are those of the untrained model.
3. Of texts, the blank is the last output before and after.
4. All other arrays are kept as they are, batch statistics and ranges of activations among them. So this holds for the
   float model and for its quantization-aware twin, whose kernels are grown like the others'.

Every family's last layer is called `logits`, and the last axis of its arrays is that of the outputs
(`handfed.shared.tf.recognisers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import SettingError
from handfed.shared.wire import Arrays

HEAD: Final = ("logits/kernel", "logits/bias")


def positions(before: Sequence[str], after: Sequence[str]) -> list[int]:
    """Where each class of an alphabet is in one that holds it.

    Args:
        before: Names of the classes, in the order of the outputs.
        after: Likewise, of the alphabet that has grown.

    Raises:
        SettingError: A class is not in it.
    """
    place = {name: position for position, name in enumerate(after)}
    missing = [name for name in before if name not in place]
    if missing:
        raise SettingError(f"the new alphabet lacks {' '.join(missing)}; an alphabet may grow, and loses no class")
    return [place[name] for name in before]


def outputs_of(before: Sequence[str], after: Sequence[str], *, blank: bool) -> list[int]:
    """Where each output is after the alphabet has grown; of texts (`blank`) the blank's is last in both."""
    return [*positions(before, after), *([len(after)] if blank else [])]


def grown(
    arrays: Arrays, before: Sequence[str], after: Sequence[str], initial: Arrays, *, blank: bool
) -> dict[str, NDArray[np.float32]]:
    """The model that goes on with more classes.

    Args:
        arrays: The state of the model so far, float or quantization-aware.
        before: The classes it tells apart, in the order of its outputs.
        after: Those it is to tell apart; all of `before` are among them.
        initial: The untrained model of `after`; of its arrays, those of the last layer are needed.
        blank: Whether the last output is the blank, as of texts.

    Returns:
        Arrays of the same names, of the shapes of the model of `after`.

    Raises:
        SettingError: A class of `before` is not among `after`.
    """
    places = outputs_of(before, after, blank=blank)
    result = {name: np.asarray(array) for name, array in arrays.items()}
    for name in HEAD:
        if name in arrays:
            whole = np.array(initial[name])  # (..., outputs)
            whole[..., places] = arrays[name]
            result[name] = whole
    return result
