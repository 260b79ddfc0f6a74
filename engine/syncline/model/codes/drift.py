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
)
