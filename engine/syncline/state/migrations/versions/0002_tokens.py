"""Tokens of APIs, sealed, with what lets one of many processes renew them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("basis", NAME, primary_key=True),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("changed", NAME, nullable=False),
        sa.Column("process", NAME, nullable=False),
        sa.Column("claimed", sa.Double, nullable=False),
    )
