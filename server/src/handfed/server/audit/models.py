"""The table of the audit log; triggers of its migration refuse to change or remove a row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

import handfed.server.people.models  # noqa: F401 - an entry refers to tokens and organisations
from handfed.server.base import Base, Document, UtcTime, Words


class AuditRow(Base):
    """One change. Its organisation is the one that it concerns; without one it concerns the federation."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "at"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    who: Mapped[str] = mapped_column(Words)
    token: Mapped[int | None] = mapped_column(ForeignKey("tokens.number"))
    address: Mapped[str] = mapped_column(Words)
    organisation: Mapped[int | None] = mapped_column(ForeignKey("organisations.number"))
    verb: Mapped[str] = mapped_column(Words)
    object: Mapped[str] = mapped_column(Words)
    detail: Mapped[Mapping[str, Any]] = mapped_column(Document)
