"""Codes of requests about a person's data (SYN840 to SYN845, SYN850 to SYN853, and SYN917)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN840",
        "a field that tells nobody",
        "A person is found at a destination by the value of one target field. It has to be written as a text or a "
        "whole number, from one source field: what is dropped or masked can't be found again, and of what is put "
        "together nobody can say which part is the person's. A keyed hash can.",
        "Name another target field, or protect this one by {hash: tenant}.",
        bad="spec: {key: [id], subject: {customer: email}, fields: [{to: id, from: id}, {to: email, from: email, "
        "protect: mask}]}",
        good="spec: {key: [id], subject: {customer: email}, fields: [{to: id, from: id}, {to: email, from: email, "
        "protect: {hash: tenant}}]}",
    ),
    Code(
        "SYN841",
        "not a subject",
        "A person is given as a kind of person and the value that tells which one: customer=ada@example.com.",
        "Use a name that a mapping has under `subject`. The value may come from standard input: --subject -.",
    ),
    Code(
        "SYN842",
        "nobody is told there",
        "No applied mapping of the tenant says by which field such a person is found, so nothing can be looked for.",
        "Declare `subject` in the mappings of the tenant's flows, and apply.",
    ),
    Code(
        "SYN843",
        "a person with too many rows",
        "The field has this one value in more rows than a person can have: it is a default, or tells a group.",
        "Declare a field under `subject` that tells people apart.",
    ),
    Code(
        "SYN844",
        "no such request",
        "There is no request of that id, or it has nothing open at that place.",
        "`syncline privacy list` shows requests, `syncline privacy show REQUEST` their places.",
    ),
    Code(
        "SYN845",
        "not a certificate",
        "The file isn't a certificate, was changed, or was signed by another key.",
        "Ask whoever issued it for the file and for what `syncline privacy key` prints.",
    ),
    Code(
        "SYN850",
        "nobody is suppressed by it",
        "No suppression goes by the id of that request, or it was lifted already. Who was erased twice goes by the "
        "first request that wasn't lifted.",
        "`syncline privacy suppressions` lists who isn't to come back, and by which request.",
    ),
    Code(
        "SYN851",
        "an API that erases nobody",
        "The connector declares no request that finds or deletes the records of a person by the field that the mapping "
        "tells people by.",
        "Declare `erase` of the stream in the connector, or erase the person there by hand and acknowledge it.",
    ),
    Code(
        "SYN852",
        "an API refused to erase somebody",
        "The API answered a request that finds or deletes a person's records with a refusal. What was deleted before "
        "it is, and the place stays open.",
        "Give the command again once the API takes it, or erase the person there by hand and acknowledge it.",
    ),
    Code(
        "SYN853",
        "rows whose age can't be told, or that can't be deleted by it",
        "With `retention`, rows are deleted once they are older than that by a field of the mapping: a date, a "
        "timestamp or a datetime, in a database. Files and APIs delete by themselves, or not at all. A pass "
        "deletes from the whole table, so that every flow which writes to it has to declare the same.",
        "Name such a field in retention.by; declare the same retention in every flow that writes to the table; or have "
        "the system delete, and declare handling.retention of its integration.",
    ),
    Code(
        "SYN855",
        "a table without the column that tells a person",
        "The table has rows, and no column of the field that the mapping names under `subject`: somebody renamed or "
        "dropped it, or the field is new and the flow hasn't run since. Whose the rows are can't be told.",
        "Run the flow, or give the column its name back, and give the command again; or have the person erased there "
        "by hand.",
    ),
    Code(
        "SYN917",
        "personal data of nobody",
        "A flow writes fields of a class pii.* or phi.* that aren't dropped, masked or generalised, and its mapping "
        "doesn't say whose they are, while other mappings of the tenant do. Nobody can be found there: a request to "
        "erase somebody stays open at it, until it is acknowledged by hand.",
        "Declare under `subject` of the mapping which target field tells a person.",
    ),
)
