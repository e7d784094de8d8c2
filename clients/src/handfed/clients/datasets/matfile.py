"""MATLAB's format 5 (`.mat`), as far as structs of numbers need it.

A file is a header of 128 bytes and then elements: a tag of 8 bytes with type and size, the content, and padding to a
multiple of 8. What fits into 4 bytes lies within its tag. A variable is an element of type `miMATRIX`, which holds
elements of its own: flags, dimensions, name, and numbers or the fields of a struct; it may be compressed.

Rules:
1. Every element lies within the one that holds it, and an array is as large as its dimensions say: anything else is
   damage. Compressed elements unpack to at most `MAX_TOTAL_BYTES` together.
2. Numbers keep the type they are stored in, which MATLAB makes as small as their values allow.
3. What is no real array of numbers and no single struct (text, cells, objects, sparse and complex arrays, functions)
   is not read and given as None, and so are structs below `_DEEPEST`.

SciPy reads this format too, but in C and without the first rule: a wrong byte can end the whole process.

Source: MathWorks, MAT-File Format, "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.trees import MAX_TOTAL_BYTES
from handfed.shared.errors import DatasetError

Value: TypeAlias = "NDArray[Any] | dict[str, Value] | None"

_HEADER_BYTES: Final = 128
_BYTE_ORDERS: Final = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # by the header's last bytes: version and mark
_TAG_BYTES: Final = 8
_SMALL_BYTES: Final = 4  # the most that lies within a tag
_MATRIX: Final = 14  # the type of an element
_COMPRESSED: Final = 15
_NUMBERS: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_INT8: Final = 1
_INT32: Final = 5
_UINT32: Final = 6
_STRUCT: Final = 2  # the class of a matrix
_NUMERIC: Final = range(6, 16)
_COMPLEX: Final = 0x0800  # a flag
_DEEPEST: Final = 4  # structs within structs
_CHUNK: Final = 1 << 16  # bytes that are unpacked at a time; they become at most a thousand times as many


def read_variable(content: bytes, name: str, *, where: str) -> Value:
    """Reads one variable of a file.

    Args:
        content: The file.
        name: The variable.
        where: What is read, for the message of an error.

    Returns:
        An array in column-major order, the fields of a struct, or None for what this module does not read.

    Raises:
        DatasetError: The file is in another format, damaged, or has no such variable.
    """
    return _File(content, where).variable(name)


@dataclass(frozen=True)
class _Matrix:
    """A matrix whose first elements are read; `rest` gives the others."""

    matrix_class: int
    is_complex: bool
    shape: tuple[int, ...]
    name: bytes
    rest: Iterator[tuple[int, memoryview]]


class _File:
    """A file of format 5, and where its errors are."""

    def __init__(self, content: bytes, where: str) -> None:
        order = _BYTE_ORDERS.get(content[_HEADER_BYTES - 4 : _HEADER_BYTES])
        if order is None:
            raise DatasetError(f"{where}: is not in MATLAB's format 5; save it with '-v7'")
        self._order = order
        self._content = memoryview(content)[_HEADER_BYTES:]
        self._where = where
        self._unpacked = 0  # bytes, so far

    def variable(self, name: str) -> Value:
        for kind, data in self._elements(self._content):
            held = self._elements(self._unpack(data)) if kind == _COMPRESSED else [(kind, data)]
            for matrix in (self._matrix(inner) for inner_kind, inner in held if inner_kind == _MATRIX):
                if matrix.name == name.encode("ascii"):
                    return self._value(matrix, depth=0)
        raise DatasetError(f"{self._where}: holds no variable {name!r}")

    def _elements(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Type and content of the elements that lie one behind the other."""
        at = 0
        while at < len(data):
            if at + _TAG_BYTES > len(data):
                self._refuse("a tag is cut off")
            kind, size = struct.unpack_from(f"{self._order}II", data, at)
            at += _TAG_BYTES
            if kind >> 16:  # a small element: size and type of two bytes each, then the content
                kind, size = kind & 0xFFFF, kind >> 16
                if size > _SMALL_BYTES:
                    self._refuse("an element is longer than its tag")
                yield kind, data[at - _SMALL_BYTES : at - _SMALL_BYTES + size]
                continue
            if at + size > len(data):
                self._refuse("an element is longer than what holds it")
            yield kind, data[at : at + size]
            at += size if kind == _COMPRESSED else size + -size % _TAG_BYTES

    def _matrix(self, data: memoryview) -> _Matrix:
        if len(data) == 0:  # MATLAB's way to write an empty one
            return _Matrix(_NUMERIC[0], is_complex=False, shape=(0, 0), name=b"", rest=iter([(_INT8, data)]))
        rest = self._elements(data)
        flags, dimensions = self._next(rest, _UINT32), self._next(rest, _INT32)
        if len(flags) != 2 or len(dimensions) < 2 or min(dimensions) < 0:  # noqa: PLR2004 - and a spare; rows, columns
            self._refuse("a matrix has no class or no dimensions")
        name = self._next(rest, _INT8).tobytes()
        word = int(flags[0])
        return _Matrix(word & 0xFF, bool(word & _COMPLEX), tuple(dimensions.tolist()), name, rest)

    def _value(self, matrix: _Matrix, depth: int) -> Value:
        if matrix.matrix_class in _NUMERIC and not matrix.is_complex:
            numbers = self._next(matrix.rest)
            if math.prod(matrix.shape) != len(numbers):
                self._refuse(f"an array of {matrix.shape} holds {len(numbers):,} numbers")
            try:
                return numbers.reshape(matrix.shape, order="F")
            except ValueError:  # more dimensions than NumPy has, or empty with absurd ones
                self._refuse(f"an array has {len(matrix.shape)} dimensions, up to {max(matrix.shape):,}")
        if matrix.matrix_class == _STRUCT and math.prod(matrix.shape) == 1 and depth < _DEEPEST:
            return self._struct(matrix, depth)
        return None

    def _struct(self, matrix: _Matrix, depth: int) -> dict[str, Value]:
        length = self._next(matrix.rest, _INT32)
        names = self._next(matrix.rest, _INT8).tobytes()
        if len(length) != 1 or length[0] < 1 or len(names) % int(length[0]):
            self._refuse("the names of fields are cut off")
        step = int(length[0])
        titles = [names[at : at + step].split(b"\0")[0].decode("ascii", "replace") for at in range(0, len(names), step)]
        fields = list(matrix.rest)
        if len(fields) != len(titles) or any(kind != _MATRIX for kind, _ in fields):
            self._refuse(f"a struct has {len(titles)} names and {len(fields)} fields")
        values = (self._value(self._matrix(data), depth + 1) for _, data in fields)
        return dict(zip(titles, values, strict=True))

    def _next(self, elements: Iterator[tuple[int, memoryview]], wanted: int | None = None) -> NDArray[Any]:
        """The numbers of the next element, which must be of type `wanted`."""
        kind, data = next(elements, (0, memoryview(b"")))
        if kind not in _NUMBERS or (wanted is not None and kind != wanted):
            self._refuse(f"an element is of type {kind}")
        dtype = np.dtype(self._order + _NUMBERS[kind])
        if len(data) % dtype.itemsize:
            self._refuse("a number is cut off")
        return np.frombuffer(data, dtype)

    def _unpack(self, data: memoryview) -> memoryview:
        unpacker, result = zlib.decompressobj(), bytearray()
        for start in range(0, len(data), _CHUNK):
            try:
                result += unpacker.decompress(data[start : start + _CHUNK])
            except zlib.error as error:
                self._refuse(str(error))
            if self._unpacked + len(result) > MAX_TOTAL_BYTES:
                raise DatasetError(f"{self._where}: unpacks to more than {MAX_TOTAL_BYTES:,} bytes")
        if not unpacker.eof:
            self._refuse("a compressed variable ends early")
        self._unpacked += len(result)
        return memoryview(result)

    def _refuse(self, why: str) -> NoReturn:
        raise DatasetError(f"{self._where}: is damaged or cut off ({why}); copy or download it again")
