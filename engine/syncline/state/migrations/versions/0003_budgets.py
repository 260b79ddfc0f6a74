"""What is granted of each budget of requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("book", sa.Text, nullable=False),
    )
