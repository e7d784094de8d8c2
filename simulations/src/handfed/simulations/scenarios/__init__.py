"""The scenarios that have a name, and finding the one that is meant.

Built-in scenarios are the TOML files of this folder, each called as its file is; `handfed.simulations.scenario` says
what is in one. Numbers stand there and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Final

from handfed.shared.errors import SettingError
from handfed.simulations.scenario import ScenarioFile, parse

PLAIN: Final = "digits"  # what is simulated when nothing says otherwise
_SUFFIX: Final = ".toml"


def names() -> list[str]:
    """The names of the built-in scenarios, sorted."""
    return sorted(each.name.removesuffix(_SUFFIX) for each in files(__name__).iterdir() if each.name.endswith(_SUFFIX))


def built_in() -> list[ScenarioFile]:
    """The built-in scenarios, sorted by name."""
    return [_built_in(name) for name in names()]


def find(reference: str) -> ScenarioFile:
    """A scenario.

    Args:
        reference: A name of `names()`, or the path of a file. A name comes first: write `./name` for a file that is
            called like one.

    Raises:
        SettingError: There is no such scenario, or its file cannot be read or breaks a rule.
    """
    if reference in names():
        return _built_in(reference)
    path = Path(reference)
    if path.suffix == _SUFFIX or _is_file(path):
        return _read(path)
    close = get_close_matches(reference, names(), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise SettingError(
        f"{reference!r} is neither a scenario nor a file; {hint}built in: {', '.join(names())}"
        " (`handfed simulate --list` says what they are)"
    )


def taken_for(*asked: str) -> ScenarioFile:
    """The scenario that is meant when none is named.

    Args:
        asked: Kinds of handwriting and schemes of a partition that are asked for; the first that a scenario is the
            default for decides.

    Returns:
        The one that is the default for just that, or else for schemes of that name, or else `PLAIN`.
    """
    for each in asked:
        for wanted in (each, each.partition(":")[0]):
            for scenario in built_in():
                if wanted in scenario.default_for:
                    return scenario
    return _built_in(PLAIN)


def _built_in(name: str) -> ScenarioFile:
    return parse((files(__name__) / f"{name}{_SUFFIX}").read_text(encoding="utf-8"), name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for a file system
        return False


def _read(path: Path) -> ScenarioFile:
    """Reads a file; a data set that lies beside it is found from anywhere."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise SettingError(f"{path}: cannot be read: {error.strerror}; name a scenario's file") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from error
    found = parse(text, str(path))
    data = found.values.get("data")
    if not isinstance(data, str) or _is_named(data) or not (path.parent / data).exists():
        return found
    return replace(found, values={**found.values, "data": str((path.parent / data).absolute())})


def _is_named(data: str) -> bool:
    from handfed.clients.datasets import named

    return data in named.names()
