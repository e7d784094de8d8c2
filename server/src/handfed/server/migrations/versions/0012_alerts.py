"""Alerts, and who was told of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Adds three tables; nobody is told of anything."""
    op.create_table(
        "alerts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alerts")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_alerts_open"),
        "alerts",
        ["kind", "subject"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "alert_messages",
        sa.Column("alert", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('webhook', 'mail')", name=op.f("ck_alert_messages_channel")),
        sa.CheckConstraint("state IN ('began', 'over')", name=op.f("ck_alert_messages_state")),
        sa.ForeignKeyConstraint(["alert"], ["alerts.number"], name=op.f("fk_alert_messages_alert")),
        sa.PrimaryKeyConstraint("alert", "channel", "state", name=op.f("pk_alert_messages")),
    )
    op.create_table(
        "alert_channels",
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_alert_channels")),
    )
