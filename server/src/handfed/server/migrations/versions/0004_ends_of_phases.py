"""The loss on held-out handwriting, and why a phase ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; of rounds before, neither is known."""
    op.add_column("rounds", sa.Column("held_out_loss", sa.Float(53)))
    op.add_column("rounds", sa.Column("ended", sa.Text()))
