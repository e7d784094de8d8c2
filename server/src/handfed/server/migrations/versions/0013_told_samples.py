"""What reports tell of new samples, as columns: sums over devices are one query, and no report is read for them."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COLUMNS = ("reads_with", "fresh", "feedback", "feedback_used")


def upgrade() -> None:
    """Adds the columns, filled from the reports that are there."""
    for name in _COLUMNS:
        op.add_column("release_reports", sa.Column(name, sa.Integer(), nullable=True))
    reports = sa.table(
        "release_reports",
        sa.column("device", sa.Integer()),
        sa.column("report", sa.Text()),
        *(sa.column(name, sa.Integer()) for name in _COLUMNS),
    )
    connection = op.get_bind()
    for device, text in connection.execute(sa.select(reports.c.device, reports.c.report)).all():
        told = json.loads(text).get("handwriting")
        numbers = [told.get(name) for name in ("release", "fresh")] if isinstance(told, dict) else []
        if numbers and all(type(each) is int and 0 <= each < 2**31 for each in numbers):  # older software took others
            counts = {"reads_with": numbers[0], "fresh": numbers[1], "feedback": 0, "feedback_used": 0}
            connection.execute(reports.update().where(reports.c.device == device).values(counts))
