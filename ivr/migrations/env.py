"""How Alembic reaches the database: over the connection that `ivr.migrations` hands it."""

from __future__ import annotations

from alembic import context

import ivr.tables  # noqa: F401 - registers the application's tables
from billing.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
