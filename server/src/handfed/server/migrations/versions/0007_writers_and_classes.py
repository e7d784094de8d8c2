"""How writers and classes are read, by round; and the rounds of a device are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns, which stay empty of rounds before, and indices."""
    op.add_column("rounds", sa.Column("writer_bins", sa.JSON()))
    op.add_column("rounds", sa.Column("class_counts", sa.JSON()))
    op.create_index("ix_device_rounds_device", "device_rounds", ["device"])
    op.create_index("ix_rejected_updates_device", "rejected_updates", ["device"])
