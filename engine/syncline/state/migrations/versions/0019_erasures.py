"""Requests to erase a person, and what became of them at each place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", NAME, primary_key=True),
        sa.Column("tenant", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("subject", NAME, nullable=False),
        sa.Column("begun", NAME, nullable=False),
        sa.Column("finished", NAME, nullable=False),
        sa.Index("erasures_by_subject", "tenant", "subject"),
    )
    op.create_table(
        "erasure_places",
        sa.Column("request", NAME, sa.ForeignKey("erasures.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("destination", NAME, nullable=False),
        sa.Column("field", NAME, nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("rows", COUNT, nullable=False),
        sa.Column("rejects", COUNT, nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
    )
