"""Faults on purpose: which devices of a simulation fail or lie, and how.

A fault is a fraction of the devices (those that lie do so in every round) or of a round's answers (dropouts and
stragglers are drawn anew each round). Faults befall training alone, on the wire, outside of the device's own code. Who
lies and who drops out follows from the seed. Kinds and their sources:

    dropouts        never answer
    stragglers      train, and answer after the deadline (Bonawitz et al. 2019, arXiv:1902.01046)
    nan             send weights that are not finite
    scaled          send an update ten times as far (model replacement, Bagdasaryan et al. 2020, arXiv:1807.00459)
    sign_flipped    send the update backwards (Li et al. 2019, arXiv:1811.03761)
    label_flipped   train on labels that are all one class further (Tolpegin et al. 2020, arXiv:2007.08432)
    stale           send an update made from the arrays of the last round they took part in
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, Literal

from handfed.shared.errors import SettingError

Lie = Literal["nan", "scaled", "sign_flipped", "label_flipped", "stale"]
LIES: Final[tuple[Lie, ...]] = ("nan", "scaled", "sign_flipped", "label_flipped", "stale")


def _fault(meaning: str) -> Any:  # noqa: ANN401 - dataclasses.field claims the type of its default
    return dataclasses.field(default=0.0, metadata={"help": meaning, "least": 0.0, "most": 1.0, "choices": ()})


@dataclass(frozen=True)
class Faults:
    """Fractions, 0 to 1; all 0 is a federation in which everything goes well."""

    dropouts: float = _fault("Fraction of a round's devices that never answer.")
    stragglers: float = _fault("Fraction of a round's devices that answer after the deadline.")
    nan: float = _fault("Fraction of the devices that send what is not finite.")
    scaled: float = _fault("Fraction of the devices that send updates ten times as far.")
    sign_flipped: float = _fault("Fraction of the devices that send updates backwards.")
    label_flipped: float = _fault("Fraction of the devices that train on labels one class further.")
    stale: float = _fault("Fraction of the devices that send updates of old arrays.")

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= 1:  # not true of NaN either
                raise SettingError(f"{field.name.replace('_', '-')} is {value}; it is a fraction from 0 to 1")
        for what, total in (
            ("the devices that lie", self.lying),
            ("dropouts and stragglers", self.dropouts + self.stragglers),
        ):
            if total > 1:
                raise SettingError(f"{what} are {total:g} of all together; that is at most 1")

    @property
    def lying(self) -> float:
        """Fraction of the devices that lie in every round, in any way."""
        return float(sum(getattr(self, lie) for lie in LIES))

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


@cache
def liars(faults: Faults, devices: int, seed: int) -> Mapping[int, Lie]:
    """Which devices lie, and how.

    Args:
        faults: How many of each kind, as fractions; each rounded half up.
        devices: How many devices there are.
        seed: Another seed makes others lie.

    Returns:
        By device, counted from 0.
    """
    order = random.Random(f"liars/{seed}").sample(range(devices), devices)  # noqa: S311 - no secret
    found: dict[int, Lie] = {}
    for lie in LIES:
        for _ in range(int(getattr(faults, lie) * devices + 0.5)):
            if order:
                found[order.pop()] = lie
    return found
