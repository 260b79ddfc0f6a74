"""What Alembic runs for an upgrade: in the transaction and the schema that `schema.py` gives it."""

from __future__ import annotations

from alembic import context

_attributes = context.config.attributes

context.configure(
    connection=_attributes["connection"],
    version_table_schema=_attributes["schema"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
