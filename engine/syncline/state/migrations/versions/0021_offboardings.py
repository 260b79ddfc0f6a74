"""Tenants that leave, and what was taken away of each step by step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "offboardings",
        sa.Column("id", NAME, primary_key=True),
        sa.Column("tenant", NAME, nullable=False),
        sa.Column("revision", NAME, nullable=False),
        sa.Column("begun", NAME, nullable=False),
        sa.Column("finished", NAME, nullable=False),
        sa.Column("archive", NAME, nullable=False),
        sa.Index("offboardings_by_tenant", "tenant", "begun"),
    )
    op.create_table(
        "offboarding_steps",
        sa.Column("request", NAME, sa.ForeignKey("offboardings.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("what", NAME, primary_key=True),
        sa.Column("subject", NAME, primary_key=True),
        sa.Column("state", NAME, nullable=False),
        sa.Column("count", COUNT, nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
    )
