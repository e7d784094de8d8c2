"""Whole channels are left out, and what stays is the model without them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from handfed.shared.errors import SettingError
from handfed.shared.recognisers import FAMILIES
from handfed.shared.tf import recognisers
from handfed.shared.tf.pruning import prune
from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.variables import NamedVariables
from handfed.shared.wire import Role

PRUNABLE = [name for name, family in FAMILIES.items() if family.prunable]
HEIGHT = 32


def batch(name: str) -> np.ndarray:
    shape = (2, HEIGHT, 48, 1) if FAMILIES[name].columns else (2, 28, 28, 1)
    return np.random.default_rng(0).random(shape, np.float32)


def random_state(variables: NamedVariables) -> dict[str, np.ndarray]:
    """Every array drawn anew, so that none is of zeros or ones; moments of a variance near 1."""
    rng = np.random.default_rng(1)
    state = {name: array + 0.3 * rng.normal(size=array.shape) for name, array in variables.dump().items()}
    means, seconds = (variables.schema.names(role) for role in (Role.MEAN, Role.SECOND_MOMENT))
    for mean, second in zip(means, seconds, strict=True):
        state[second] = np.square(state[mean]) + rng.uniform(0.5, 1.5, state[mean].shape)
    return {name: array.astype(np.float32) for name, array in state.items()}


@pytest.mark.parametrize("name", PRUNABLE)
def test_channels_that_say_nothing_are_left_out_and_the_model_says_the_same(name: str) -> None:
    """The channels that the narrow model lacks are made to be 0 in the wide one; then both must be one function."""
    wide, narrow = (recognisers.build(name, 10, HEIGHT, pruning=pruning) for pruning in (0.0, 0.3))
    variables, smaller = NamedVariables(wide), NamedVariables(narrow)
    state = random_state(variables)
    for array_name, of_narrow in smaller.dump().items():
        layer, kind = array_name.split("/")
        # Zero from the end, the same for all that are added up: filters, and what normalisation makes of them.
        if kind in {"gamma", "beta"} or (kind in {"kernel", "bias"} and layer != "logits"):
            state[array_name][..., of_narrow.shape[-1] :] = 0
    variables.load(state)
    left = prune(wide, narrow, state)
    smaller.schema.check(smaller.schema.pack(left))
    smaller.load(left)
    assert smaller.schema.names() == variables.schema.names()
    expected = np.asarray(wide(batch(name)))
    # Sums in another order: what they differ by goes with the largest logits, and those that cancel out have as much.
    np.testing.assert_allclose(narrow(batch(name)), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", PRUNABLE)
def test_a_family_loses_about_the_fraction_of_its_channels(name: str) -> None:
    wide, narrow = (recognisers.build(name, 10, HEIGHT, pruning=pruning) for pruning in (0.0, 0.5))
    assert narrow.count_params() < 0.6 * wide.count_params()
    same = recognisers.build(name, 10, HEIGHT)
    assert prune(wide, same, NamedVariables(wide).dump()).keys() == NamedVariables(same).dump().keys()


def test_of_filters_those_of_the_least_norm_after_normalisation_are_left_out() -> None:
    wide, narrow = (recognisers.build("cnn", 10, pruning=pruning) for pruning in (0.0, 0.5))
    state = NamedVariables(wide).dump()
    state["conv2/kernel"] = np.tile(np.arange(1, 17, dtype=np.float32), (3, 3, 8, 1))
    state["norm2/gamma"] = np.array([-99, *[1] * 14, 0], np.float32)  # lifts the first, drops the last
    left = prune(wide, narrow, state)
    np.testing.assert_array_equal(left["norm2/gamma"], [-99, *[1] * 7])
    np.testing.assert_array_equal(left["conv2/kernel"][0, 0, 0], [1, *range(9, 16)])


@pytest.mark.parametrize(
    ("filters", "pruning", "left"),
    [(8, 0.2, 8), (16, 0.2, 16), (32, 0.2, 24), (192, 0.2, 152), (64, 0.9, 8), (4, 0.5, 4), (7, 0.0, 7)],
)
def test_what_is_kept_is_a_multiple_of_eight_and_no_more_than_there_was(
    filters: int, pruning: float, left: int
) -> None:
    assert blocks.kept(filters, pruning) == left


def test_a_family_that_cannot_be_pruned_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "cnn", dataclasses.replace(FAMILIES["cnn"], prunable=False))
    with pytest.raises(SettingError, match="cannot be pruned"):
        recognisers.build("cnn", 10, pruning=0.2)
