"""A device that watches pulls again and again, not all at once with others, and only when it may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from handfed.clients.device.hours import Hours
from handfed.clients.edge.conditions import Conditions
from handfed.clients.edge.watch import Surroundings, watch
from handfed.shared.errors import SettingError, UpdateError

HOUR = 3600.0
ALWAYS = Conditions(on_mains=False, unmetered=False)
NOON = datetime(2026, 1, 1, 12, 0).astimezone()


class World:
    """Counts waits and ends after so many; chance is always the same."""

    def __init__(self, waits: int, chance: float = 0.5) -> None:
        self.left, self.chance = waits, chance
        self.waited: list[float] = []
        self.said: list[str] = []

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.left -= 1
        return self.left < 0

    def around(self) -> Surroundings:
        return Surroundings(lambda: NOON, lambda: self.chance, self.wait, self.said.append)


def failing(times: int) -> Callable[[], str]:
    left = [times]

    def pull() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise UpdateError("no way to the server")
        return "kept"

    return pull


@pytest.mark.parametrize(("chance", "first", "then"), [(0.0, 0.0, 1800.0), (0.5, 1800.0, HOUR), (1.0, HOUR, 5400.0)])
def test_each_wait_has_its_jitter(chance: float, first: float, then: float) -> None:
    world = World(3, chance)
    watch(lambda: "kept", ALWAYS, HOUR, world.around())
    assert world.waited == [first, then, then, then]


def test_it_says_only_what_is_new() -> None:
    news = iter(["switched", "kept", "kept", "kept", "switched"])
    world = World(5)
    watch(lambda: next(news), ALWAYS, HOUR, world.around())
    assert world.said == ["switched", "kept", "switched"]


def test_after_failures_it_waits_longer_and_longer_but_never_longer_than_between_pulls() -> None:
    world = World(10)
    watch(failing(8), ALWAYS, HOUR, world.around())
    assert world.waited[1:10] == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, HOUR, HOUR, HOUR]
    assert world.said == ["no way to the server", "kept"]


def test_while_a_condition_does_not_hold_nobody_is_asked_anything() -> None:
    def pull() -> str:
        raise AssertionError

    world = World(3)
    night = Conditions(on_mains=False, unmetered=False, hours=Hours.parse("22:00-06:00"))
    watch(pull, night, HOUR, world.around())
    assert world.said == ["waiting: outside the hours 22:00-06:00"]
    assert world.waited[1:] == [300.0, 300.0, 300.0]


def test_a_wrong_setting_ends_it() -> None:
    def pull() -> str:
        raise SettingError("name one with --task")

    with pytest.raises(SettingError):
        watch(pull, ALWAYS, HOUR, World(3).around())
