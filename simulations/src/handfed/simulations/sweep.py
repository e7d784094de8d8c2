"""A sweep: the same scenario with every combination of some values, one run after another.

    --sweep rounds=20,40 --sweep strategy=fedavg,fedadam      four runs

A key is one of a scenario, of the run's settings or of the faults, spelt as its option. Commas separate values, so a
value that holds one (`class-alpha`) cannot be swept.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from handfed.shared.errors import SettingError
from handfed.shared.run_settings import Value, option
from handfed.simulations.scenario import types_by_name

Swept = dict[str, Value]  # what one run differs in, by field name


def grid(texts: Iterable[str], given: Iterable[str] = ()) -> list[Swept]:
    """Every combination of the values that are swept, in the order of the command line; the last key varies fastest.

    Args:
        texts: Each `KEY=VALUE,VALUE,...`.
        given: Field names that the command line sets once and for all.

    Raises:
        SettingError: A key is unknown, or swept twice, or set and swept; or a value is of another type.
    """
    values: dict[str, Sequence[Value]] = {}
    for text in texts:
        name, found = _parsed(text)
        if name in values or name in set(given):
            other = "swept twice" if name in values else f"both swept and set by --{option(name)}"
            raise SettingError(f"{option(name)} is {other}; choose one")
        values[name] = found
    return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]


def label(swept: Mapping[str, Value]) -> str:
    """What one run differs in, as a person would type it."""
    return ", ".join(f"{option(name)}={_shown(value)}" for name, value in swept.items())


def _parsed(text: str) -> tuple[str, list[Value]]:
    key, equals, rest = text.partition("=")
    types = {option(name): (name, kind) for name, kind in types_by_name().items()}
    if not equals:
        raise SettingError(f"--sweep {text!r}: write KEY=VALUE,VALUE, such as rounds=20,40")
    if key not in types:
        close = get_close_matches(key, types, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "; see the options of `handfed simulate --help`"
        raise SettingError(f"--sweep {text!r}: there is no key {key!r}{hint}")
    name, kind = types[key]
    found = [_value(text, part.strip(), kind) for part in rest.split(",")]
    if len(set(found)) < len(found):
        raise SettingError(f"--sweep {text!r}: a value is there twice")
    return name, found


def _value(text: str, part: str, kind: type[Value]) -> Value:
    if not part:
        raise SettingError(f"--sweep {text!r}: a value is missing")
    if kind is bool:
        if part not in ("true", "false"):
            raise SettingError(f"--sweep {text!r}: {part!r} is neither true nor false")
        return part == "true"
    try:
        return kind(part)
    except ValueError:
        what = "whole number" if kind is int else "number"
        raise SettingError(f"--sweep {text!r}: {part!r} is no {what}") from None


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
