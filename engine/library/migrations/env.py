"""What Alembic runs before the migrations: they take the connection of `running`, as it is."""

from __future__ import annotations

from alembic import context

from engine.library.migrations.running import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    # SQLite cannot alter a column; Alembic then copies its table.
    render_as_batch=True,
)
# No `begin_transaction`: we are in one, which whoever opened it commits.
context.run_migrations()
