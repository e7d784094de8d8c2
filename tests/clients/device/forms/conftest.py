"""Forms that are filled with real digits, and photographed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.forms import layout, sheets
from handfed.clients.device.forms.code import Page
from handfed.shared.datasets import Dataset
from handfed.simulations.benchmarks.filled_forms import (
    STYLES,
    Filled,
    Photographed,
    Picture,
    Style,
    fill,
    photograph,
    printed,
)

PEN = Style("flat", (1700, 1700), turn=0.5)
DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Form:
    """A filled page with the truth about it."""

    page: Page
    paper: Picture
    filled: Filled

    def photograph(self, style: Style = PEN, seed: int = 0) -> Photographed:
        return photograph(self.filled.picture, style, np.random.default_rng(seed))

    def written(self) -> dict[int, str]:
        """The label of each box that is written well, by its place."""
        return {
            box: label
            for box, (label, fate) in enumerate(zip(self.page.prompts(), self.filled.fates, strict=True))
            if fate == "written"
        }


def page_of(writer: str = "Zoë Müller", *, paper: str = "a4", repeat: int = 3, seed: int = 1) -> Page:
    kind = layout.KINDS["characters"]
    return sheets.deal(DIGITS, repeat=repeat, writer=writer, paper=layout.PAPERS[paper], kind=kind, seed=seed)[0]


MakeForm = Callable[..., Form]


@pytest.fixture(scope="session")
def form(digits: Dataset) -> MakeForm:
    """Makes a form and fills it: `page_of`'s arguments, and `hand` for other handwriting on the same form."""

    def make(*, hand: int = 0, style: Style = PEN, **of: object) -> Form:
        page = page_of(**of)  # type: ignore[arg-type]
        (paper,) = printed([page])
        return Form(page, paper, fill(paper, page, digits, style, np.random.default_rng(hand)))

    return make


@pytest.fixture(scope="session")
def photographed(form: MakeForm, tmp_path_factory: pytest.TempPathFactory) -> tuple[Form, Path]:
    """A form and its photograph by a telephone, with a deep shadow."""
    made = form(repeat=12)
    file = tmp_path_factory.mktemp("photographs") / "IMG_1.jpg"
    file.write_bytes(made.photograph(STYLES[3], seed=4).file)
    return made, file
