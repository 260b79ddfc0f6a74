"""Codes about rows that are deleted because a read lacks them (SYN53x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN530",
        "what a read lacks can't be deleted so",
        "`absent: delete` removes the rows whose records a read no longer has. That needs a read of everything (read: "
        "full), write: upsert by a key, and a database as destination. With `deletes: soft`, rows that are marked "
        "would be removed at the next run.",
        "Use read: full, write: upsert and a database, or leave `absent` out.",
        bad="read: incremental\nabsent: delete",
        good="read: full\nabsent: delete\nguards: {maxDeletes: 5%}",
    ),
    Code(
        "SYN531",
        "deletes by absence without a bound",
        "A source that answers with less than it has, for whatever reason, looks like one whose records are gone. A "
        "bound says how many rows a run may delete by that.",
        "Declare guards.maxDeletes, as a share of the rows that are there or as a count.",
        bad="absent: delete",
        good="absent: delete\nguards: {maxDeletes: 5%}",
    ),
)
