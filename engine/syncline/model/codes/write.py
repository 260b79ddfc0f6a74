"""Codes of findings about writes to APIs, and about deletes (SYN52x, SYN577)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN520",
        "stream can't be written so",
        "The stream of the API declares no `write`, or not the requests that the flow's write mode needs. An API can't "
        "be written by replace: nothing can be put in place at once.",
        "Use another write mode, or declare the request in the connector: see `syncline explain Connector`.",
        bad="write: replace",
        good="write: upsert",
    ),
    Code(
        "SYN521",
        "column doesn't fit the API's stream",
        "The mapping makes a column that the stream's schema doesn't have, or whose type its field can't hold.",
        "Change the mapping, or the stream's schema in the connector.",
    ),
    Code(
        "SYN522",
        "answer to a write can't be used",
        "The answer doesn't say which ids the records have, has no result for each of them, or comes from elsewhere: a "
        "redirected request is no write. The records may have been written.",
        "Compare the expressions under `write` with the vendor's documentation, then run again.",
    ),
    Code(
        "SYN523",
        "record refused by the API",
        "The API doesn't take a record. In a run, such records become rejects and the others are written.",
        "`syncline runs rejects RUN` shows what the API says of each.",
    ),
    Code(
        "SYN524",
        "record may be created twice",
        "The request that creates a record carries no idempotency key and the stream declares no `find`: where a run "
        "is killed, or an answer lost, after a creation and before it is known, the next attempt creates it again.",
        "Send `idempotency_key` if the API knows such a header, or declare how a record is found by its key.",
        good='create: {post: /contacts, headers: {Idempotency-Key: "{{ idempotency_key }}"}}',
    ),
    Code(
        "SYN525",
        "rows can't be deleted so",
        "`deletes` needs a source that tells which records were deleted (`deleted` of its stream), write: upsert, and "
        "a database as destination, or, for `hard`, an API with `write.delete`. "
        "Rows that are only missing from a full read are for `absent`.",
        "Declare `deleted` in the connector, use absent: delete or write: replace to drop what is gone, or leave "
        "`deletes` out.",
    ),
    Code(
        "SYN526",
        "column is kept for soft deletes",
        "`deletes: soft` keeps the time of a row's deletion in the column deleted_at, which the mapping makes as well.",
        "Give the mapping's field another name, or use deletes: hard.",
    ),
    Code(
        "SYN527",
        "too many deletes",
        "The run would delete more rows than guards.maxDeletes allows. Of the batch that would have done so nothing is "
        "committed; what was committed before it stays.",
        "Look whether the records are really gone at the source; if so, raise guards.maxDeletes and run again.",
    ),
    Code(
        "SYN577",
        "stream that can't be read back",
        "Records at an API are compared with those of a flow by reading the stream that the flow writes to. The "
        "records of this one are told apart by other fields than the flow's rows, so that several could be of one row.",
        "Declare the flow's key as the stream's `key` in the connector, if no two of its records share one.",
        bad="contacts: {get: /contacts, key: [ref], write: {create: {post: /contacts}}}",
        good="contacts: {get: /contacts, key: [id], write: {create: {post: /contacts}}}",
    ),
)
