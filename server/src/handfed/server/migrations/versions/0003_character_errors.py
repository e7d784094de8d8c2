"""How many characters were read wrong, beside how many samples."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; of rounds before, nobody counted."""
    op.add_column("device_rounds", sa.Column("characters", sa.BigInteger()))
    op.add_column("device_rounds", sa.Column("edits", sa.BigInteger()))
