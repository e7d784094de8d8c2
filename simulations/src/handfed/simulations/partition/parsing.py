"""Partition schemes as they are written on a command line: a name, and for some a colon and a parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Final

from handfed.shared.errors import SettingError
from handfed.simulations.partition.classes import Dirichlet, Shards
from handfed.simulations.partition.features import KINDS, Feature
from handfed.simulations.partition.scheme import Scheme
from handfed.simulations.partition.sizes import Iid, Quantity
from handfed.simulations.partition.writers import ByWriter, Schools

SCHEMES: Final = (
    "iid",
    "dirichlet:ALPHA",
    "writer",
    "shards:K",
    "quantity:BETA",
    "schools:N",
    "feature:STYLE",
)
_CONCENTRATIONS: Final = (1e-3, 1e6)  # beyond these float64 knows only "one device" and "equal shares"
_MOST_COUNTED: Final = 1_000_000


def parse_scheme(scheme: str) -> Scheme:
    """The scheme that a text names.

    Args:
        scheme: One of `SCHEMES`, with a figure or a style in place of its capitals.

    Raises:
        SettingError: There is no such scheme, or its parameter is missing, of another kind, or out of its range.
    """
    name, colon, parameter = scheme.partition(":")
    if name not in _PARSERS:
        near = get_close_matches(name, _PARSERS, n=1)
        suggestion = f"; did you mean {_written(near[0])!r}" if near else ""
        raise SettingError(f"partition {scheme!r} is unknown{suggestion}; known: {', '.join(SCHEMES)}")
    if ":" not in _written(name) and colon:
        raise SettingError(f"partition {scheme!r}: {name!r} takes no parameter; write {name!r}")
    return _PARSERS[name](scheme, parameter)


def _written(name: str) -> str:
    return next(each for each in SCHEMES if each.partition(":")[0] == name)


def _dirichlet(scheme: str, parameter: str) -> Scheme:
    return Dirichlet(_concentration(scheme, parameter, "ALPHA", usual="0.3"))


def _quantity(scheme: str, parameter: str) -> Scheme:
    return Quantity(_concentration(scheme, parameter, "BETA", usual="0.5"))


def _shards(scheme: str, parameter: str) -> Scheme:
    return Shards(_count(scheme, parameter, "K", example="shards:2"))


def _schools(scheme: str, parameter: str) -> Scheme:
    return Schools(_count(scheme, parameter, "N", example="schools:8"))


def _feature(scheme: str, parameter: str) -> Scheme:
    for kind in KINDS:
        if parameter == kind:
            return Feature(kind)
    near = get_close_matches(parameter, KINDS, n=1)
    suggestion = f"; did you mean 'feature:{near[0]}'" if near else ""
    raise SettingError(
        f"partition {scheme!r}: STYLE must be one of {', '.join(KINDS)}, as in 'feature:pen'{suggestion}"
    )


def _concentration(scheme: str, text: str, name: str, *, usual: str) -> float:
    """A parameter of a Dirichlet distribution."""
    try:
        value = float(text)
    except ValueError:
        example = f"{scheme.partition(':')[0]}:{usual}"
        raise SettingError(f"partition {scheme!r}: {name} must be a number, as in {example!r}") from None
    least, most = _CONCENTRATIONS
    if not least <= value <= most:  # not true of NaN either
        raise SettingError(f"partition {scheme!r}: {name} must be from {least:g} to {most:g}; {usual} is usual")
    return value


def _count(scheme: str, text: str, name: str, *, example: str) -> int:
    """A number of things."""
    if not (text.isascii() and text.isdecimal()):
        raise SettingError(f"partition {scheme!r}: {name} must be a whole number, as in {example!r}")
    digits = text.lstrip("0")
    if not digits or len(digits) > len(str(_MOST_COUNTED)) or int(digits) > _MOST_COUNTED:
        raise SettingError(f"partition {scheme!r}: {name} must be from 1 to {_MOST_COUNTED}, as in {example!r}")
    return int(digits)


_PARSERS: Final[Mapping[str, Callable[[str, str], Scheme]]] = {
    "iid": lambda _scheme, _parameter: Iid(),
    "dirichlet": _dirichlet,
    "writer": lambda _scheme, _parameter: ByWriter(),
    "shards": _shards,
    "quantity": _quantity,
    "schools": _schools,
    "feature": _feature,
}
