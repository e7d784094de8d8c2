from __future__ import annotations

import itertools

import pytest

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.layout import Area
from handfed.shared.errors import SettingError

FORMS = list(itertools.product(layout.PAPERS.values(), layout.KINDS.values()))


def apart(one: Area, two: Area, by: float) -> bool:
    return (
        one.left + one.width + by <= two.left
        or two.left + two.width + by <= one.left
        or one.top + one.height + by <= two.top
        or two.top + two.height + by <= one.top
    )


@pytest.mark.parametrize(("paper", "kind"), FORMS)
def test_nothing_on_a_form_touches_anything_else_or_the_edge_of_the_paper(
    paper: layout.Paper, kind: layout.Kind
) -> None:
    boxes = [
        Area(box.left, box.top - layout.PROMPT_MM, box.width, box.height + layout.PROMPT_MM)
        for box in layout.boxes(paper, kind)
    ]
    things = [*boxes, layout.code_area(paper), *(layout.mark_area(paper, corner) for corner in range(4))]
    assert len(boxes) >= 30
    for one, two in itertools.combinations(things, 2):
        assert apart(one, two, 0.5)
    for thing in things:
        assert thing.left >= layout.MARGIN_MM
        assert thing.top >= layout.MARGIN_MM
        assert thing.left + thing.width <= paper.width - layout.MARGIN_MM + 1e-9
        assert thing.top + thing.height <= paper.height - layout.MARGIN_MM + 1e-9


@pytest.mark.parametrize("paper", layout.PAPERS.values())
def test_the_code_has_the_white_around_it_that_it_needs(paper: layout.Paper) -> None:
    for corner in range(4):
        assert apart(layout.code_area(paper), layout.mark_area(paper, corner), 4.0)


def test_every_mark_stands_for_one_corner_of_one_paper() -> None:
    numbers = [layout.mark_number(paper, corner) for paper in layout.PAPERS.values() for corner in range(4)]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        place = layout.place_of_mark(number)
        assert place is not None
        assert layout.mark_number(*place) == number
    assert layout.place_of_mark(49) is None


def test_layout_1_stays_as_it_was_printed() -> None:
    boxes = {(paper.name, kind.name): layout.boxes(paper, kind) for paper, kind in FORMS}
    assert {form: len(found) for form, found in boxes.items()} == {
        ("a4", "characters"): 144,
        ("a4", "words"): 36,
        ("letter", "characters"): 132,
        ("letter", "words"): 33,
    }
    assert boxes["a4", "characters"][13] == pytest.approx((26.0909, 67.6, 13.0, 13.0), abs=1e-3)
    assert boxes["letter", "words"][-1] == pytest.approx((145.9, 238.6, 60.0, 13.0), abs=1e-3)


def test_unknown_paper_is_refused_by_name() -> None:
    assert layout.paper_called("A4") is layout.PAPERS["a4"]
    with pytest.raises(SettingError, match="choose of a4, letter"):
        layout.paper_called("a3")
