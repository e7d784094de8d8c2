"""What was learnt and forgotten follows from which readings were right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from handfed.simulations.continual.findings import Findings, Learnt
from handfed.simulations.continual.page import write_page
from handfed.simulations.continual.table import columns, matrix

STEP = np.array([0] * 10 + [1] * 10, np.int32)
WRITER = np.array([1] * 5 + [2] * 5 + [2] * 5 + [3] * 5, np.int32)
NOTHING = np.zeros((2, 20), bool)


def right(*counts: tuple[int, int]) -> np.ndarray:
    """For each model, how many of the first step and of the second are read right: the first ones."""
    return np.array([[place < a for place in range(10)] + [place < b for place in range(10)] for a, b in counts])


def learnt(method: str, *counts: tuple[int, int], writer: np.ndarray | None = WRITER) -> Learnt:
    return Learnt(method, tuple(range(1, len(counts) + 1)), right(*counts), NOTHING, STEP, writer)


NAIVE, JOINT = learnt("naive", (9, 0), (4, 10)), learnt("joint", (9, 0), (10, 9))
FOUND = Findings(("a < b", "c"), (NAIVE, JOINT), "joint", 3, "model.tflite", right((9, 9))[0])


def test_the_matrix_and_its_figures() -> None:
    np.testing.assert_allclose(NAIVE.matrix, [[0.9, 0.0], [0.4, 1.0]])
    assert NAIVE.retention.average_accuracy == pytest.approx(0.7)
    assert NAIVE.retention.forgetting == pytest.approx(0.5)
    assert NAIVE.so_far() == pytest.approx([0.9, 0.7])


def test_differences_are_paired_over_the_same_images() -> None:
    kept = NAIVE.kept(0)
    assert kept.difference == pytest.approx(-0.5)
    assert kept.low < -0.5 < kept.high < 0
    assert NAIVE.against(JOINT, 0).difference == pytest.approx(-0.6)
    assert NAIVE.against(JOINT, 1).difference == pytest.approx(0.1)


def test_writers_have_forgotten_what_was_once_read_of_their_own() -> None:
    """Writer 1 wrote of the first step alone, 2 of both, 3 of the last, of which nothing can be forgotten yet."""
    found = NAIVE.writers()
    assert found is not None
    assert found["writers"] == 3
    # Of writer 1 the five were right and four are; of writer 2 four were and none are.
    assert found["forgetting_median"] == pytest.approx((0.2 + 0.8) / 2)
    assert found["forgetting_worst_decile"] == pytest.approx(0.8)
    assert learnt("naive", (9, 0), (4, 10), writer=None).writers() is None


def test_the_forward_transfer_is_against_the_untrained_model() -> None:
    untrained = right((2, 3), (2, 3))
    found = Learnt("naive", (1, 2), right((9, 5), (9, 9)), untrained, STEP, None)
    assert found.retention.forward_transfer == pytest.approx(0.5 - 0.3)


def test_everything_stands_in_the_json() -> None:
    found = json.loads(json.dumps(FOUND.as_json()))
    assert found["average_accuracy_int8"] == pytest.approx(0.9)
    assert [each["method"] for each in found["methods"]] == ["naive", "joint"]
    assert found["methods"][0]["matrix"] == [[0.9, 0.0], [0.4, 1.0]]
    assert found["methods"][0]["against_joint"][0]["difference"] == pytest.approx(-0.6)


def test_methods_stand_side_by_side() -> None:
    table = columns(FOUND)
    assert table["average accuracy"] == ["70.00%", "95.00%"]
    assert table["forgetting"] == ["+50.00", "-10.00"]
    assert matrix(FOUND, NAIVE)["a < b"][:2] == ["90.00%", "40.00%"]


def test_the_page_is_whole_and_escapes_what_a_data_set_brings(tmp_path: Path) -> None:
    write_page(tmp_path / "new" / "page.html", FOUND, "handfed simulate")
    page = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert "a &lt; b" in page
    assert "a < b" not in page
    assert page.count("<table>") == 3
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    write_page(tmp_path / "picture.svg", FOUND, "handfed simulate")
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").startswith("<svg ")
