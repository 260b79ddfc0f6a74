"""Writers to an API that keeps contacts: what is declared of it, and the rows that go there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from syncline.connectors.rest.writing.destination import RestDestination
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Target
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.http import Request, Response
from syncline.sdk.ledger import MemoryLedger
from tests.rest_streams import FakeClock, FunctionTransport, instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.connectors.rest.writing.writer import RestWriter

SCHEMA = Schema((Field("email", DataType("string")), Field("name", DataType("string"))), ("email",))
KEYED = """
id: body.ref
version: headers.etag
create: {post: /contacts, headers: {Idempotency-Key: "{{ idempotency_key }}"}}
update: {patch: "/contacts/{{ id }}", headers: {If-Match: "{{ version }}"}}
read: {get: "/contacts/{{ id }}"}
"""
BLIND = "{id: body.ref, create: {post: /contacts}, update: {patch: '/contacts/{{ id }}'}}"
SEARCH = """
id: body.ref
create: {post: /contacts}
update: {patch: "/contacts/{{ id }}"}
find: {get: /contacts, query: {email: "{{ record.email }}"}, id: "body.items[].ref", record: "body.items[0]"}
"""


def opened(
    write: str,
    api: Callable[[Request], Response],
    *,
    mode: str = "upsert",
    ledger: MemoryLedger | None = None,
    schema: Schema = SCHEMA,
    http: str = "retry: {attempts: 2}",
    fields: str = "",
    clock: FakeClock | None = None,
) -> RestWriter:
    """A writer to the stream `contacts`."""
    indented = "\n".join(f"      {line}" for line in write.strip().splitlines())
    declared = f"\n    schema: {{properties: {fields}}}" if fields else ""
    text = f"http: {{{http}}}\nstreams:\n  contacts:\n    get: /contacts\n    write:\n{indented}{declared}\n"
    made = instance(text, ledger=MemoryLedger() if ledger is None else ledger, config={"site": "acme"})
    destination = RestDestination(
        made, transport=FunctionTransport(api), clock=clock or FakeClock(), chance=lambda: 0.0
    )
    return destination.open(Target("acme/Sync/contacts", "run1", "contacts", schema, mode))  # type: ignore[arg-type]  # parametrised


def frame(*rows: tuple[Any, ...], schema: Schema = SCHEMA) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=target_frame_schema(schema), orient="row")


ADA, BOB = ("ada@example.com", "Ada"), ("bob@example.com", "Bob")
