"""Which source owns an object, and which one an apply was of; empty for the first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0012"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    schema = op.get_context().version_table_schema  # what alters a table doesn't find it by the connection's own
    for table in ("objects", "applies"):
        op.add_column(table, sa.Column("source", NAME, nullable=False, server_default=""), schema=schema)
