"""Approvals that were used, and the revision from which on commits count as those of what waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0011"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "approval_bases",
        sa.Column("source", NAME, primary_key=True),
        sa.Column("revision", NAME, nullable=False),
    )
    op.create_table(
        "approval_uses",
        sa.Column("approval", NAME, primary_key=True),
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("revision", NAME, nullable=False),
        sa.Column("effects", NAME, nullable=False),
        sa.Column("signers", sa.JSON(), nullable=False),
        sa.Column("used", NAME, nullable=False),
    )
