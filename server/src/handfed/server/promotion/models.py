"""Tables of promotion."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, UtcTime, Words
from handfed.shared.release_reports import Report

PHASES = "('candidate', 'rolling-out', 'stable', 'paused', 'rolled-back', 'superseded')"


class PromotionRow(Base):
    """How far a release has come; see `handfed.shared.promotion.Promotion`.

    Columns: `champion` is the release that it is compared with, null for the first of its task; `salt` decides which
    devices come first.
    """

    __tablename__ = "promotions"
    __table_args__ = (CheckConstraint(f"phase IN {PHASES}", name="phase"),)

    release: Mapped[int] = mapped_column(ForeignKey("releases.number"), primary_key=True, autoincrement=False)
    champion: Mapped[int | None] = mapped_column(ForeignKey("releases.number"))
    salt: Mapped[str] = mapped_column(String(32))
    phase: Mapped[str] = mapped_column(String(16))
    step: Mapped[int]
    since: Mapped[datetime] = mapped_column(UtcTime)
    reason: Mapped[str] = mapped_column(Words)
    shown: Mapped[bool]
    pinned: Mapped[bool]


class ReportRow(Base):
    """The newest report of a device, as its text was signed.

    Columns: `reads_with` is the release of which the text tells handwriting, and `fresh`, `feedback` and
    `feedback_used` are its counts (`handfed.shared.handwriting_reports`), so that they can be summed; all are null
    where it tells of none.
    """

    __tablename__ = "release_reports"

    device: Mapped[int] = mapped_column(ForeignKey("devices.number"), primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)
    report: Mapped[str] = mapped_column(Words)
    received_at: Mapped[datetime] = mapped_column(UtcTime)
    reads_with: Mapped[int | None]
    fresh: Mapped[int | None]
    feedback: Mapped[int | None]
    feedback_used: Mapped[int | None]

    @classmethod
    def of(cls, device: int, report: Report, text: str, received_at: datetime) -> Self:
        """A device's report, and its text."""
        told = report.handwriting
        counts = (None,) * 4 if told is None else (told.release, told.fresh, told.feedback, told.feedback_used)
        named = zip(("reads_with", "fresh", "feedback", "feedback_used"), counts, strict=True)
        return cls(device=device, sequence=report.sequence, report=text, received_at=received_at, **dict(named))


class PinRow(Base):
    """What one device is to use of a task, whatever its channel says."""

    __tablename__ = "device_pins"

    device: Mapped[int] = mapped_column(ForeignKey("devices.number"), primary_key=True, autoincrement=False)
    task: Mapped[str] = mapped_column(String(64), primary_key=True)
    release: Mapped[int] = mapped_column(ForeignKey("releases.number"))
