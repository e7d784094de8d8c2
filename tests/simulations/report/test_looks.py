"""What the pictures and the style sheet must hold for the page to be readable."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.simulations.report import drawing
from handfed.simulations.report.charts import rounds


def colours() -> dict[str, dict[str, str]]:
    """The style sheet's colours by scheme and name."""
    sheet = resources.files("handfed.simulations.report").joinpath("templates", "report.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, flags=re.DOTALL)
    found = [dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", part)) for part in (light, dark)]
    return dict(zip(("light", "dark"), found, strict=True))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: contrast ratio of two sRGB colours, 1 to 21."""

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def drawn() -> str:
    with drawing.style():
        figure = drawing.figure(100)
        axes = drawing.axes(figure)
        axes.set_xticks([0, 1], [drawing.token(0), drawing.token(1)])
        drawing.cells(axes, np.array([[0.0, 0.01, 1.0]]), colour=drawing.BAD)
        return drawing.embed(figure, name="x", title="T & t", description="<d>", texts=["\u0628", "<b>"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("role", "least"), [("ink", 7), ("soft", 4.5), ("good", 4.5), ("bad", 4.5)])
def test_text_stands_out_in_both_schemes(scheme: str, role: str, least: float) -> None:
    named = colours()[scheme]
    assert contrast(named[role], named["card"]) >= least
    assert contrast(named[role], named["page"]) >= least


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("role", ["first", "second", "third"])
def test_lines_stand_out_in_both_schemes(scheme: str, role: str) -> None:
    named = colours()[scheme]
    assert contrast(named[role], named["card"]) >= 3


def test_both_schemes_have_every_colour_that_pictures_use() -> None:
    used = {variable.removeprefix("var(--").removesuffix(")") for variable in drawing.VARIABLES.values()}
    for named in colours().values():
        assert used <= set(named)


def test_texts_are_put_in_after_drawing_and_escaped() -> None:
    svg = drawn()
    assert ">\u0628</text>" in svg
    assert ">&lt;b&gt;</text>" in svg
    assert '<title id="x-title">T &amp; t</title>' in svg
    assert "@0@" not in svg


def test_a_cell_of_no_strength_is_not_drawn() -> None:
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="fill: var\(--bad\)', drawn())
    assert [path.count("z") for path in paths] == [1, 1]


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_accuracy_is_drawn_no_lower(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert rounds.stretched(low) <= rounds.stretched(high)


def test_accuracies_near_the_target_are_drawn_far_apart() -> None:
    near = rounds.stretched(0.995) - rounds.stretched(0.99)
    far = rounds.stretched(0.605) - rounds.stretched(0.6)
    assert near > 20 * far
