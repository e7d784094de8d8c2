"""Statistics and ranges are combined by rules of their own."""

from __future__ import annotations

import numpy as np
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
        updates.append({"mean": mean, "second": second_moment(mean, spread), "range": f32([0, 1])})
    combined = combine(updates, [len(values) for values in devices], SCHEMA)
    everything = np.concatenate([np.array(values, np.float64) for values in devices])
    np.testing.assert_allclose(combined["mean"], [everything.mean()], atol=1e-4)
    np.testing.assert_allclose(variance(combined["mean"], combined["second"]), [everything.var()], atol=1e-3)


def test_one_device_cannot_stretch_a_range() -> None:
    honest = [{"mean": np.zeros(1, np.float32), "second": np.ones(1, np.float32), "range": f32([0, 6])}] * 4
    liar = {**honest[0], "range": f32([0, 6e6])}
    np.testing.assert_array_equal(combine([*honest, liar], [10] * 5, SCHEMA)["range"], [0, 6])


def test_a_mean_weighs_by_samples() -> None:
    assert weighted_mean([f32([0]), f32([10])], [9, 1])[0] == np.float32(1)


@given(st.permutations(range(4)))
def test_a_median_and_a_mean_do_not_depend_on_who_is_first(order: list[int]) -> None:
    updates = [{"mean": f32([i]), "second": f32([i * i + 1]), "range": f32([-i, i])} for i in range(4)]
    combined = combine([updates[i] for i in order], [i + 1 for i in order], SCHEMA)
    reference = combine(updates, [1, 2, 3, 4], SCHEMA)
    for name, array in reference.items():
        np.testing.assert_allclose(combined[name], array, rtol=1e-6)
