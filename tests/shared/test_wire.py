"""The wire schema refuses what must not be combined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as numpy_arrays

from handfed.shared import wire
from handfed.shared.wire import (
    ArraySpec,
    Reason,
    RejectedError,
    Role,
    Schema,
    check_count,
    second_moment,
    variance,
)

SCHEMA = Schema(
    (
        ArraySpec("conv/kernel", (2, 2), Role.WEIGHT),
        ArraySpec("norm/mean", (2,), Role.MEAN),
        ArraySpec("norm/second_moment", (2,), Role.SECOND_MOMENT),
        ArraySpec("relu/output_range", (2,), Role.RANGE),
    )
)


def good() -> dict[str, np.ndarray]:
    return {
        "conv/kernel": np.ones((2, 2), np.float32),
        "norm/mean": np.array([1, -1], np.float32),
        "norm/second_moment": np.array([2, 1], np.float32),
        "relu/output_range": np.array([0, 6], np.float32),
    }


def test_arrays_of_the_schema_pass() -> None:
    SCHEMA.check(good())


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("conv/kernel", np.full((2, 2), np.nan, np.float32), Reason.NOT_FINITE),
        ("conv/kernel", np.full((2, 2), np.inf, np.float32), Reason.NOT_FINITE),
        ("conv/kernel", np.ones((2, 3), np.float32), Reason.SHAPE),
        ("conv/kernel", np.ones((1, 2), np.float32), Reason.SHAPE),
        ("conv/kernel", np.ones((2, 2), np.float64), Reason.DTYPE),
        ("norm/second_moment", np.array([0.5, 1], np.float32), Reason.MOMENTS),
        ("relu/output_range", np.array([6, 0], np.float32), Reason.RANGE),
        ("relu/output_range", np.array([1, 6], np.float32), Reason.RANGE),
    ],
)
def test_an_array_that_breaks_a_rule_is_refused_with_its_reason(name: str, array: np.ndarray, reason: Reason) -> None:
    with pytest.raises(RejectedError) as caught:
        SCHEMA.check(good() | {name: array})
    assert caught.value.reason is reason
    assert name in caught.value.detail


def test_a_missing_or_an_unknown_array_is_refused() -> None:
    lacking = good()
    del lacking["norm/mean"]
    for arrays in (lacking, good() | {"conv/bias": np.ones(2, np.float32)}):
        with pytest.raises(RejectedError) as caught:
            SCHEMA.check(arrays)
        assert caught.value.reason is Reason.NAMES


@pytest.mark.parametrize("count", [-1, 11, 10**12, 3.0, True, None, "3", [3]])
def test_a_count_that_no_honest_device_reports_is_refused(count: object) -> None:
    with pytest.raises(RejectedError) as caught:
        check_count(count, most=10)
    assert caught.value.reason is Reason.COUNT


@pytest.mark.parametrize("count", [0, 10])
def test_a_count_up_to_the_most_passes(count: int) -> None:
    assert check_count(count, most=10) == count


finite = st.floats(-100, 100, width=32)


@given(numpy_arrays(np.float32, 5, elements=finite), numpy_arrays(np.float32, 5, elements=st.floats(0, 100, width=32)))
def test_variance_survives_the_wire(mean: np.ndarray, spread: np.ndarray) -> None:
    back = variance(mean, second_moment(mean, spread))
    assert (back >= 0).all()
    # float32 keeps about seven digits of E[x^2], so what is lost grows with the square of the mean.
    np.testing.assert_allclose(back, spread, atol=1e-2 + 1e-6 * float(np.square(mean).max()))


def test_a_schema_of_one_role_holds_only_that() -> None:
    assert SCHEMA.only(Role.RANGE).names() == ("relu/output_range",)
    assert SCHEMA.names(Role.MEAN, Role.SECOND_MOMENT) == ("norm/mean", "norm/second_moment")


def test_a_checksum_is_of_names_and_values_whatever_their_order() -> None:
    arrays = {"a": np.ones(3, np.float32), "b": np.zeros(2, np.float32)}
    assert wire.checksum(arrays) == wire.checksum(dict(reversed(arrays.items())))
    assert wire.checksum(arrays) != wire.checksum({"a": arrays["a"], "c": arrays["b"]})
    assert wire.checksum(arrays) != wire.checksum({**arrays, "a": np.nextafter(arrays["a"], np.float32(2))})
