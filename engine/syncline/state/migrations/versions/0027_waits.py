"""What a run waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = op.get_context().version_table_schema  # what alters a table doesn't find it by the connection's own
    op.add_column("runs", sa.Column("wait", sa.JSON(none_as_null=True)), schema=schema)
