"""Codes of drift, of adopting what is there, and of going back to earlier positions (SYN750 to SYN759)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN750",
        "nothing to heal by",
        "What is gone at a destination is healed by reading everything again. A flow that appends can't do that: it "
        "would write every row twice. And there is nothing to look at in an API.",
        "Let it be reported, or write by upsert or replace.",
        bad="spec: {from: crm/orders, mapping: order, to: warehouse/orders, write: append, drift: {tables: heal}}",
        good="spec: {from: crm/orders, mapping: order, to: warehouse/orders, write: upsert, drift: {tables: heal}}",
    ),
    Code(
        "SYN751",
        "a table of somebody else",
        "The flow writes to this table for the first time, and it is there already, with rows that no flow of Syncline "
        "wrote. An upsert would change rows of others, and a replace would drop them all.",
        "Write to another table, or say that it is to be taken over as it is: existing: adopt. `syncline plan --data` "
        "shows what would become of its rows.",
        bad="spec: {from: crm/orders, mapping: order, to: warehouse/orders}",
        good="spec: {from: crm/orders, mapping: order, to: warehouse/orders, existing: adopt}",
    ),
    Code(
        "SYN752",
        "nothing to adopt",
        "What somebody did at the destination can't be a change of a manifest. Only a dropped column can, by leaving "
        "out the field that is mapped to it, where the mapping is committed and has its fields one below the other.",
        "Change the manifest by hand, or bring back what is gone: `syncline run --full-refresh`.",
    ),
)
