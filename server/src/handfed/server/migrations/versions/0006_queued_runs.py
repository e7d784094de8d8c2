"""Runs that wait for their turn."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATUSES = "status IN ('queued', 'running', 'done', 'failed', 'stopped')"


def upgrade() -> None:
    """Allows a run to be queued."""
    with op.batch_alter_table("runs", table_kwargs={"sqlite_autoincrement": True}) as runs:
        runs.drop_constraint(op.f("ck_runs_status"), type_="check")
        runs.create_check_constraint(op.f("ck_runs_status"), _STATUSES)
