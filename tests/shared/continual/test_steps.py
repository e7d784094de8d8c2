"""Handwriting comes in steps, and an alphabet grows by what they bring."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.continual.steps import NOWHERE, steps_of
from handfed.shared.errors import SettingError

DIGITS = [str(digit) for digit in range(10)]
LABELS = np.arange(100, dtype=np.int32) % 10
GROUPS = np.array(["staff", "student", "guest", "student"] * 25)


def test_classes_come_so_many_at_a_time() -> None:
    steps = steps_of("classes:4", LABELS, DIGITS, None, 0)
    assert steps.names == ("0 1 2 3", "4 5 6 7", "8 9")
    assert steps.classes == (tuple(range(4)), tuple(range(8)), tuple(range(10)))
    np.testing.assert_array_equal(steps.step, LABELS // 4)


def test_what_no_step_brings_is_left_out() -> None:
    steps = steps_of("classes:2,6", LABELS, DIGITS, None, 0)
    assert steps.names == ("0 1", "2 to 7")
    assert set(steps.step[LABELS > 7].tolist()) == {NOWHERE}
    assert len(steps.classes[-1]) == 8


def test_a_group_brings_its_own_classes_behind_those_that_were_there() -> None:
    """Another alphabet: the places of classes follow from when they came, and not from the data set."""
    labels = np.array([3, 4, 0, 1, 3, 2], np.int32)
    groups = np.array(["b", "b", "a", "a", "a", "a"])
    steps = steps_of("groups:b,a", labels, DIGITS, groups, 0)
    assert steps.classes == ((3, 4), (3, 4, 0, 1, 2))
    assert steps.step.tolist() == [0, 0, 1, 1, 1, 1]


def test_groups_that_are_not_named_are_left_out() -> None:
    steps = steps_of("groups:staff,student", LABELS, DIGITS, GROUPS, 0)
    assert set(steps.step[GROUPS == "guest"].tolist()) == {NOWHERE}


@given(st.integers(0, 99))
def test_each_style_gets_a_part_of_its_own(seed: int) -> None:
    steps = steps_of("styles:pen,paper", np.zeros(300, np.int32), DIGITS, None, seed)
    assert steps.names == ("as written", "pen", "paper")
    assert steps.styles == ("", "pen", "paper")
    assert np.bincount(steps.step).min() > 50


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("classes", "write one of classes:K"),
        ("weeks:2", "write one of"),
        ("classes:1", "the first step needs two"),
        ("classes:two", "write whole numbers"),
        ("classes:10", "name two at least"),
        ("classes:5,5,5", "there are 10 classes"),
        ("groups:staff,pupils", "no group 'pupils'; there are: guest, staff, student"),
        ("styles:pencil", "no style 'pencil'"),
    ],
)
def test_a_scheme_that_does_not_fit_says_why(scheme: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        steps_of(scheme, LABELS, DIGITS, GROUPS, 0)


def test_a_data_set_without_groups_has_no_steps_of_groups() -> None:
    with pytest.raises(SettingError, match="does not say of which group"):
        steps_of("groups:a,b", LABELS, DIGITS, None, 0)
