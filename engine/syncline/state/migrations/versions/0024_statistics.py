"""Figures over tenants as they were told of a month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0021"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "statistics",
        sa.Column("month", NAME, primary_key=True),
        sa.Column("told", sa.Text(), nullable=False),
    )
