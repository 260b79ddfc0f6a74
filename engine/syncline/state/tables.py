"""The tables of the state, as SQLAlchemy Core sees them. What creates them is `migrations/`; a test compares the two.

Keys are kept as three columns, `tenant` empty for what is shared, so that a tenant's rows are found by an index and
never by a pattern. Times are RFC 3339 text in UTC, which sorts as it reads; only a lease's expiry is a number of
seconds.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

# Byte order in both databases, so that listings agree and a prefix is found by the index.
NAME = String().with_variant(String(collation="C"), "postgresql")

# 64 bits in both; SQLite numbers rows by itself only for a plain INTEGER.
COUNT = BigInteger().with_variant(Integer(), "sqlite")


def _key() -> tuple[Column[str], Column[str], Column[str]]:
    """The columns of an object's name, as part of the primary key."""
    return (
        Column("tenant", NAME, primary_key=True),
        Column("kind", NAME, primary_key=True),
        Column("name", NAME, primary_key=True),
    )


# One row, made by the first migration.
meta = Table(
    "meta",
    metadata,
    Column("id", COUNT, primary_key=True, autoincrement=False),
    Column("lineage", NAME, nullable=False),
    Column("serial", COUNT, nullable=False),
)

# At most one row: how much of the audit log this state has seen.
audit_heads = Table(
    "audit_heads",
    metadata,
    Column("id", COUNT, primary_key=True, autoincrement=False),
    Column("size", COUNT, nullable=False),
    Column("root", NAME, nullable=False),
)

objects = Table(
    "objects",
    metadata,
    *_key(),
    Column("digest", NAME, nullable=False),
    Column("document", Text, nullable=False),
    Column("place", NAME, nullable=False),
    Column("revision", NAME, nullable=False),
    Column("plan", NAME, nullable=False),
    Column("generation", COUNT, nullable=False),
    Column("applied", NAME, nullable=False),
    Column("source", NAME, nullable=False, server_default=""),
)

# `number` orders applies as they were begun; `finished` is empty while one is open.
applies = Table(
    "applies",
    metadata,
    Column("number", COUNT, primary_key=True),
    Column("id", NAME, nullable=False, unique=True),
    Column("plan", NAME, nullable=False),
    Column("revision", NAME, nullable=False),
    Column("started", NAME, nullable=False),
    Column("finished", NAME, nullable=False),
    Column("outcome", NAME, nullable=False),
    Column("environment", NAME, nullable=False, server_default=""),
    Column("source", NAME, nullable=False, server_default=""),
)

steps = Table(
    "steps",
    metadata,
    Column("apply", NAME, ForeignKey("applies.id", ondelete="CASCADE"), primary_key=True),
    Column("index", COUNT, primary_key=True, autoincrement=False),
    Column("step", Text, nullable=False),
    Column("done", Boolean, nullable=False),
)

# `process` tells whether the holder still lives (see `lease.py`). A row stays after its lease: the token only rises.
leases = Table(
    "leases",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("holder", NAME, nullable=False),
    Column("process", NAME, nullable=False),
    Column("token", COUNT, nullable=False),
    Column("expires", Double, nullable=False),
)

# A token of an API, sealed; empty after a logout. `claimed` is when the right of `process` to replace the version ends.
tokens = Table(
    "tokens",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("basis", NAME, primary_key=True),
    Column("version", COUNT, nullable=False),
    Column("sealed", LargeBinary),
    Column("expires", Double, nullable=False),
    Column("changed", NAME, nullable=False),
    Column("process", NAME, nullable=False),
    Column("claimed", Double, nullable=False),
)

cursors = Table("cursors", metadata, *_key(), Column("checkpoint", Text, nullable=False))

