"""Alembic's way in: it works on the connection and in the transaction that it is given."""

from __future__ import annotations

from alembic import context

from controller.adapters.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
