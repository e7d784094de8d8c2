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
    SCHEMA.check(SCHEMA.pack(good()))


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("conv/kernel", np.full((2, 2), np.nan, np.float32), Reason.NOT_FINITE),
        ("conv/kernel", np.full((2, 2), np.inf, np.float32), Reason.NOT_FINITE),
        ("norm/mean", np.array([0, np.nan], np.float32), Reason.NOT_FINITE),
        ("conv/kernel", np.ones((2, 3), np.float32), Reason.SHAPE),
        ("conv/kernel", np.ones((1, 2), np.float32), Reason.SHAPE),
        ("conv/kernel", np.ones(4, np.float32), Reason.SHAPE),
        ("conv/kernel", np.ones((2, 2), np.float64), Reason.DTYPE),
        ("norm/second_moment", np.array([0.5, 1], np.float32), Reason.MOMENTS),
        ("norm/second_moment", np.array([2, 0.5], np.float32), Reason.MOMENTS),
        ("relu/output_range", np.array([6, 0], np.float32), Reason.RANGE),
        ("relu/output_range", np.array([1, 6], np.float32), Reason.RANGE),
        ("relu/output_range", np.array([-6, -1], np.float32), Reason.RANGE),
    ],
)
def test_an_array_that_breaks_a_rule_is_refused_with_its_reason(name: str, array: np.ndarray, reason: Reason) -> None:
    with pytest.raises(RejectedError) as caught:
        SCHEMA.check(SCHEMA.pack(good() | {name: array}))
    assert caught.value.reason is reason
    assert name in caught.value.detail


def test_a_missing_array_is_refused_and_one_beyond_the_schema_passed_over() -> None:
    lacking = good()
    del lacking["norm/mean"]
    with pytest.raises(RejectedError, match="norm/mean is missing") as caught:
        SCHEMA.pack(lacking)
    assert caught.value.reason is Reason.NAMES
    more = SCHEMA.pack(good() | {"conv/bias": np.ones(2, np.float32)})
    np.testing.assert_array_equal(more, SCHEMA.pack(good()))


@pytest.mark.parametrize(
    ("flat", "reason"),
    [
        (np.zeros(9, np.float32), Reason.SHAPE),
        (np.zeros(11, np.float32), Reason.SHAPE),
        (np.zeros((1, 10), np.float32), Reason.SHAPE),
        (np.zeros(0, np.float32), Reason.SHAPE),
        (np.zeros(10, np.float64), Reason.DTYPE),
        (np.zeros(10, ">f4"), Reason.DTYPE),
    ],
)
def test_what_is_not_one_array_of_the_schema_is_neither_checked_nor_taken_apart(
    flat: np.ndarray, reason: Reason
) -> None:
    for use in (SCHEMA.check, SCHEMA.unpack):
        with pytest.raises(RejectedError) as caught:
            use(flat)
        assert caught.value.reason is reason


shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
schemas = st.lists(st.tuples(shapes, st.sampled_from(Role)), max_size=6).map(
    lambda found: Schema(tuple(ArraySpec(f"layer{place}", *each) for place, each in enumerate(found)))
)


@given(schemas, st.data())
def test_what_is_packed_is_unpacked_as_it_was(schema: Schema, data: st.DataObject) -> None:
    anything = st.floats(width=32)  # NaN too: bits are kept
    arrays = {spec.name: data.draw(numpy_arrays(np.float32, spec.shape, elements=anything)) for spec in schema.specs}
    flat = schema.pack(dict(reversed(arrays.items())))
    back = schema.unpack(flat)
    assert tuple(back) == schema.names()
    for name, array in arrays.items():
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()
        assert not array.size or np.shares_memory(back[name], flat)
    assert schema.pack(back).tobytes() == flat.tobytes()


@given(schemas)
def test_the_arrays_of_a_role_follow_one_another_and_every_value_has_one_role(schema: Schema) -> None:
    flat = np.arange(schema.size, dtype=np.float32)
    found = []
    for role in Role:
        part = schema.only(role)
        of_role = flat[schema.span(role)]
        found.append(of_role)
        for name, array in part.unpack(of_role.copy()).items():
            np.testing.assert_array_equal(array, schema.unpack(flat)[name])
    np.testing.assert_array_equal(np.concatenate(found), flat)


def test_an_array_is_called_by_its_roles_and_by_a_checksum_of_names_shapes_and_order() -> None:
    title = SCHEMA.title
    assert title == "weight+mean+second-moment+range-f7573a78"  # what devices of this wire version send
    assert SCHEMA.only(Role.MEAN, Role.SECOND_MOMENT).title.startswith("mean+second-moment-")
    one, *others = SCHEMA.specs
    changed = [
        (ArraySpec("conv/bias", one.shape, one.role), *others),
        (ArraySpec(one.name, (4,), one.role), *others),
        (ArraySpec(one.name, one.shape, Role.MEAN), *others),
        (*others, one),
        (one, *others[:-1]),
    ]
    assert len({title, *(Schema(specs).title for specs in changed)}) == 6


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


def test_a_checksum_is_of_values() -> None:
    flat = np.ones(3, np.float32)
    assert wire.checksum(flat) == wire.checksum(flat.copy())
    assert wire.checksum(flat) != wire.checksum(np.nextafter(flat, np.float32(2)))
