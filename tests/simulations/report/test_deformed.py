"""What a report shows of deformed images."""

from __future__ import annotations

import re

import numpy as np
import pytest

from handfed.simulations.report import drawing, gallery, tables
from handfed.simulations.report.charts import robustness
from handfed.simulations.report.contents import Robustness
from handfed.simulations.robustness import AS_WRITTEN, DEFORMATIONS

NAMES = (AS_WRITTEN, *DEFORMATIONS)
FOUND = Robustness(
    1_000,
    dict(zip(NAMES, [0.98, 0.97, *[0.9] * 9, 0.98, 0.125], strict=True)),
    list(np.arange(13 * 28 * 28).reshape(13, 28, 28).astype(np.uint8)),
)


def test_each_deformation_stands_beside_what_was_written() -> None:
    rows = tables.robustness(FOUND).rows
    assert rows[0] == ("as written", "98.00%", "-")
    assert rows[1] == ("rotation", "97.00%", "\N{MINUS SIGN}1.00")
    assert rows[-1] == ("all together", "12.50%", "\N{MINUS SIGN}85.50")
    assert len(rows) == len(NAMES)


def test_how_sure_the_figures_are_is_said() -> None:
    """Of 1,000 images, Wilson's interval of 125 is the widest: 0.1060 to 0.1470."""
    assert "reach up to 2.1 points either way" in tables.robustness(FOUND).note


def test_bars_are_as_long_as_accuracies() -> None:
    with drawing.style():
        chart = robustness.accuracies(FOUND)
    bars = re.findall(r'<path d="([^"]*)"[^>]*style="fill: var\(--(third|first)\)', chart.svg)
    across = [np.array(re.findall(r"([\d.]+) [\d.]+", box), float) for path, _ in bars for box in path.split("z")[:-1]]
    lengths = [float(np.ptp(each)) for each in across]
    assert [colour for _, colour in bars] == ["third", "first"]
    room = drawing.WIDTH - 104 - 56
    assert lengths == pytest.approx([room * value for value in FOUND.accuracies.values()], abs=0.1)
    assert "98.00% as written; least, 12.50%, under all together." in chart.svg


def test_each_deformation_is_shown_and_told_in_words() -> None:
    tiles = gallery.deformed(FOUND).tiles
    assert len({tile.picture for tile in tiles}) == len(NAMES)
    for tile, name in zip(tiles, NAMES, strict=True):
        assert str(tile.caption).startswith(f"{robustness.in_words(name)}<br><small>")
        assert "<small></small>" not in tile.caption
