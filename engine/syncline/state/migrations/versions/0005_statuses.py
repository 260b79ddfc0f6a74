"""How objects stand, what happened to them, and what was applied before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "statuses",
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("conditions", sa.JSON, nullable=False),
        sa.Column("generation", COUNT, nullable=False),
        sa.Column("attempts", COUNT, nullable=False),
        sa.Column("retry", NAME, nullable=False),
    )
    op.create_index("statuses_by_retry", "statuses", ["retry"])
    op.create_table(
        "events",
        sa.Column("number", COUNT, primary_key=True),
        sa.Column("time", NAME, nullable=False),
        sa.Column("tenant", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("mood", NAME, nullable=False),
        sa.Column("reason", NAME, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("revision", NAME, nullable=False),
        sa.Column("run", NAME, nullable=False),
    )
    op.create_index("events_by_object", "events", ["tenant", "kind", "name", "number"])
    op.create_table(
        "history",
        sa.Column("apply", NAME, sa.ForeignKey("applies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("author", NAME, nullable=False),
        sa.Column("subject", NAME, nullable=False),
        sa.Column("serial", COUNT, nullable=False),
        sa.Column("objects", COUNT, nullable=False),
    )
