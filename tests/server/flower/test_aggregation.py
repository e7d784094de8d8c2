"""Statistics and ranges are combined by rules of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.server.flower.aggregation import combine, weighted_mean
from handfed.shared.wire import ArraySpec, Role, Schema, second_moment, variance

SCHEMA = Schema(
    (
        ArraySpec("mean", (1,), Role.MEAN),
        ArraySpec("second", (1,), Role.SECOND_MOMENT),
        ArraySpec("range", (2,), Role.RANGE),
    )
)


def f32(values: object) -> NDArray[np.float32]:
    return np.array(values, np.float32)


samples = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30)


@given(st.lists(samples, min_size=1, max_size=6))
def test_the_combined_variance_is_that_of_all_samples_together(devices: list[list[float]]) -> None:
    """The law of total variance; the mean of variances would miss how devices differ."""
    updates = []
    for values in devices:
        mean, spread = f32([np.mean(values)]), f32([np.var(values)])
        updates.append(SCHEMA.pack({"mean": mean, "second": second_moment(mean, spread), "range": f32([0, 1])}))
    combined = SCHEMA.unpack(combine(updates, [len(values) for values in devices], SCHEMA))
    everything = np.concatenate([np.array(values, np.float64) for values in devices])
    np.testing.assert_allclose(combined["mean"], [everything.mean()], atol=1e-4)
    np.testing.assert_allclose(variance(combined["mean"], combined["second"]), [everything.var()], atol=1e-3)


def test_one_device_cannot_stretch_a_range() -> None:
    honest, liar = f32([0, 1, 0, 6]), f32([0, 1, 0, 6e6])
    np.testing.assert_array_equal(combine([*[honest] * 4, liar], [10] * 5, SCHEMA), honest)
    assert combine([*[honest] * 4, liar], [10] * 5, SCHEMA, by_sums=True)[-1] == pytest.approx(4.8 + 1.2e6)


def test_a_mean_weighs_by_samples() -> None:
    assert weighted_mean([f32([0]), f32([10])], [9, 1])[0] == np.float32(1)


@given(st.permutations(range(4)))
def test_a_median_and_a_mean_do_not_depend_on_who_is_first(order: list[int]) -> None:
    updates = [f32([i, i * i + 1, -i, i]) for i in range(4)]
    combined = combine([updates[i] for i in order], [i + 1 for i in order], SCHEMA)
    reference = combine(updates, [1, 2, 3, 4], SCHEMA)
    np.testing.assert_allclose(combined, reference, rtol=1e-6)


def test_weights_are_left_to_the_strategy() -> None:
    whole = Schema((ArraySpec("kernel", (2,), Role.WEIGHT), *SCHEMA.specs))
    np.testing.assert_array_equal(combine([f32([7, 8, 0, 1, 0, 6])], [1], whole), [0, 1, 0, 6])
