"""How far releases have come, what devices report of them, and what single devices are to use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PHASES = "('candidate', 'rolling-out', 'stable', 'paused', 'rolled-back', 'superseded')"


def upgrade() -> None:
    """Adds three tables; releases of before are taken up by the first look."""
    op.create_table(
        "promotions",
        sa.Column("release", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("champion", sa.Integer(), nullable=True),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.CheckConstraint(f"phase IN {_PHASES}", name=op.f("ck_promotions_phase")),
        sa.ForeignKeyConstraint(["champion"], ["releases.number"], name=op.f("fk_promotions_champion")),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name=op.f("fk_promotions_release")),
        sa.PrimaryKeyConstraint("release", name=op.f("pk_promotions")),
    )
    op.create_table(
        "release_reports",
        sa.Column("device", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.number"], name=op.f("fk_release_reports_device")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_release_reports")),
    )
    op.create_table(
        "device_pins",
        sa.Column("device", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.number"], name=op.f("fk_device_pins_device")),
        sa.ForeignKeyConstraint(["release"], ["releases.number"], name=op.f("fk_device_pins_release")),
        sa.PrimaryKeyConstraint("device", "task", name=op.f("pk_device_pins")),
    )
