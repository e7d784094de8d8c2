"""What a recogniser of characters may see beside the ink, by name; `handfed.shared.planes` makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handfed.shared.errors import SettingError

CHANNELS: Final = {"topology": 2, "size": 1, "pen": 3}  # planes of each kind
FROM_STROKES: Final = frozenset({"size", "pen"})  # kinds that need the strokes of a pen


def parse(inputs: str) -> tuple[str, ...]:
    """The kinds of planes that a setting names.

    Args:
        inputs: Kinds, parted by commas; empty for the ink alone.

    Raises:
        SettingError: There is no such kind, or one is named twice.
    """
    kinds = tuple(kind.strip() for kind in inputs.split(",") if kind.strip())
    for kind in kinds:
        if kind not in CHANNELS:
            raise SettingError(f"inputs {inputs!r}: there is no {kind!r}; choose of {', '.join(CHANNELS)}")
    if len(set(kinds)) < len(kinds):
        raise SettingError(f"inputs {inputs!r} names a kind twice")
    return kinds


def channels(kinds: Sequence[str]) -> int:
    """How many planes a recogniser sees, the ink's among them."""
    return 1 + sum(CHANNELS[kind] for kind in kinds)


def of_strokes(kinds: Sequence[str]) -> list[bool]:
    """Of each plane, the ink's first, whether it needs the strokes of a pen."""
    return [False, *(kind in FROM_STROKES for kind in kinds for _ in range(CHANNELS[kind]))]
