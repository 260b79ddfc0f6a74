"""How far subscriptions are, and their messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("position", sa.Text, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("number", COUNT, primary_key=True),
        sa.Column("id", NAME, nullable=False, unique=True),
        sa.Column("tenant", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("thread", NAME, nullable=False),
        sa.Column("phase", NAME, nullable=False),
        sa.Column("event", sa.JSON, nullable=False),
        sa.Column("created", NAME, nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("attempts", COUNT, nullable=False),
        sa.Column("due", NAME, nullable=False),
        sa.Column("finished", NAME, nullable=False),
        sa.Column("ref", NAME, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("error_code", NAME, nullable=False),
    )
    op.create_index("outbox_by_object", "outbox", ["tenant", "kind", "name", "number"])
    op.create_index("outbox_by_due", "outbox", ["due"])
