from __future__ import annotations

from handfed.shared.datasets import Dataset
from handfed.simulations.benchmarks.filled_forms import STYLES
from handfed.simulations.benchmarks.forms import Tally, measure


def test_a_page_of_1200_pixels_is_cut_right_and_labelled_right(digits: Dataset) -> None:
    tally = measure(digits, STYLES[4], number=4, pages=1)
    assert (tally.pages, tally.refused, tally.wrong_labels) == (1, 0, 0)
    assert tally.boxes == 130
    assert tally.right >= 0.97 * tally.boxes
    assert 0 < tally.worst_mm < 0.3


def test_tallies_add_up_and_keep_the_worst() -> None:
    total = Tally(pages=1, boxes=10, right=9, worst_mm=0.2) + Tally(pages=1, refused=1, boxes=10, lost=10, worst_mm=0.1)
    assert (total.pages, total.boxes, total.right, total.lost, total.worst_mm) == (2, 20, 9, 10, 0.2)
    assert total.row()[:4] == ["2", "1", "20", "45.00%"]
