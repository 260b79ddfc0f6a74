"""What is remembered of writes to systems without transactions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "write_marks",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("flow", NAME, primary_key=True),
        sa.Column("epoch", NAME, nullable=False),
        sa.Column("checkpoint", sa.Text),
        sa.Column("begun", sa.Boolean, nullable=False),
    )
    op.create_table(
        "write_effects",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("flow", NAME, primary_key=True),
        sa.Column("effect", NAME, primary_key=True),
    )
    op.create_table(
        "write_records",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("integration", NAME, primary_key=True),
        sa.Column("place", NAME, primary_key=True),
        sa.Column("key", NAME, primary_key=True),
        sa.Column("id", NAME, nullable=False),
        sa.Column("version", NAME, nullable=False),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("pending", NAME, nullable=False),
    )
