"""What was applied of flows that are retired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "retired_flows",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("applied", NAME, nullable=False),
        sa.Column("documents", sa.JSON(), nullable=False),
    )
