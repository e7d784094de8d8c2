"""What `handfed doctor` and `handfed device doctor` find: a check is a value, and the whole is as good as its worst.

`--json` prints `{"outcome": "ok", "checks": [{"name", "outcome", "found", "mend"}, ...]}`. The exit status is 0 where
nothing failed, and 1 otherwise: a warning is something to see to before it fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from handfed.shared.errors import HandfedError
from handfed.shared.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

# A message says what was wrong, then a colon or semicolon, then what to do.
_TURN: Final = re.compile(r"^(.*)[:;] (.*)$", re.DOTALL)


class Outcome(StrEnum):
    """How a check went, from best to worst."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"

    @property
    def rank(self) -> int:
        """0 for the best."""
        return list(Outcome).index(self)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in a word or two.
        outcome: How it went.
        found: What was found.
        mend: What to do about it; empty where all is well.
    """

    name: str
    outcome: Outcome
    found: str
    mend: str = ""

    @classmethod
    def ok(cls, name: str, found: str) -> Self:
        """All is well."""
        return cls(name, Outcome.OK, found)

    @classmethod
    def warning(cls, name: str, found: str, mend: str) -> Self:
        """It works, and may not for long."""
        return cls(name, Outcome.WARNING, found, mend)

    @classmethod
    def failure(cls, name: str, found: str, mend: str) -> Self:
        """It does not work."""
        return cls(name, Outcome.FAILURE, found, mend)

    @classmethod
    def of_error(cls, name: str, error: HandfedError) -> Self:
        """A failure in the words of an error."""
        parts = _TURN.match(str(error))
        found, mend = parts.groups() if parts else (str(error), "see the message")
        return cls(name, Outcome.FAILURE, found, mend)


def look(name: str, check: Callable[[], Check]) -> Check:
    """Makes a check; an error of ours that it raises is what was found."""
    try:
        return check()
    except HandfedError as error:
        return Check.of_error(name, error)


def worst(checks: Iterable[Check]) -> Outcome:
    """The worst outcome; of no checks, the best."""
    return max((check.outcome for check in checks), key=lambda outcome: outcome.rank, default=Outcome.OK)


def exit_status(checks: Iterable[Check]) -> int:
    """0 where nothing failed, 1 otherwise."""
    return int(worst(checks) is Outcome.FAILURE)


def as_json(checks: Sequence[Check]) -> dict[str, Any]:
    """The JSON object."""
    return {"outcome": worst(checks).value, "checks": [asdict(check) for check in checks]}


def print_checks(to: Console, checks: Sequence[Check]) -> None:
    """A line for each check, and below what is not well, how to mend it."""
    from rich.text import Text

    ascii_only = to.options.ascii_only
    signs = {
        Outcome.OK: ("ok" if ascii_only else "✓", "green"),
        Outcome.WARNING: ("!", "yellow"),
        Outcome.FAILURE: ("x" if ascii_only else "✗", "bold red"),
    }
    width = max((len(check.name) for check in checks), default=0)
    for check in checks:
        sign, style = signs[check.outcome]
        name = Text(f" {printable(check.name):{width}}  ", style="bold" if check.outcome is Outcome.FAILURE else "")
        to.print(Text(f"{sign:2}", style=style) + name + Text(printable(check.found)), soft_wrap=True)
        if check.mend:
            to.print(Text(f"{'':{width + 5}}to mend: {printable(check.mend)}", style=style), soft_wrap=True)
    counts = [sum(check.outcome is outcome for check in checks) for outcome in Outcome]
    to.print(Text(f"{counts[0]} well, {counts[1]} to see to, {counts[2]} failed", style="dim"))
