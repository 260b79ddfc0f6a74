"""Codes of what retiring objects takes with it (SYN780 to SYN789)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN780",
        "more deletes than the tenant allows",
        "The plan retires a larger part of a tenant's objects than its maxDeletes allows. What was applied before "
        "counts: a commit can't raise the bound for what it retires itself.",
        "Look at what the plan deletes. If it is meant: retire them in several commits, raise maxDeletes by a commit "
        "of its own before, or plan and apply with --allow-deletes.",
    ),
    Code(
        "SYN781",
        "a table that can't go with its flow",
        "With deletion: delete the table of a flow is dropped when the flow is retired. That is for tables of "
        "databases which the flow itself fills: not for files and APIs, nor for a table that was adopted with rows of "
        "others.",
        "Leave the table: deletion: retain, and drop it by hand where it is meant.",
        bad="spec: {from: crm/orders, mapping: order, to: warehouse/orders, existing: adopt, deletion: delete}",
        good="spec: {from: crm/orders, mapping: order, to: warehouse/orders, deletion: delete}",
    ),
)
