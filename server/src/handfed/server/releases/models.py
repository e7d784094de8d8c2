"""Tables of releases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, Count, Document, Figure, UtcTime, Words


class Release(Base):
    """A published INT8 model. A row is written once, after its files, and never changed."""

    __tablename__ = "releases"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    task: Mapped[str] = mapped_column(Words)
    recogniser: Mapped[str] = mapped_column(Words)
    path: Mapped[str] = mapped_column(Words)
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(Count)
    accuracy_float: Mapped[float | None] = mapped_column(Figure)
    accuracy_int8: Mapped[float | None] = mapped_column(Figure)
    manifest: Mapped[Mapping[str, Any]] = mapped_column(Document)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class ReleaseCounter(Base):
    """The last number that was given to a release, in the one row 1.

    A number is taken before the files are built and stays taken when building fails. It has a table of its
    own, so that no half-made release is ever among the others.
    """

    __tablename__ = "release_counter"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
