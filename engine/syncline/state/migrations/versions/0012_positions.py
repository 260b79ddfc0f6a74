"""Positions as they were when the configuration changed, so that going back may go back to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0008"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "positions",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("first", COUNT, primary_key=True, autoincrement=False),
        sa.Column("last", COUNT, nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Index("positions_by_last", "last"),
    )
