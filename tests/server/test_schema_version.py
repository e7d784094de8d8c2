"""Migrations, and databases of other versions."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, Text, text

import handfed.server.tables  # noqa: F401 - tables are known once their models are imported
from handfed.server import schema_version
from handfed.server.base import Base
from handfed.server.database import Database, open_database
from handfed.shared.errors import StorageError


def _differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema_version.TABLE, "compare_type": True}
        )
        return list(compare_metadata(context, Base.metadata))


def test_the_migrated_schema_is_that_of_the_models(database: Database) -> None:
    assert _differences(database) == []


def test_a_schema_that_differs_from_the_models_is_found(url: str) -> None:
    with open_database(url) as database:
        with database.write() as session:
            session.execute(text("ALTER TABLE runs ADD COLUMN extra INTEGER"))
            session.execute(text("DROP INDEX ix_rejected_updates_run_id_round"))
        assert len(_differences(database)) == 2


def test_every_constraint_has_the_name_that_the_models_give_it(postgresql_url: str) -> None:
    with open_database(postgresql_url) as database, database.read() as session:
        query = "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
        found = set(session.scalars(text(query))) - {f"{schema_version.TABLE}_pkc"}
    named = {str(constraint.name) for table in Base.metadata.tables.values() for constraint in table.constraints}
    assert found == named


def test_the_name_of_each_migration_is_its_revision_and_each_follows_the_one_before() -> None:
    with as_file(files("handfed.server") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        chain = [
            (script.revision, script.down_revision) for script in ScriptDirectory.from_config(config).walk_revisions()
        ]
    known = schema_version.known()
    assert chain[::-1] == list(zip(known, (None, *known), strict=False))


def test_a_database_of_newer_software_is_refused_and_left_alone(url: str) -> None:
    with open_database(url) as database, database.write() as session:
        session.execute(text("UPDATE handfed_schema SET version_num = '9999'"))
    with pytest.raises(StorageError, match=r"newer Handfed \(its schema is 9999, .* up to \d{4}\): update"):
        open_database(url)


def test_a_migration_that_was_interrupted_is_made_again(url: str) -> None:
    """A version table without a version is what a killed process leaves, where it leaves anything."""
    with open_database(url) as database, database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(text(f"DROP TABLE {table.name}"))
        session.execute(text("DELETE FROM handfed_schema"))
    with open_database(url) as database:
        assert _differences(database) == []


def test_a_migration_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("alembic.operations.Operations.bulk_insert", failing)  # the last step of the first migration
    with pytest.raises(KeyboardInterrupt):
        open_database(url)
    monkeypatch.undo()
    with open_database(url) as database:
        assert _differences(database) == []


def test_a_migration_is_written_from_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_file(files("handfed.server") / "migrations") as scripts:
        shutil.copytree(scripts, tmp_path / "migrations")
    changed = Base.metadata.tables["runs"].to_metadata(MetaData(naming_convention=Base.metadata.naming_convention))
    changed.append_column(Column("note", Text()))
    monkeypatch.setattr(Base, "metadata", changed.metadata)
    schema_version.write_migration("add a note", tmp_path / "migrations")
    *_, before, new = sorted((tmp_path / "migrations" / "versions").glob("0*.py"))
    written = new.read_text()
    compile(written, new.name, "exec")
    assert new.name.endswith("_add_a_note.py")
    assert f"down_revision = '{before.name[:4]}'" in written
    assert "batch_op.add_column(sa.Column('note'" in written
