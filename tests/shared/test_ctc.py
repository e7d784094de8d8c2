"""Decoding of CTC."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared import ctc

CLASSES = 4
BLANK = CLASSES


def path(*classes: int) -> np.ndarray:
    """Logits (1, steps, classes + 1) whose most probable classes are these."""
    return np.eye(CLASSES + 1, dtype=np.float32)[None, list(classes)]


def read(*classes: int, steps: int | None = None) -> list[int]:
    return ctc.best_path(path(*classes), np.array([len(classes) if steps is None else steps]))[0]


def test_repeats_are_merged_and_blanks_left_out() -> None:
    assert read(1, 1, BLANK, 2, 2, 2, BLANK, BLANK) == [1, 2]


def test_a_blank_between_keeps_a_double_letter() -> None:
    assert read(3, BLANK, 3) == [3, 3]
    assert read(3, 3) == [3]


def test_what_comes_after_the_last_step_of_a_text_counts_nothing() -> None:
    assert read(1, BLANK, 2, steps=2) == [1]
    assert read(1, BLANK, 2, steps=0) == []


@given(st.lists(st.integers(0, CLASSES - 1), max_size=12), st.data())
def test_every_text_is_read_back_from_any_path_that_says_it(text: list[int], data: st.DataObject) -> None:
    steps: list[int] = []
    for place, label in enumerate(text):
        doubled = place > 0 and text[place - 1] == label
        steps += [BLANK] * data.draw(st.integers(int(doubled), 2))
        steps += [label] * data.draw(st.integers(1, 3))
    steps.append(BLANK)
    assert read(*steps) == text
