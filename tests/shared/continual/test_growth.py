"""Outputs that were there stay to the bit, wherever their classes come to stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.continual.growth import grown, outputs_of, positions
from handfed.shared.errors import SettingError

LETTERS = [chr(ord("a") + number) for number in range(12)]


@given(st.permutations(LETTERS), st.integers(1, 12), st.booleans(), st.integers(0, 9))
def test_old_outputs_are_kept_to_the_bit_and_new_ones_begin_untrained(
    after: list[str], known: int, blank: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32)

    before = sorted(after)[:known]
    old = {
        "conv1/kernel": drawn(3, 3, 1, 4),
        "logits/kernel": drawn(5, known + blank),
        "logits/bias": drawn(known + blank),
        "logits/output_range": np.array([-1.0, 1.0], np.float32),
    }
    initial = {"logits/kernel": drawn(5, 12 + blank), "logits/bias": drawn(12 + blank)}
    new = grown(old, before, after, initial, blank=blank)
    assert list(new) == list(old)
    np.testing.assert_array_equal(new["conv1/kernel"], old["conv1/kernel"])
    np.testing.assert_array_equal(new["logits/output_range"], old["logits/output_range"])
    for name in ("logits/kernel", "logits/bias"):
        for place, letter in enumerate(after):
            expected = old[name][..., before.index(letter)] if letter in before else initial[name][..., place]
            np.testing.assert_array_equal(new[name][..., place], expected)
        if blank:
            np.testing.assert_array_equal(new[name][..., -1], old[name][..., -1])


def test_growing_leaves_what_it_was_given_alone() -> None:
    initial = {"logits/kernel": np.zeros((2, 3), np.float32), "logits/bias": np.zeros(3, np.float32)}
    old = {"logits/kernel": np.ones((2, 2), np.float32), "logits/bias": np.ones(2, np.float32)}
    grown(old, ["a", "b"], ["a", "b", "c"], initial, blank=False)
    assert not initial["logits/kernel"].any()


def test_an_alphabet_loses_no_class() -> None:
    with pytest.raises(SettingError, match="the new alphabet lacks b"):
        positions(["a", "b"], ["a", "c", "d"])


def test_the_blank_is_last_before_and_after() -> None:
    assert outputs_of(["a", "c"], ["a", "b", "c"], blank=True) == [0, 2, 3]
