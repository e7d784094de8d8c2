"""Tables of invitations, devices and their keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, Count, Document, NodeId, UtcTime, Words


class InvitationRow(Base):
    """Lets one device in, once; of its secret only the hash is here."""

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("secret_sha256"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(primary_key=True)
    organisation: Mapped[int] = mapped_column(ForeignKey("organisations.number"))
    invited_by: Mapped[str] = mapped_column(Words)
    name: Mapped[str | None] = mapped_column(Words)
    max_samples: Mapped[int | None] = mapped_column(Count)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)
    used_by: Mapped[int | None] = mapped_column(ForeignKey("devices.number"))


class DeviceRow(Base):
    """An enrolled machine; its key is the newest of its rows in `device_keys`."""

    __tablename__ = "devices"
    __table_args__ = (
        CheckConstraint("state IN ('enrolled', 'revoked')", name="state"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    organisation: Mapped[int] = mapped_column(ForeignKey("organisations.number"))
    name: Mapped[str] = mapped_column(Words)
    state: Mapped[str] = mapped_column(String(16))
    max_samples: Mapped[int | None] = mapped_column(Count)
    versions: Mapped[Mapping[str, Any]] = mapped_column(Document)
    enrolled_at: Mapped[datetime] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcTime)


class DeviceKeyRow(Base):
    """A public key that is or was a device's, and what the key registry should know and knows of it.

    A row stays when its key is replaced or revoked, so that no key ever comes back.

    Columns: `wanted` is whether the registry should let the key in; `settled`, whether the registry has confirmed
    that it does as is wanted.
    """

    __tablename__ = "device_keys"
    __table_args__ = (UniqueConstraint("fingerprint"), Index(None, "device"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[int] = mapped_column(ForeignKey("devices.number"))
    fingerprint: Mapped[str] = mapped_column(String(64))
    public_key: Mapped[str] = mapped_column(Words)
    node_id: Mapped[int | None] = mapped_column(NodeId)
    wanted: Mapped[bool]
    settled: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcTime)
