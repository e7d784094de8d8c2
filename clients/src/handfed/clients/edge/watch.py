"""Pulling by itself, again and again: with jitter, so that devices do not come all at once, and only when it may.

Rules:
1. Each wait is drawn anew from half to one and a half times what was asked for; so is the first, up to a whole one.
2. After a failure it waits a minute, then twice as long each time, and never longer than between two pulls.
3. While a condition does not hold, nothing is asked of anybody; it is looked at again every few minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from handfed.clients.edge.conditions import Conditions
from handfed.shared.errors import HandfedError, MissingExtraError, SettingError

_LOOK_AGAIN_S: Final = 300.0
_FIRST_RETRY_S: Final = 60.0


@dataclass(frozen=True)
class Surroundings:
    """What watching needs of the world.

    Attributes:
        clock: Tells the local time.
        draw: A random number from 0 to 1.
        wait: Waits so many seconds; whether it is to end.
        say: Tells people something.
    """

    clock: Callable[[], datetime]
    draw: Callable[[], float]
    wait: Callable[[float], bool]
    say: Callable[[str], None]


def watch(pull: Callable[[], str], conditions: Conditions, every_s: float, world: Surroundings) -> None:
    """Pulls until it is told to end.

    Args:
        pull: Pulls once, and says what came of it.
        conditions: What has to hold for it.
        every_s: Seconds between two pulls, on average.
        world: Clock, chance and terminal.

    Raises:
        SettingError: A setting is wrong; that does not mend itself.
        MissingExtraError: Something is not installed.
    """
    said, failures = "", 0
    pause = every_s * world.draw()
    while not world.wait(pause):
        unmet = conditions.unmet(world.clock())
        if unmet is not None:
            news, pause = f"waiting: {unmet}", _jittered(_LOOK_AGAIN_S, world)
        else:
            try:
                news, failures, pause = pull(), 0, _jittered(every_s, world)
            except (SettingError, MissingExtraError):
                raise
            except HandfedError as error:
                news = f"{error}"
                pause = _jittered(min(every_s, _FIRST_RETRY_S * 2 ** min(failures, 16)), world)
                failures += 1
        if news != said:  # a log of months holds what is new
            world.say(news)
            said = news


def _jittered(seconds: float, world: Surroundings) -> float:
    return seconds * (0.5 + world.draw())
