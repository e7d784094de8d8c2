"""Runs, their rounds, and releases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables; their types are SQL's own, so that later changes of ours leave this file as it is."""
    _runs()
    _rounds()
    _device_rounds()
    _rejected_updates()
    _releases()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("recogniser", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("devices", sa.BigInteger(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.Column("summary", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.CheckConstraint("status IN ('running', 'done', 'failed', 'stopped')", name=op.f("ck_runs_status")),
        sqlite_autoincrement=True,
    )


def _rounds() -> None:
    op.create_table(
        "rounds",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(53)),
        sa.Column("train_seconds", sa.Float(53)),
        sa.Column("participants", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("examples", sa.BigInteger(), nullable=False),
        sa.Column("loss", sa.Float(53)),
        sa.Column("accuracy", sa.Float(53)),
        sa.Column("evaluated", sa.BigInteger(), nullable=False),
        sa.Column("bytes_down", sa.BigInteger(), nullable=False),
        sa.Column("bytes_up", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_rounds"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_rounds_run_id"),
        sa.CheckConstraint("phase IN ('float', 'qat')", name=op.f("ck_rounds_phase")),
    )


def _device_rounds() -> None:
    op.create_table(
        "device_rounds",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("device", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("examples", sa.BigInteger(), nullable=False),
        sa.Column("loss", sa.Float(53)),
        sa.Column("seconds", sa.Float(53)),
        sa.Column("bytes_up", sa.BigInteger(), nullable=False),
        sa.Column("held_out", sa.BigInteger()),
        sa.Column("correct", sa.BigInteger()),
        sa.Column("held_out_loss", sa.Float(53)),
        sa.PrimaryKeyConstraint("run_id", "round", "device", name="pk_device_rounds"),
        sa.ForeignKeyConstraint(
            ["run_id", "round"], ["rounds.run_id", "rounds.number"], name="fk_device_rounds_run_id_round"
        ),
    )


def _rejected_updates() -> None:
    op.create_table(
        "rejected_updates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("device", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rejected_updates"),
        sa.ForeignKeyConstraint(
            ["run_id", "round"], ["rounds.run_id", "rounds.number"], name="fk_rejected_updates_run_id_round"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rejected_updates_run_id_round", "rejected_updates", ["run_id", "round"])


def _releases() -> None:
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Integer()),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("recogniser", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("accuracy_float", sa.Float(53)),
        sa.Column("accuracy_int8", sa.Float(53)),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_releases"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_releases_run_id"),
    )
    counter = op.create_table(
        "release_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release_counter"),
        sa.CheckConstraint("id = 1", name=op.f("ck_release_counter_one_row")),
    )
    op.bulk_insert(counter, [{"id": 1, "last": 0}])
