"""Data sets that have a name, because an installed package offers them.

A package offers one through the entry-point group `handfed.datasets`: the entry's name is the data set's, its value
an object that is a `NamedDataset`. Naming and listing one downloads nothing. What is too large for a package may be
downloaded by `load`, when the data set is first used; then its `summary` says so, and how large it is.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from handfed.shared.errors import DatasetError

if TYPE_CHECKING:  # NumPy comes with it, and the command line's start-up has no use for that
    from handfed.shared.datasets import Dataset

GROUP: Final = "handfed.datasets"


@runtime_checkable
class NamedDataset(Protocol):
    """What a package offers: a few words about a data set, and the data set itself on demand."""

    @property
    def name(self) -> str:
        """As on the command line; the same as the entry point's."""

    @property
    def summary(self) -> str:
        """What it is, in a line; also what is downloaded on first use."""

    @property
    def licence(self) -> str:
        """What it may be used under."""

    def load(self) -> Dataset:
        """The data set, read and checked.

        Raises:
            DatasetError: It cannot be downloaded, or is not what it should be.
            MissingExtraError: It needs an optional dependency that is not installed here.
        """


def names() -> list[str]:
    """The names on offer here, sorted; nothing is imported for it."""
    return sorted(entry_points(group=GROUP).names)


def available() -> list[NamedDataset]:
    """The data sets on offer here, sorted by name.

    Raises:
        DatasetError: A package offers something that cannot be imported or is no `NamedDataset`.
    """
    return [load_entry(name) for name in names()]


def load_entry(name: str) -> NamedDataset:
    """What is on offer under one of `names`.

    Raises:
        DatasetError: As `available`.
    """
    (entry, *_) = entry_points(group=GROUP, name=name)
    try:
        offered = entry.load()
    except (ImportError, AttributeError) as error:
        raise DatasetError(f"{_of(entry)} cannot be loaded ({error}); install that package anew") from error
    if not isinstance(offered, NamedDataset) or offered.name != name:
        raise DatasetError(f"{_of(entry)} is not a data set of that name; update or remove that package")
    return offered


def _of(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist else "unknown"
    return f"the data set {entry.name!r} of package {package}"
