"""The first tables, and the state's identity.

A migration states its tables itself: what `tables.py` says tomorrow must not change what this one did.
"""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("id", COUNT, primary_key=True, autoincrement=False),
        sa.Column("lineage", NAME, nullable=False),
        sa.Column("serial", COUNT, nullable=False),
    )
    op.create_table(
        "objects",
        *_key(),
        sa.Column("digest", NAME, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("place", NAME, nullable=False),
        sa.Column("revision", NAME, nullable=False),
        sa.Column("plan", NAME, nullable=False),
        sa.Column("generation", COUNT, nullable=False),
        sa.Column("applied", NAME, nullable=False),
    )
    op.create_table(
        "applies",
        sa.Column("number", COUNT, primary_key=True),
        sa.Column("id", NAME, nullable=False, unique=True),
        sa.Column("plan", NAME, nullable=False),
        sa.Column("revision", NAME, nullable=False),
        sa.Column("started", NAME, nullable=False),
        sa.Column("finished", NAME, nullable=False),
        sa.Column("outcome", NAME, nullable=False),
    )
    op.create_table(
        "steps",
        sa.Column("apply", NAME, sa.ForeignKey("applies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("index", COUNT, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("holder", NAME, nullable=False),
        sa.Column("process", NAME, nullable=False),
        sa.Column("token", COUNT, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_table("cursors", *_key(), sa.Column("checkpoint", sa.Text, nullable=False))
    op.create_table(
        "runs",
        sa.Column("id", NAME, primary_key=True),
        sa.Column("tenant", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("state", NAME, nullable=False),
        sa.Column("trigger", NAME, nullable=False),
        sa.Column("revision", NAME, nullable=False),
        sa.Column("plan", NAME, nullable=False),
        sa.Column("started", NAME, nullable=False),
        sa.Column("finished", NAME, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("error_code", NAME, nullable=False),
        sa.Column("parent", NAME, nullable=False),
        sa.Column("receipt", sa.JSON(none_as_null=True)),
        sa.Index("runs_by_object", "tenant", "kind", "name", "started"),
        sa.Index("runs_by_start", "started"),
    )
    op.create_table(
        "rejects",
        sa.Column("run", NAME, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sequence", COUNT, primary_key=True, autoincrement=False),
        sa.Column("count", COUNT, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
        sa.Column("retried", NAME, nullable=False),
    )
    op.create_table(
        "run_log",
        sa.Column("number", COUNT, primary_key=True),
        sa.Column("run", NAME, sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("time", NAME, nullable=False),
        sa.Column("level", NAME, nullable=False),
        sa.Column("operation", NAME, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Index("run_log_by_run", "run", "number"),
    )
    op.create_table(
        "metrics",
        *_key(),
        sa.Column("period", NAME, primary_key=True),
        sa.Column("counter", NAME, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
    op.execute(meta.insert().values(id=1, lineage=str(uuid4()), serial=0))


def _key() -> tuple[sa.Column[str], sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("tenant", NAME, primary_key=True),
        sa.Column("kind", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
    )