# Where syncs were when applies began: the same from the apply of one number to that of another (see `positions.py`).
positions = Table(
    "positions",
    metadata,
    *_key(),
    Column("first", COUNT, primary_key=True, autoincrement=False),
    Column("last", COUNT, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Index("positions_by_last", "last"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("state", NAME, nullable=False),
    Column("trigger", NAME, nullable=False),
    Column("revision", NAME, nullable=False),
    Column("plan", NAME, nullable=False),
    Column("started", NAME, nullable=False),
    Column("finished", NAME, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("error", Text, nullable=False),
    Column("error_code", NAME, nullable=False),
    Column("parent", NAME, nullable=False),
    Column("receipt", JSON(none_as_null=True)),
    Column("wait", JSON(none_as_null=True)),
    Column("requests", JSON(none_as_null=True)),
    Index("runs_by_object", "tenant", "kind", "name", "started"),
    Index("runs_by_start", "started"),
)

rejects = Table(
    "rejects",
    metadata,
    Column("run", NAME, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", COUNT, primary_key=True, autoincrement=False),
    Column("count", COUNT, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Column("retried", NAME, nullable=False),
)

run_log = Table(
    "run_log",
    metadata,
    Column("number", COUNT, primary_key=True),
    Column("run", NAME, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("time", NAME, nullable=False),
    Column("level", NAME, nullable=False),
    Column("operation", NAME, nullable=False),
    Column("message", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Index("run_log_by_run", "run", "number"),
)

# `period` is the start of the hour; one row a counter, so that adding to one is a single statement.
metrics = Table(
    "metrics",
    metadata,
    *_key(),
    Column("period", NAME, primary_key=True),
    Column("counter", NAME, primary_key=True),
    Column("value", Double, nullable=False),
)

# What writes to systems without transactions leave here (see `ledger.py`): how far each flow is, which effects of an
# unfinished batch are known to be applied, and what is known of each record. Keys of records are digests.
write_marks = Table(
    "write_marks",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("flow", NAME, primary_key=True),
    Column("epoch", NAME, nullable=False),
    Column("checkpoint", Text),
    Column("begun", Boolean, nullable=False),
)

write_effects = Table(
    "write_effects",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("flow", NAME, primary_key=True),
    Column("effect", NAME, primary_key=True),
)

write_records = Table(
    "write_records",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("integration", NAME, primary_key=True),
    Column("place", NAME, primary_key=True),
    Column("key", NAME, primary_key=True),
    Column("id", NAME, nullable=False),
    Column("version", NAME, nullable=False),
    Column("digest", NAME, nullable=False),
    Column("pending", NAME, nullable=False),
)

# Since when credentials are what they are (see `credentials.py`); the digest is keyed.
credentials = Table(
    "credentials",
    metadata,
    *_key(),
    Column("digest", NAME, nullable=False),
    Column("seen", NAME, nullable=False),
    Column("replaced", Boolean, nullable=False),
)

# How objects stand (see `statuses.py`): conditions as JSON, when the next attempt is due.
statuses = Table(
    "statuses",
    metadata,
    *_key(),
    Column("conditions", JSON, nullable=False),
    Column("generation", COUNT, nullable=False),
    Column("attempts", COUNT, nullable=False),
    Column("retry", NAME, nullable=False),
    Index("statuses_by_retry", "retry"),
)

# What happened to objects, for people; the newest only.
events = Table(
    "events",
    metadata,
    Column("number", COUNT, primary_key=True),
    Column("time", NAME, nullable=False),
    Column("tenant", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("mood", NAME, nullable=False),
    Column("reason", NAME, nullable=False),
    Column("message", Text, nullable=False),
    Column("revision", NAME, nullable=False),
    Column("run", NAME, nullable=False),
    Index("events_by_object", "tenant", "kind", "name", "number"),
)

# What was applied: of each finished apply that changed something, whose commit it was and the serial that it led to.
history = Table(
    "history",
    metadata,
    Column("apply", NAME, ForeignKey("applies.id", ondelete="CASCADE"), primary_key=True),
    Column("author", NAME, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("serial", COUNT, nullable=False),
    Column("objects", COUNT, nullable=False),
)

# Which approvals were used, for which objects: each counts once. `signers` is JSON.
approval_uses = Table(
    "approval_uses",
    metadata,
    Column("approval", NAME, primary_key=True),
    *_key(),
    Column("revision", NAME, nullable=False),
    Column("effects", NAME, nullable=False),
    Column("signers", JSON, nullable=False),
    Column("used", NAME, nullable=False),
)

# The revision of a source from which on commits count as those of what is held back; there while something is.
approval_bases = Table(
    "approval_bases",
    metadata,
    Column("source", NAME, primary_key=True),
    Column("revision", NAME, nullable=False),
)

# What is granted of each budget of requests (see `budget_book.py`).
budgets = Table(
    "budgets",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("book", Text, nullable=False),
)

# How far each subscription is (see `outbox.py`): a JSON text that `notify` makes and reads.
subscriptions = Table("subscriptions", metadata, *_key(), Column("position", Text, nullable=False))

# Messages of subscriptions. `due` is empty once a message is over.
outbox = Table(
    "outbox",
    metadata,
    Column("number", COUNT, primary_key=True),
    Column("id", NAME, nullable=False, unique=True),
    Column("tenant", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("thread", NAME, nullable=False),
    Column("phase", NAME, nullable=False),
    Column("event", JSON, nullable=False),
    Column("created", NAME, nullable=False),
    Column("state", NAME, nullable=False),
    Column("attempts", COUNT, nullable=False),
    Column("due", NAME, nullable=False),
    Column("finished", NAME, nullable=False),
    Column("ref", NAME, nullable=False),
    Column("error", Text, nullable=False),
    Column("error_code", NAME, nullable=False),
    Index("outbox_by_object", "tenant", "kind", "name", "number"),
    Index("outbox_by_due", "due"),
)

# Webhooks that schedules wait for. `mark` tells one from others, and is a digest of what the sender calls it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("number", COUNT, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("mark", NAME, nullable=False),
    Column("received", NAME, nullable=False),
    Index("deliveries_by_mark", "tenant", "kind", "name", "mark", unique=True),
    Index("deliveries_by_number", "tenant", "kind", "name", "number"),
)

# Commits that are proposed on branches of repositories, one for an object.
proposals = Table(
    "proposals",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("kind", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("cause", NAME, nullable=False),
    Column("branch", NAME, nullable=False),
    Column("tip", NAME, nullable=False),
    Column("code", NAME, nullable=False),
    Column("said", Text, nullable=False),
    Column("changed", NAME, nullable=False),
)

# What was applied of flows that are retired, each with what it stood on, as JSON texts.
retired_flows = Table(
    "retired_flows",
    metadata,
    *_key(),
    Column("applied", NAME, nullable=False),
    Column("documents", JSON, nullable=False),
)

# Requests to erase a person, who is a keyed hash here (see `erasures.py`); `finished` is empty while a place is left.
erasures = Table(
    "erasures",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("begun", NAME, nullable=False),
    Column("finished", NAME, nullable=False),
    Index("erasures_by_subject", "tenant", "subject"),
)

# What became of a request at the destination of each flow.
erasure_places = Table(
    "erasure_places",
    metadata,
    Column("request", NAME, ForeignKey("erasures.id", ondelete="CASCADE"), primary_key=True),
    *_key(),
    Column("destination", NAME, nullable=False),
    Column("field", NAME, nullable=False),
    Column("state", NAME, nullable=False),
    Column("rows", COUNT, nullable=False),
    Column("rejects", COUNT, nullable=False),
    Column("message", Text, nullable=False),
)

# Who isn't to come back (see `suppressions.py`), by the request that erased them; `sealed` is null once it is lifted.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("kind", NAME, nullable=False),
    Column("subject", NAME, nullable=False),
    Column("since", NAME, nullable=False),
    Column("sealed", LargeBinary),
    Column("lifted", NAME, nullable=False),
    Column("lifted_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("suppressions_by_kind", "tenant", "kind", "lifted"),
)

# Tenants that leave (see `tenants.py`); `finished` is empty while something of one is left.
offboardings = Table(
    "offboardings",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("revision", NAME, nullable=False),
    Column("begun", NAME, nullable=False),
    Column("finished", NAME, nullable=False),
    Column("archive", NAME, nullable=False),
    Index("offboardings_by_tenant", "tenant", "begun"),
)

# Figures over tenants, as they were told of a month: JSON (see `tenancy.statistics`).
statistics = Table(
    "statistics",
    metadata,
    Column("month", NAME, primary_key=True),
    Column("told", Text, nullable=False),
)

# What was taken away of each, step by step.
offboarding_steps = Table(
    "offboarding_steps",
    metadata,
    Column("request", NAME, ForeignKey("offboardings.id", ondelete="CASCADE"), primary_key=True),
    Column("what", NAME, primary_key=True),
    Column("subject", NAME, primary_key=True),
    Column("state", NAME, nullable=False),
    Column("count", COUNT, nullable=False),
    Column("message", Text, nullable=False),
)
