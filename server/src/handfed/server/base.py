"""The declarative base of every table, and the column types that the databases lack.

The types hold these rules, so that no service has to:
1. Times are aware and come back in UTC, also from SQLite, which keeps no time zone.
2. A figure that is not finite is stored as null: neither JSON nor a mean has a use for NaN.
3. Figures may come from NumPy; what is stored is a plain number.
4. Text may quote what a device sent: control characters and what is not Unicode are replaced, as PostgreSQL
   refuses NUL and a terminal obeys escape sequences.
5. A device is an unsigned 64-bit number (a Flower node id), which no SQL integer holds: it is stored as the
   signed number with the same bits.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Float, MetaData, Text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from handfed.shared.printable import printable

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
_BITS = 64  # of a device's number
_MOST = (1 << 63) - 1  # of any whole number, in every database


class Base(DeclarativeBase):
    """What every table derives from; constraints have names, as a migration can only change what has one."""

    metadata = MetaData(naming_convention=_NAMES)


class UtcTime(TypeDecorator[datetime]):
    """An aware time, in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turns a time to UTC.

        Raises:
            ValueError: The time is naive, so nobody knows when it is.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Gives SQLite's naive times the zone they were stored in."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Figure(TypeDecorator[float]):
    """A float64 that is finite, or null."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002
        """Stores what is not finite as null."""
        return None if value is None or not math.isfinite(value) else float(value)


class Count(TypeDecorator[int]):
    """A whole number of samples, bytes or devices, up to 2**63 - 1."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Stores a plain number: SQLite would keep a NumPy integer as its bytes.

        Raises:
            ValueError: The number is too large.
        """
        if value is None:
            return None
        number = operator.index(value)
        if abs(number) > _MOST:
            raise ValueError(f"{number} is too large to record")
        return number


class NodeId(TypeDecorator[int]):
    """A device's number, 0 to 2**64 - 1, as the signed number with the same 64 bits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turns an unsigned number to a signed one.

        Raises:
            ValueError: The number does not fit 64 bits.
        """
        if value is None:
            return None
        number = operator.index(value)
        if not 0 <= number < 1 << _BITS:
            raise ValueError(f"a device's number is from 0 to 2**{_BITS} - 1, not {number}")
        return number - (1 << _BITS) if number >> (_BITS - 1) else number

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turns the signed number back."""
        return None if value is None else value % (1 << _BITS)


class Words(TypeDecorator[str]):
    """Text that is safe to store and to show, whatever it quotes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Replaces what is not printable by U+FFFD."""
        return None if value is None else printable(str(value))


class Document(TypeDecorator[Mapping[str, Any]]):
    """A JSON object (RFC 8259): figures that are not finite are null, as JSON has no NaN."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        """Turns mappings, sequences and numbers of any kind to plain ones.

        Raises:
            TypeError: A value has no place in JSON.
        """
        return None if value is None else _plain(value)


def is_possible(number: int) -> bool:
    """Whether a run or release can have this number: a database refuses to look for one that is too large."""
    return 0 < number < 1 << 31


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in JSON")
