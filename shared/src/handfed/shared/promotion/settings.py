"""What promotion is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final, Self

from handfed.shared.errors import SettingError

_RANGES: Final[dict[str, tuple[float, float]]] = {
    "margin": (0.0001, 0.2),
    "error_rate": (1e-6, 0.1),
    "most_pairs": (1, 1_000_000),
    "distrusted_devices": (0, 1000),
    "least_coverage": (0.0, 1.0),
    "stage_s": (0.0, 1e7),
    "least_healthy": (0, 100_000),
    "least_healthy_share": (0.0, 1.0),
    "most_unhealthy_share": (0.0, 1.0),
}


@dataclass(frozen=True)
class PromotionSettings:
    """What promotion is measured by.

    Attributes:
        margin: How much less accurate than the champion a release may be, as a fraction; 0.0001 to 0.2.
        error_rate: Probability, at most, of promoting a candidate that is worse by the margin or more, however often
            one looks; and of sending one back that is not. 1e-6 to 0.1.
        most_pairs: What one device's readings weigh at most, in samples; 1 to 1,000,000.
        distrusted_devices: How many devices may lie, together, and decide nothing; 0 to 1000.
        least_coverage: Fraction of the expected readings without which nothing is promoted; 0 to 1.
        percents: Of the devices, step by step; rising, each 1 to 100, the last one 100.
        stage_s: Seconds that each step but the last takes at least; 0 to 1e7.
        least_healthy: Devices that must have said at a step that all is well, where so many are asked; 0 to 100,000.
        least_healthy_share: The same as a fraction of the devices that are asked; 0 to 1.
        most_unhealthy_share: Fraction of the devices heard of, above which a release goes back; 0 to 1.

    Raises:
        SettingError: One is out of its range.
    """

    margin: float = 0.003
    error_rate: float = 0.01
    most_pairs: int = 1000
    distrusted_devices: int = 1
    least_coverage: float = 0.25
    percents: tuple[int, ...] = (5, 25, 100)
    stage_s: float = 86_400.0
    least_healthy: int = 3
    least_healthy_share: float = 0.5
    most_unhealthy_share: float = 0.05

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Settings by name; what is absent has its default, and whole numbers serve as fractions.

        Raises:
            SettingError: One is unknown, of the wrong type, or out of its range.
        """
        kinds = {each.name: type(each.default) for each in fields(cls)}
        chosen: dict[str, Any] = {}
        for name, value in values.items():
            if name not in kinds:
                raise SettingError(f"promotion has no setting {name}; there are {', '.join(kinds)}")
            kind = kinds[name]
            if kind is tuple and isinstance(value, list) and all(type(each) is int for each in value):
                chosen[name] = tuple(value)
            elif type(value) is kind or (kind is float and type(value) is int):
                chosen[name] = kind(value)
            else:
                wanted = "a list of whole numbers" if kind is tuple else kind.__name__
                raise SettingError(f"promotion: {name} is {value!r} and not {wanted}")
        return cls(**chosen)

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:  # nor is NaN
                raise SettingError(f"promotion: {name} {value} lies outside {least:g} to {most:g}")
        rising = all(earlier < later for earlier, later in pairwise((0, *self.percents)))
        if not rising or self.percents[-1:] != (100,):
            raise SettingError(f"promotion: percents {self.percents} must rise from above 0 to 100")
