"""The table of idempotency keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, UtcTime


class IdempotencyRow(Base):
    """A write that a caller named, and its sealed answer once there is one.

    Columns: `name` is the hash of who asked and of their key; `request`, the hash of what they asked for.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    request: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
