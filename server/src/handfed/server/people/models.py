"""Tables of organisations and tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, UtcTime, Words


class OrganisationRow(Base):
    """A school or a clinic."""

    __tablename__ = "organisations"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_autoincrement": True})  # no number is given twice

    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Words)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class TokenRow(Base):
    """What a person shows to be let in; of its secret only the hash is here."""

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'operator', 'admin')", name="role"),
        UniqueConstraint("secret_sha256"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Words)
    role: Mapped[str] = mapped_column(String(16))
    organisation: Mapped[int | None] = mapped_column(ForeignKey("organisations.number"))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)


class SessionRow(Base):
    """A browser that somebody logged in with a token; of its secret only the hash is here."""

    __tablename__ = "sessions"

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token: Mapped[int] = mapped_column(ForeignKey("tokens.number"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
