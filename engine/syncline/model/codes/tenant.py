"""Codes of what a tenant's quotas allow (SYN846 to SYN849)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN846",
        "no turn yet",
        "As many runs of the tenant are under way as its quota allows (spec.quotas.concurrentRuns). A daemon starts it "
        "when one of them has ended.",
        "Wait, or raise the quota.",
    ),
    Code(
        "SYN847",
        "the rows of today are written",
        "Runs of the tenant have written as many rows today (UTC) as its quota allows (spec.quotas.rowsPerDay). The "
        "run was stopped after a commit, and goes on from there tomorrow.",
        "Wait, or raise the quota.",
    ),
)
