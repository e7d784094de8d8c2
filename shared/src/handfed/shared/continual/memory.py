"""A replay memory: which of the samples that a device has trained on before stay in its training.

A class has as many places as another, so that the memory is balanced however unevenly classes were written. Who gets
them is drawn: each sample has a number at random, fixed when it is first trained on, and those with the least numbers
stay. That is reservoir sampling, a reservoir a class: at any time every sample of a class that was ever seen is in its
reservoir with the same chance, whatever the order in which they came. Where one is deleted, the next takes its place,
if it is still there.

Rules:
1. What no earlier run has trained on is new, and all of it is trained on.
2. A run that goes on from run `n` finds what runs before it trained on: a sample is old to it when the first run that
   trained on it had started from a run before `n`. A run that breaks off, or is repeated from the same champion, thus
   finds the same samples new.
3. A text is of no single class; of texts the memory has as many places as the alphabet has classes with theirs.

Source: Vitter 1985 (doi:10.1145/3147.3165), here by random keys (Efraimidis and Spirakis 2006,
doi:10.1016/j.ipl.2005.11.003, with equal weights). That a memory should be balanced: Chrysakis and Moens 2020, Online
continual learning from imbalanced data (ICML, PMLR 119). They share a fixed number of places among the classes that
have come so far; a device does not know how many will come, so here each class brings its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from handfed.shared.samples import Samples

NEVER: Final = -1  # of a sample that no run has trained on
MOST_DRAWN: Final = 2**62  # a draw is below it

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """What was trained on before.

    Attributes:
        base: int64 (n,), the run that the first run which trained on a sample had started from, 0 for none; `NEVER` of
            a sample that none has trained on.
        draw: int64 (n,), the number that was drawn for it; of a new sample it means nothing.
    """

    base: NDArray[np.int64]
    draw: NDArray[np.int64]

    def take(self, rows: Rows) -> Self:
        """That of the samples at `rows`."""
        return type(self)(self.base[rows], self.draw[rows])

    def old(self, start_from: int) -> NDArray[np.bool_]:
        """What was trained on before the run that a run starts from had ended: bool (n,)."""
        old: NDArray[np.bool_] = (self.base != NEVER) & (self.base < start_from)
        return old


def reservoir(groups: NDArray[np.int32], draw: NDArray[np.int64], places: int) -> Rows:
    """The members of each group's reservoir, as ascending rows.

    Args:
        groups: int (n,), at least 0.
        draw: int64 (n,), a number at random for each.
        places: Of each group, at least 0.
    """
    order = np.lexsort((draw, groups))
    sorted_groups = groups[order]
    first = np.searchsorted(sorted_groups, sorted_groups, side="left")  # where each one's group begins
    return np.sort(order[np.arange(len(order)) - first < places])


def rehearsed(samples: Samples, seen: Seen, *, start_from: int, places: int, classes: int) -> Rows:
    """The samples that a device trains on in a run that goes on from an earlier one: new ones, and its memory.

    Args:
        samples: All that it may train on.
        seen: What of them was trained on before.
        start_from: The run that this one starts from, at least 1.
        places: Of the memory, a class, at least 1.
        classes: Of the alphabet.

    Returns:
        Ascending rows.
    """
    old = np.flatnonzero(seen.old(start_from))
    if samples.are_texts:
        groups, places = np.zeros(len(old), np.int32), places * classes
    else:
        groups = samples.labels[old]
    kept = old[reservoir(groups, seen.draw[old], places)]
    return np.sort(np.concatenate([np.flatnonzero(~seen.old(start_from)), kept]))
