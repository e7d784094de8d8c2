"""Alembic runs this to migrate: on the connection it is given, within that connection's transaction.

`handfed.server.schema_version` gives the connection, and says how a migration is written.
"""

from __future__ import annotations

from alembic import context

import handfed.server.tables  # noqa: F401 - tables are known once their models are imported
from handfed.server.base import Base
from handfed.server.schema_version import TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=TABLE,
    transactional_ddl=True,  # also on SQLite, since our transactions begin where they should
    render_as_batch=True,  # SQLite can alter few things of a table in place
)
with context.begin_transaction():
    context.run_migrations()
