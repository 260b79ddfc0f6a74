"""The requests of runs that didn't end well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = op.get_context().version_table_schema  # what alters a table doesn't find it by the connection's own
    op.add_column("runs", sa.Column("requests", sa.JSON(none_as_null=True)), schema=schema)
