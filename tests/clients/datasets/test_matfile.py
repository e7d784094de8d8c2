"""MATLAB's format 5, against files that SciPy wrote, and against damage that SciPy does not survive."""

from __future__ import annotations

import io
import struct
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from numpy.typing import NDArray
from scipy.io import savemat  # type: ignore[import-untyped]

from handfed.clients.datasets import matfile as matfile_module
from handfed.clients.datasets.matfile import Value, read_variable
from handfed.shared.errors import DatasetError

NUMBERS = st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]).map(np.dtype)
ARRAYS = NUMBERS.flatmap(
    lambda dtype: nps.arrays(
        dtype,
        nps.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4),
        elements=nps.from_dtype(dtype, allow_nan=False),
    )
)
FIELDS = st.text("abcXYZ_", min_size=1, max_size=8).map("f".__add__)
STRUCTS = st.dictionaries(FIELDS, ARRAYS | st.dictionaries(FIELDS, ARRAYS, min_size=1, max_size=3), min_size=1)


def saved(variables: dict[str, Any], *, compressed: bool = False) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def same(value: Value, expected: Any) -> bool:
    if isinstance(expected, dict):
        return (
            isinstance(value, dict)
            and list(value) == list(expected)
            and all(map(same, value.values(), expected.values()))
        )
    return isinstance(value, np.ndarray) and value.shape == expected.shape and np.array_equal(value, expected)


@given(STRUCTS | ARRAYS, st.booleans())
def test_numbers_and_structs_are_read_as_scipy_wrote_them(value: Any, compressed: bool) -> None:
    content = saved({"before": np.eye(2), "wanted": value, "after": "text"}, compressed=compressed)
    assert same(read_variable(content, "wanted", where="a.mat"), value)


@pytest.mark.parametrize(
    "value",
    ["text", np.array(["a", 1], object), np.array([[1 + 2j]]), {"a": {"b": {"c": {"d": 1}}}}, [{"a": 1}, {"a": 2}]],
    ids=["text", "cells", "complex", "deep", "array of structs"],
)
def test_what_is_no_array_of_numbers_and_no_single_struct_is_not_read(value: Any) -> None:
    if isinstance(value, list):
        value = np.array([(1,), (2,)], [("a", object)])
    read = read_variable(saved({"wanted": {"field": value, "number": np.eye(2)}}), "wanted", where="a.mat")
    assert isinstance(read, dict)
    assert same(read["number"], np.eye(2))
    field = read["field"]
    while isinstance(field, dict):  # as deep as it goes
        (field,) = field.values()
    assert field is None


Order = Literal["<", ">"]


def element(order: Order, kind: int, data: bytes) -> bytes:
    if 0 < len(data) <= 4:  # a small element
        return struct.pack(f"{order}I", len(data) << 16 | kind) + data.ljust(4, b"\0")
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def numbers(order: Order, array: NDArray[Any], kind: int, *, name: bytes, matrix_class: int = 6) -> bytes:
    """A file with one variable, written as the format's description says."""
    parts = [
        element(order, 6, struct.pack(f"{order}II", matrix_class, 0)),
        element(order, 5, struct.pack(f"{order}{array.ndim}i", *array.shape)),
        element(order, 1, name),
        element(order, kind, array.astype(array.dtype.newbyteorder(order)).tobytes("F")),
    ]
    mark = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    return b"MATLAB 5.0 MAT-file".ljust(124) + mark + element(order, 14, b"".join(parts))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", [b"abc", b"a_longer_name"])
def test_either_order_of_bytes_is_read(order: Order, name: bytes) -> None:
    array = np.array([[1, -2, 300], [4, 5, -600]], np.int16)
    assert same(read_variable(numbers(order, array, 3, name=name), name.decode(), where="a.mat"), array)


@pytest.mark.parametrize("content", [b"", b"x" * 127, b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", bytes(4_000)])
def test_another_format_is_refused(content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"a\.mat: is not in MATLAB's format 5; save it with '-v7'"):
        read_variable(content, "wanted", where="a.mat")


def test_a_variable_that_is_not_there_is_an_error() -> None:
    for content in (saved({"other": 1}), saved({})):
        with pytest.raises(DatasetError, match=r"a\.mat: holds no variable 'wanted'"):
            read_variable(content, "wanted", where="a.mat")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_is_cut_off_is_refused(compressed: bool) -> None:
    content = saved({"wanted": {"numbers": np.arange(400.0)[None]}}, compressed=compressed)
    for length in range(129, len(content), 7):
        with pytest.raises(DatasetError, match=r"a\.mat: is damaged or cut off \("):
            read_variable(content[:length], "wanted", where="a.mat")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ((2, 2), (2, 3), r"an array of \(2, 3\) holds 4 numbers"),
        ((2, 2), (-2, -2), "a matrix has no class or no dimensions"),
        ((2, 2), (2**31 - 1, 2**31 - 1), "holds 4 numbers"),
    ],
)
def test_dimensions_that_do_not_fit_are_refused(old: tuple[int, int], new: tuple[int, int], message: str) -> None:
    content = saved({"wanted": np.eye(2)})
    assert content.count(struct.pack("<II2i", 5, 8, *old)) == 1
    wrong = content.replace(struct.pack("<II2i", 5, 8, *old), struct.pack("<II2i", 5, 8, *new))
    with pytest.raises(DatasetError, match=message):
        read_variable(wrong, "wanted", where="a.mat")


@pytest.mark.parametrize("shape", [(1,) * 70, (0, 2**31 - 1, 2**31 - 1, 2**31 - 1)])
def test_dimensions_beyond_numpys_are_refused(shape: tuple[int, ...]) -> None:
    data = np.zeros(int(np.prod(shape, dtype=object)), np.float64)
    parts = [
        element("<", 6, struct.pack("<II", 6, 0)),
        element("<", 5, struct.pack(f"<{len(shape)}i", *shape)),
        element("<", 1, b"wanted"),
        element("<", 9, data.tobytes()),
    ]
    content = b" " * 124 + b"\x00\x01IM" + element("<", 14, b"".join(parts))
    with pytest.raises(DatasetError, match=f"an array has {len(shape)} dimensions"):
        read_variable(content, "wanted", where="a.mat")


def test_a_variable_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved({"other": np.zeros((1, 50_000)), "wanted": np.zeros((1, 50_000))}, compressed=True)
    assert len(content) < 2_000
    monkeypatch.setattr(matfile_module, "MAX_TOTAL_BYTES", 700_000)  # one would fit
    with pytest.raises(DatasetError, match=r"a\.mat: unpacks to more than 700,000 bytes"):
        read_variable(content, "wanted", where="a.mat")


WHOLE = saved({"wanted": {"train": {"images": np.eye(9), "labels": np.arange(9)}, "mapping": np.eye(2), "note": "a"}})


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(128, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_gives_a_value_or_a_dataset_error(changes: list[tuple[int, int]]) -> None:
    content = bytearray(WHOLE)
    for position, value in changes:
        content[position] = value
    try:
        read_variable(bytes(content), "wanted", where="a.mat")
    except DatasetError as error:
        assert str(error).startswith("a.mat: ")  # noqa: PT017 - a value is as right as a refusal
