"""How handwriting comes in steps, one after another: which step brings which sample, and which classes are known then.

| scheme               | a step brings                                                                            |
|----------------------|------------------------------------------------------------------------------------------|
| `classes:K`          | the next K classes of the alphabet                                                       |
| `classes:A,B,...`    | so many of them: A, then B, and so on                                                    |
| `groups:NAME,...`    | what the group of that name wrote, such as staff and then students, or another alphabet  |
| `styles:STYLE,...`   | an equal part of each device's samples: the first as written, then with that style       |

Rules:
1. A sample comes in one step; what no step brings is left out.
2. After a step, the alphabet has the classes of all samples so far: those of earlier steps first and in their order, so
   that a class keeps its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import SettingError

NOWHERE: Final = -1  # of a sample that no step brings
STYLES: Final = ("pen", "scanner", "paper")
SCHEMES: Final = ("classes:K", "classes:A,B,...", "groups:NAME,...", "styles:STYLE,...")


@dataclass(frozen=True)
class Steps:
    """Handwriting in steps.

    Attributes:
        step: int32 (n,), which step brings each sample, from 0, or `NOWHERE`.
        names: What each step is called.
        classes: For each step, the classes known after it, as positions in the data set's alphabet, in the order of the
            recogniser's outputs.
        styles: For each step, how its samples look; empty for as they were written.
    """

    step: NDArray[np.int32]
    names: tuple[str, ...]
    classes: tuple[tuple[int, ...], ...]
    styles: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def steps_of(
    scheme: str, labels: NDArray[np.int32], names: Sequence[str], groups: NDArray[np.str_] | None, seed: int
) -> Steps:
    """Deals samples out to steps.

    Args:
        scheme: One of `SCHEMES`.
        labels: int32 (n,), the class of each.
        names: Of the classes.
        groups: Text (n,), the group of each; None where there are none.
        seed: Deals samples out to styles.

    Raises:
        SettingError: There is no such scheme, or it does not fit the samples.
    """
    kind, _, text = scheme.partition(":")
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    if kind not in ("classes", "groups", "styles") or not wanted:
        raise SettingError(f"steps {scheme!r}: write one of {', '.join(SCHEMES)}")
    if kind == "classes":
        step, called = _by_class(scheme, wanted, labels, names)
    elif kind == "groups":
        step, called = _by_group(scheme, wanted, groups), tuple(wanted)
    else:
        _check_styles(scheme, wanted)
        step = np.random.default_rng(seed).integers(0, len(wanted) + 1, len(labels)).astype(np.int32)
        called = ("as written", *wanted)
    empty = [called[each] for each in range(len(called)) if not (step == each).any()]
    if empty or len(called) < 2:  # noqa: PLR2004 - one step is no sequence
        raise SettingError(f"steps {scheme!r}: " + (f"no sample is of {empty[0]}" if empty else "name two at least"))
    styles = ("", *wanted) if kind == "styles" else ("",) * len(called)
    return Steps(step, called, _classes(step, labels, len(called)), styles)


def _by_class(
    scheme: str, wanted: Sequence[str], labels: NDArray[np.int32], names: Sequence[str]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Classes in the order of the alphabet; a single number is repeated until there are no more."""
    if not all(part.isascii() and part.isdecimal() and int(part) for part in wanted):
        raise SettingError(f"steps {scheme!r}: write whole numbers of classes, such as classes:2 or classes:10,26,26")
    counts = [int(part) for part in wanted]
    if len(counts) == 1:
        counts *= -(-len(names) // counts[0])
    ends = np.minimum(np.cumsum(counts), len(names))
    if counts[0] < 2 or len(set(ends.tolist())) < len(ends):  # noqa: PLR2004 - with one class there is nothing to tell
        raise SettingError(
            f"steps {scheme!r}: there are {len(names)} classes; the first step needs two, and each other one a class"
        )
    step = np.searchsorted(ends, labels, side="right").astype(np.int32)
    called = []
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        own = names[start:end]
        called.append(" ".join(own) if len(own) <= 5 else f"{own[0]} to {own[-1]}")  # noqa: PLR2004 - fits a table
    return np.where(step < len(ends), step, NOWHERE).astype(np.int32), tuple(called)


def _by_group(scheme: str, wanted: Sequence[str], groups: NDArray[np.str_] | None) -> NDArray[np.int32]:
    if groups is None:
        raise SettingError(f"steps {scheme!r}: the data set does not say of which group a sample is")
    known = sorted({str(group) for group in np.unique(groups)})
    for name in wanted:
        if name not in known:
            raise SettingError(f"steps {scheme!r}: there is no group {name!r}; there are: {', '.join(known)}")
    step = np.full(len(groups), NOWHERE, np.int32)
    for position, name in enumerate(wanted):
        step[groups == name] = position
    return step


def _check_styles(scheme: str, wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in STYLES:
            raise SettingError(f"steps {scheme!r}: there is no style {name!r}; there are: {', '.join(STYLES)}")


def _classes(step: NDArray[np.int32], labels: NDArray[np.int32], count: int) -> tuple[tuple[int, ...], ...]:
    known: list[int] = []
    result = []
    for each in range(count):
        known += [int(label) for label in np.unique(labels[step == each]) if label not in known]
        result.append(tuple(known))
    return tuple(result)
