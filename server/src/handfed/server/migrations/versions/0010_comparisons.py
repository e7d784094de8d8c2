"""Two releases on two groups of devices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds two tables; nothing is compared."""
    op.create_table(
        "comparisons",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("release_a", sa.Integer(), nullable=False),
        sa.Column("release_b", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["release_a"], ["releases.number"], name=op.f("fk_comparisons_release_a")),
        sa.ForeignKeyConstraint(["release_b"], ["releases.number"], name=op.f("fk_comparisons_release_b")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_comparisons")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "comparison_baselines",
        sa.Column("comparison", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("device", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("readings", sa.BigInteger(), nullable=False),
        sa.Column("corrections", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comparison"], ["comparisons.number"], name=op.f("fk_comparison_baselines_comparison")
        ),
        sa.ForeignKeyConstraint(["device"], ["devices.number"], name=op.f("fk_comparison_baselines_device")),
        sa.PrimaryKeyConstraint("comparison", "device", name=op.f("pk_comparison_baselines")),
    )
