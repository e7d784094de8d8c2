"""Tables of runs and their rounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Dialect, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from handfed.server.base import Base, Count, Document, Figure, NodeId, UtcTime, Words
from handfed.shared.disclosure import ClassCount


class Bins(TypeDecorator[tuple[int, ...]]):
    """Counts in a fixed order; null for none."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> list[int] | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Stores plain numbers."""
        return [int(count) for count in value] if value else None

    def process_result_value(self, value: list[int] | None, dialect: Dialect) -> tuple[int, ...]:  # noqa: ARG002
        """Gives what was stored."""
        return tuple(value or ())


class ClassCounts(TypeDecorator[tuple[ClassCount, ...]]):
    """Counts by class; null for none."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: tuple[ClassCount, ...] | None, dialect: Dialect) -> list[list[int]] | None:  # noqa: ARG002
        """Stores plain numbers."""
        return [[int(count) for count in row] for row in value] if value else None

    def process_result_value(self, value: list[list[int]] | None, dialect: Dialect) -> tuple[ClassCount, ...]:  # noqa: ARG002
        """Gives what was stored."""
        return tuple(ClassCount(*row) for row in value or ())


class Run(Base):
    """One federated training."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed', 'stopped')", name="status"),
        {"sqlite_autoincrement": True},  # no number is given twice
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    task: Mapped[str] = mapped_column(Words)
    recogniser: Mapped[str] = mapped_column(Words)
    strategy: Mapped[str] = mapped_column(Words)
    seed: Mapped[int] = mapped_column(Count)
    settings: Mapped[Mapping[str, Any]] = mapped_column(Document)
    devices: Mapped[int] = mapped_column(Count)
    engine: Mapped[str] = mapped_column(Words)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    error: Mapped[str | None] = mapped_column(Words)
    summary: Mapped[Mapping[str, Any] | None] = mapped_column(Document)


class Round(Base):
    """One exchange of a run."""

    __tablename__ = "rounds"
    __table_args__ = (CheckConstraint("phase IN ('float', 'qat')", name="phase"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    phase: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    seconds: Mapped[float | None] = mapped_column(Figure)
    train_seconds: Mapped[float | None] = mapped_column(Figure)
    participants: Mapped[int] = mapped_column(Count)
    accepted: Mapped[int] = mapped_column(Count)
    examples: Mapped[int] = mapped_column(Count)
    loss: Mapped[float | None] = mapped_column(Figure)
    accuracy: Mapped[float | None] = mapped_column(Figure)
    evaluated: Mapped[int] = mapped_column(Count)
    bytes_down: Mapped[int] = mapped_column(Count)
    bytes_up: Mapped[int] = mapped_column(Count)
    held_out_loss: Mapped[float | None] = mapped_column(Figure)
    ended: Mapped[str | None] = mapped_column(Words)
    writer_bins: Mapped[tuple[int, ...]] = mapped_column(Bins, nullable=True)
    class_counts: Mapped[tuple[ClassCount, ...]] = mapped_column(ClassCounts, nullable=True)


class Checkpoint(Base):
    """Where a run stands after its last round; written in one transaction with that round."""

    __tablename__ = "checkpoints"
    __table_args__ = (ForeignKeyConstraint(["run_id", "round"], ["rounds.run_id", "rounds.number"]),)

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    round: Mapped[int]
    state: Mapped[bytes] = mapped_column(LargeBinary)


class DeviceRound(Base):
    """What one device did in one round."""

    __tablename__ = "device_rounds"
    __table_args__ = (
        ForeignKeyConstraint(["run_id", "round"], ["rounds.run_id", "rounds.number"]),
        Index(None, "device"),
    )

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    device: Mapped[int] = mapped_column(NodeId, primary_key=True, autoincrement=False)
    examples: Mapped[int] = mapped_column(Count)
    loss: Mapped[float | None] = mapped_column(Figure)
    seconds: Mapped[float | None] = mapped_column(Figure)
    bytes_up: Mapped[int] = mapped_column(Count)
    held_out: Mapped[int | None] = mapped_column(Count)
    correct: Mapped[int | None] = mapped_column(Count)
    held_out_loss: Mapped[float | None] = mapped_column(Figure)
    characters: Mapped[int | None] = mapped_column(Count)
    edits: Mapped[int | None] = mapped_column(Count)


class RejectedUpdate(Base):
    """A reply that was not used, and why."""

    __tablename__ = "rejected_updates"
    __table_args__ = (
        ForeignKeyConstraint(["run_id", "round"], ["rounds.run_id", "rounds.number"]),
        Index(None, "run_id", "round"),
        Index(None, "device"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int]
    round: Mapped[int]
    device: Mapped[int] = mapped_column(NodeId)
    reason: Mapped[str] = mapped_column(Words)
    detail: Mapped[str] = mapped_column(Words)
