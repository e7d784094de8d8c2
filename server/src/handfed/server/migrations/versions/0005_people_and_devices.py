"""Organisations, tokens, invitations, devices and their keys, the audit log, idempotency keys.

The triggers of the audit log are not part of the models: a later migration that replaces the table (on SQLite, any
that alters it in batch mode) makes them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_REFUSAL = "the audit log is append-only"


def upgrade() -> None:
    """Makes the tables, and triggers that refuse to change or remove what the audit log holds."""
    _people()
    _devices()
    _invitations()
    _device_keys()
    _audit()
    _idempotency()
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _people() -> None:
    op.create_table(
        "organisations",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("number", name="pk_organisations"),
        sa.UniqueConstraint("name", name="uq_organisations_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tokens",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("organisation", sa.Integer()),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        _time("created_at"),
        _time("expires_at", nullable=True),
        _time("last_used_at", nullable=True),
        _time("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_tokens"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.number"], name="fk_tokens_organisation"),
        sa.UniqueConstraint("secret_sha256", name="uq_tokens_secret_sha256"),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'admin')", name=op.f("ck_tokens_role")),
        sqlite_autoincrement=True,
    )


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("max_samples", sa.BigInteger()),
        sa.Column("versions", sa.JSON(), nullable=False),
        _time("enrolled_at"),
        _time("revoked_at", nullable=True),
        _time("last_seen_at", nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_devices"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.number"], name="fk_devices_organisation"),
        sa.CheckConstraint("state IN ('enrolled', 'revoked')", name=op.f("ck_devices_state")),
        sqlite_autoincrement=True,
    )


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("organisation", sa.Integer(), nullable=False),
        sa.Column("invited_by", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("max_samples", sa.BigInteger()),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        _time("created_at"),
        _time("expires_at"),
        _time("withdrawn_at", nullable=True),
        sa.Column("used_by", sa.Integer()),
        sa.PrimaryKeyConstraint("number", name="pk_invitations"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.number"], name="fk_invitations_organisation"),
        sa.ForeignKeyConstraint(["used_by"], ["devices.number"], name="fk_invitations_used_by"),
        sa.UniqueConstraint("secret_sha256", name="uq_invitations_secret_sha256"),
        sqlite_autoincrement=True,
    )


def _device_keys() -> None:
    op.create_table(
        "device_keys",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("node_id", sa.BigInteger()),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("number", name="pk_device_keys"),
        sa.ForeignKeyConstraint(["device"], ["devices.number"], name="fk_device_keys_device"),
        sa.UniqueConstraint("fingerprint", name="uq_device_keys_fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_device_keys_device", "device_keys", ["device"])


def _audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("number", sa.Integer(), nullable=False),
        _time("at"),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("token", sa.Integer()),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Integer()),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_entries"),
        sa.ForeignKeyConstraint(["token"], ["tokens.number"], name="fk_audit_entries_token"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.number"], name="fk_audit_entries_organisation"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])


def _idempotency() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        _time("created_at"),
        sa.Column("answer", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("name", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def _sqlite_triggers() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_entries_no_{change.lower()} BEFORE {change} ON audit_entries "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION handfed_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_entries_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION handfed_refuse_audit_change()"
    )
