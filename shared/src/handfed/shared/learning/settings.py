"""What it is decided by whether to learn anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from handfed.shared.errors import SettingError

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "least_samples": (0, 10_000_000),
    "least_devices": (2, 100_000),
    "least_each": (10, 1_000_000),
    "most_each": (10, 1_000_000),
    "drift_error_rate": (0.0, 0.1),
    "distrusted_devices": (0, 1000),
    "every_days": (0, 366),
    "at_hour": (0, 23),
    "cool_down_s": (0.0, 1e7),
}


@dataclass(frozen=True)
class LearningSettings:
    """What it is decided by whether to learn anew.

    Attributes:
        least_samples: New samples, over all devices, from which on a run is started; 0 for never because of those.
        least_devices: Devices that must have new samples, or tell of drift, for either to count; 2 to 100,000.
        least_each: New samples from which on a device counts as one of those; 10 to 1,000,000.
        most_each: New samples that one device counts for at most; 10 to 1,000,000.
        drift_error_rate: Probability, at most, of finding drift after a run where there is none, however often one
            looks; 0 for never because of drift. 0 to 0.1.
        distrusted_devices: Devices that may lie, together, and make no drift of it; 0 to 1000.
        every_days: Days after which a run is started where there is anything new; 0 for never because of time.
        at_hour: Of the day, in UTC, before which such a run is not started; 0 to 23.
        cool_down_s: Seconds after the end of any run in which none is started, doubled for each run in a row that
            failed; 0 to 1e7.

    Raises:
        SettingError: One is out of its range.
    """

    least_samples: int = 1000
    least_devices: int = 5
    least_each: int = 20
    most_each: int = 1000
    drift_error_rate: float = 0.01
    distrusted_devices: int = 1
    every_days: int = 0
    at_hour: int = 2
    cool_down_s: float = 86_400.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Settings by name; what is absent has its default, and whole numbers serve as fractions.

        Raises:
            SettingError: One is unknown, of the wrong type, or out of its range.
        """
        kinds: dict[str, type] = {each.name: type(each.default) for each in fields(cls)}
        chosen: dict[str, Any] = {}
        for name, value in values.items():
            if name not in kinds:
                raise SettingError(f"learning has no setting {name}; there are {', '.join(kinds)}")
            if type(value) is not kinds[name] and not (kinds[name] is float and type(value) is int):
                raise SettingError(f"learning: {name} is {value!r} and not {kinds[name].__name__}")
            chosen[name] = kinds[name](value)
        return cls(**chosen)

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:  # nor is NaN
                raise SettingError(f"learning: {name} {value} lies outside {least:g} to {most:g}")
