"""Tables of comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, Count, Document, UtcTime


class ComparisonRow(Base):
    """Two releases of a task on two groups of devices.

    Columns: devices whose bucket by `salt` is below `percent` use `release_b`, all others `release_a`; `ended_at` and
    `outcome` are null while they do.
    """

    __tablename__ = "comparisons"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str] = mapped_column(String(64))
    release_a: Mapped[int] = mapped_column(ForeignKey("releases.number"))
    release_b: Mapped[int] = mapped_column(ForeignKey("releases.number"))
    percent: Mapped[int]
    salt: Mapped[str] = mapped_column(String(32))
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    outcome: Mapped[Mapping[str, Any] | None] = mapped_column(Document)


class BaselineRow(Base):
    """What a device had told of the release of its group when the comparison began, which does not count."""

    __tablename__ = "comparison_baselines"

    comparison: Mapped[int] = mapped_column(ForeignKey("comparisons.number"), primary_key=True, autoincrement=False)
    device: Mapped[int] = mapped_column(ForeignKey("devices.number"), primary_key=True, autoincrement=False)
    readings: Mapped[int] = mapped_column(Count)
    corrections: Mapped[int] = mapped_column(Count)
