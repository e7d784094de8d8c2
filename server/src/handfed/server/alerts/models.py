"""Tables of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, Document, UtcTime, Words

_OPEN = text("ended_at IS NULL")


class AlertRow(Base):
    """Something that needs or needed a person; of one matter at most one row is open.

    Columns: `absent_since` is since when the matter is no longer there, while nobody knows whether it stays away.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_open", "kind", "subject", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(Words)
    about: Mapped[Mapping[str, Any]] = mapped_column(Document)
    since: Mapped[datetime] = mapped_column(UtcTime)
    began_at: Mapped[datetime] = mapped_column(UtcTime)
    absent_since: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class AlertMessageRow(Base):
    """That a channel is to be told, or was told, that an alert began or is over."""

    __tablename__ = "alert_messages"
    __table_args__ = (
        CheckConstraint("channel IN ('webhook', 'mail')", name="channel"),
        CheckConstraint("state IN ('began', 'over')", name="state"),
    )

    alert: Mapped[int] = mapped_column(ForeignKey("alerts.number"), primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), primary_key=True)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcTime)


class AlertChannelRow(Base):
    """How it goes with a channel; `error` holds no address and no secret."""

    __tablename__ = "alert_channels"

    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    failures: Mapped[int]
    tried_at: Mapped[datetime] = mapped_column(UtcTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    error: Mapped[str | None] = mapped_column(Words)
