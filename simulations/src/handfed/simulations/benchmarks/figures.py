"""Figures with their aims, as a table: what was measured, what it should be, and whether it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """A figure that was measured.

    Attributes:
        what: What it says, with its unit.
        value: The figure.
        aim: What it should come to.
        better: Whether less or more is better.
        form: How both numbers are written, as `format` takes it.
    """

    what: str
    value: float
    aim: float
    better: Literal["less", "more"]
    form: str = ".2f"

    @property
    def met(self) -> bool:
        """Whether it comes to its aim."""
        return self.value <= self.aim if self.better == "less" else self.value >= self.aim


def figures_table(figures: Sequence[Figure], *, caption: str) -> Table:
    """Figures, their aims, and whether they are met.

    Args:
        figures: In the order of the rows.
        caption: How they were taken.
    """
    table = Table("figure", "measured", "aim", "", caption=caption)
    for each in figures:
        bound = "at most" if each.better == "less" else "at least"
        value, aim = (format(number, each.form) for number in (each.value, each.aim))
        table.add_row(each.what, value, f"{bound} {aim}", "met" if each.met else "missed")
    return table
