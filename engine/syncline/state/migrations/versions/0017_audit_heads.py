"""How much of the audit log the state has seen, so that an older log beside it is noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0009"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("id", COUNT, primary_key=True, autoincrement=False),
        sa.Column("size", COUNT, nullable=False),
        sa.Column("root", NAME, nullable=False),
    )
