"""The environment that an apply was of; empty in repositories without environments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    schema = op.get_context().version_table_schema  # what alters a table doesn't find it by the connection's own
    op.add_column("applies", sa.Column("environment", NAME, nullable=False, server_default=""), schema=schema)
