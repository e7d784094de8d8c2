"""Figures and names as people read them: percentages, sizes, spans of numbers, times on their own clock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from handfed.shared.printable import printable

_MOST_SPANS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_UNKNOWN = "-"


def spans(numbers: Sequence[int]) -> str:
    """Names numbers in order, those that follow one another as a span: 1-3, 7.

    Args:
        numbers: Any numbers, in any order; of very many, the last ones are named.
    """
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    named = [str(first) if first == last else f"{first}-{last}" for first, last in found]
    return ", ".join(["…", *named[-_MOST_SPANS:]] if len(named) > _MOST_SPANS else named)


def percent(fraction: float | None) -> str:
    """A fraction as a percentage with two decimals, what 10,000 held-out images can tell apart."""
    return _UNKNOWN if fraction is None else f"{fraction:.2%}"


def decimals(figure: float | None, places: int) -> str:
    """A figure with a fixed number of decimals."""
    return _UNKNOWN if figure is None else f"{figure:.{places}f}"


def megabytes(size_bytes: int) -> str:
    """A size in MB (10**6 bytes), or in kB where that would show as nothing."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"  # noqa: PLR2004


def moment(time: datetime | None) -> str:
    """A time to the minute, on this machine's clock."""
    return _UNKNOWN if time is None else f"{time.astimezone():%Y-%m-%d %H:%M}"


def bar(fraction: float | None, width: int, *, ascii_only: bool) -> str:
    """A bar of `width` characters that is full at 1.

    Args:
        fraction: 0 to 1; what lies beyond is drawn as 0 or 1.
        width: Characters of a full bar.
        ascii_only: Whether the terminal lacks block characters.
    """
    filled = min(max(fraction or 0.0, 0.0), 1.0) * width
    if ascii_only:
        return "#" * round(filled)
    eighths = round(filled * 8)
    return _EIGHTHS[8] * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def entries(document: Mapping[str, object], within: str = "") -> Iterator[tuple[str, str]]:
    """The entries of a JSON object, nested ones by dotted name, each with its value on one line."""
    for key, value in document.items():
        name = f"{within}{printable(key)}"
        if isinstance(value, Mapping) and value:
            yield from entries(value, f"{name}.")
        else:
            yield name, _value(key, value)


def _value(key: str, value: object) -> str:
    if isinstance(value, float):
        return percent(value) if key.startswith("accuracy") else f"{value:.6g}"
    if isinstance(value, str):
        return " ".join(printable(value).split())
    return _UNKNOWN if value is None else printable(json.dumps(value, ensure_ascii=False))
