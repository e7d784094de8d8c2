"""When the federation learns anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table; nothing is enabled."""
    op.create_table(
        "learning_policies",
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("enabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("run_settings", sa.JSON(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.JSON(), nullable=True),
        sa.Column("last_run", sa.Integer(), nullable=True),
        sa.Column("drift", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["last_run"], ["runs.id"], name=op.f("fk_learning_policies_last_run")),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_learning_policies")),
    )
