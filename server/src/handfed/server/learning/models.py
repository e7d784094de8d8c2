"""Table of what is set of learning."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from handfed.server.base import Base, Document, UtcTime


class PolicyRow(Base):
    """Whether and when the server starts runs of a task by itself.

    Columns: `enabled_at` is null where it does not; `settings` are of `handfed.shared.learning.LearningSettings` and
    `run_settings` of `handfed.shared.run_settings.RunSettings`, those that are not the default; `decision` is the last
    one; `last_run` is the last run that came of it; `drift` is how far looking for drift has come.
    """

    __tablename__ = "learning_policies"

    task: Mapped[str] = mapped_column(String(64), primary_key=True)
    enabled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settings: Mapped[Mapping[str, Any]] = mapped_column(Document)
    run_settings: Mapped[Mapping[str, Any]] = mapped_column(Document)
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    decision: Mapped[Mapping[str, Any] | None] = mapped_column(Document)
    last_run: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    drift: Mapped[Mapping[str, Any] | None] = mapped_column(Document)
