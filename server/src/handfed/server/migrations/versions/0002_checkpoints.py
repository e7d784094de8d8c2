"""The checkpoint of a run, from which it goes on after a break."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "checkpoints",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_checkpoints"),
        sa.ForeignKeyConstraint(
            ["run_id", "round"], ["rounds.run_id", "rounds.number"], name="fk_checkpoints_run_id_round"
        ),
    )
