"""Who takes part in a round, of those that are there.

    uniform    every device with the same chance, whatever came before
    fair       who has had the fewest turns, of those who has waited longest, and of those by lot

`fair` is stride scheduling with a ticket each (Waldspurger and Weihl 1995, "Stride Scheduling: Deterministic
Proportional-Share Resource Management", MIT/LCS/TM-528), and what Oort's fairness knob comes to at 1 (Lai et al. 2021,
"Oort: Efficient Federated Learning via Guided Participant Selection", OSDI, arXiv:2010.06081). It holds these rules:

1. A choice is a function of who is there, of the turns so far, of the seed and of the round: a run that is repeated or
   resumed chooses the same devices.
2. A turn counts once a device was asked, whatever came of it: who fails must not be asked in every round.
3. Nobody is ever more than one turn ahead of a device that was always there. So nobody starves, and who was away comes
   up to the others.
4. Who comes later begins with as few turns as anybody has who is there, as a client of that scheduler begins at its
   global pass: rounds are not made of newcomers alone until they have caught up with a past that they had no part in.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Turns:
    """What a device has had of a run.

    Attributes:
        taken: Rounds that asked it, beside those that it was given when it came later.
        last: The last of them; 0 for none.
    """

    taken: int = 0
    last: int = 0


def uniform(present: Collection[int], count: int, *, seed: int, number: int) -> tuple[int, ...]:
    """Devices of a round, each with the same chance.

    Args:
        present: Node ids of the devices that are there.
        count: How many to choose, at most.
        seed: Of the run.
        number: The round.

    Returns:
        Their node ids, ascending.
    """
    lots = random.Random(f"{seed}/{number}")  # noqa: S311 - a choice that can be repeated, and no secret
    return tuple(sorted(lots.sample(sorted(present), min(count, len(present)))))


def fair(
    present: Collection[int], count: int, turns: Mapping[int, Turns], *, seed: int, number: int
) -> tuple[int, ...]:
    """Devices of a round, those with the fewest turns first.

    Args:
        present: Node ids of the devices that are there.
        count: How many to choose, at most.
        turns: What each has had; who is not in it has come later, or nobody had a turn yet.
        seed: Of the run.
        number: The round.

    Returns:
        Their node ids, ascending.
    """
    newcomer = Turns(_fewest(present, turns))
    lots = random.Random(f"{seed}/{number}/fair")  # noqa: S311 - a choice that can be repeated, and no secret
    order = sorted(present)
    lots.shuffle(order)
    order.sort(key=lambda device: _rank(turns.get(device, newcomer)))  # stable: among equals, the lots decide
    return tuple(sorted(order[:count]))


def counted(
    turns: Mapping[int, Turns], present: Collection[int], asked: Collection[int], number: int
) -> dict[int, Turns]:
    """The turns after a round.

    Args:
        turns: Those before it.
        present: Node ids of the devices that were there.
        asked: Node ids of those that it asked, all of them present.
        number: The round.
    """
    newcomer = Turns(_fewest(present, turns))
    before = {**dict.fromkeys(present, newcomer), **turns}
    return {**before, **{device: Turns(before[device].taken + 1, number) for device in asked}}


def _fewest(present: Collection[int], turns: Mapping[int, Turns]) -> int:
    return min((turns[device].taken for device in present if device in turns), default=0)


def _rank(turns: Turns) -> tuple[int, int]:
    return turns.taken, turns.last
