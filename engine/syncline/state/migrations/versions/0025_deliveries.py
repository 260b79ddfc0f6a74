"""Webhooks that were delivered for schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OBJECT = ("tenant", "kind", "name")


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("number", COUNT, primary_key=True),
        *(sa.Column(name, NAME, nullable=False) for name in OBJECT),
        sa.Column("mark", NAME, nullable=False),
        sa.Column("received", NAME, nullable=False),
    )
    op.create_index("deliveries_by_mark", "deliveries", [*OBJECT, "mark"], unique=True)
    op.create_index("deliveries_by_number", "deliveries", [*OBJECT, "number"])
