"""Commits that are proposed on branches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "proposals",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("cause", NAME, nullable=False),
        sa.Column("branch", NAME, nullable=False),
        sa.Column("tip", NAME, nullable=False),
        sa.Column("code", NAME, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("changed", NAME, nullable=False),
    )
