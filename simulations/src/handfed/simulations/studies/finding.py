"""What a study found, as values: tables, a picture's rows, figures with their aims, and all of it as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from handfed.simulations.benchmarks.figures import Figure

Json = dict[str, object]


@dataclass(frozen=True)
class Columns:
    """A table.

    Attributes:
        title: What it shows.
        cells: By heading, a cell a row; the first column names the rows.
    """

    title: str
    cells: dict[str, list[str]]


@dataclass(frozen=True)
class Row:
    """A row of the picture.

    Attributes:
        name: What it is of.
        values: A fraction from 0 to 1 each, by the name of its series; every row has the same series.
    """

    name: str
    values: dict[str, float]


@dataclass(frozen=True)
class Finding:
    """What a study found.

    Attributes:
        name: The study's.
        title: What was studied, in a line.
        setting: With what, in a sentence or two.
        tables: What was measured.
        picture: What the picture shows: accuracies.
        rows: Of the picture, at least one.
        aims: Figures, and what they should come to.
        json: What was measured, for programs; rates are fractions.
    """

    name: str
    title: str
    setting: str
    tables: tuple[Columns, ...]
    picture: str
    rows: tuple[Row, ...]
    aims: tuple[Figure, ...]
    json: Json

    def as_json(self) -> Json:
        """Everything, as `handfed simulate --json` prints it."""
        aims = [
            {"figure": each.what, "measured": each.value, "aim": each.aim, "better": each.better, "met": each.met}
            for each in self.aims
        ]
        return {"study": self.name, **self.json, "aims": aims}

    def aims_table(self) -> Columns:
        """The figures with their aims."""
        return Columns(
            "Aims",
            {
                "figure": [each.what for each in self.aims],
                "measured": [format(each.value, each.form) for each in self.aims],
                "aim": [
                    f"{'at most' if each.better == 'less' else 'at least'} {format(each.aim, each.form)}"
                    for each in self.aims
                ],
                "": ["met" if each.met else "missed" for each in self.aims],
            },
        )
