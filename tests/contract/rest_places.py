"""An API that the shipped checks of destinations write to: every column is kept as it was sent."""

from __future__ import annotations

import base64
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from syncline.connectors.rest.writing.destination import RestDestination
from syncline.connectors.rest.writing.values import encode
from syncline.sdk.frame import target_frame_schema
from tests.rest_streams import FakeClock, FunctionTransport, instance

if TYPE_CHECKING:
    from syncline.model.schema import Schema
    from syncline.sdk.ledger import Ledger
    from tests.writing_api import Contacts

WAYS = {
    "ids": """
      id: body.ref
      create: {post: /NAME, headers: {Idempotency-Key: "{{ idempotency_key }}"}}
      update: {patch: "/NAME/{{ id }}"}
    """,
    "search": """
      id: body.ref
      create: {post: /NAME}
      update: {patch: "/NAME/{{ id }}"}
      find: {get: /NAME, query: {id: "{{ record.id }}"}, id: "body.items[].ref"}
    """,
    "put": """
      create: {post: /NAME, headers: {Idempotency-Key: "{{ idempotency_key }}"}}
      upsert: {put: "/NAME/by-key/{{ record.id }}"}
    """,
    "batches": """
      create:
        post: /NAME/batch
        headers: {Idempotency-Key: "{{ idempotency_key }}"}
        batch: {size: 2, into: body.inputs, results: "body.results", id: ref, failed: error, message: error}
      update: {patch: "/NAME/{{ id }}"}
    """,
    "together": """
      id: body.ref
      concurrency: 3
      create: {post: /NAME, headers: {Idempotency-Key: "{{ idempotency_key }}"}}
      update: {patch: "/NAME/{{ id }}"}
    """,
}
_SCHEMA = """
    schema:
      properties:
        id: {type: integer}
        name: {type: string}
        small: {type: integer}
        price: {type: number}
        ratio: {type: number}
        active: {type: boolean}
        born: {type: string, format: date}
        daily: {type: string}
        seen: {type: string, format: date-time}
        local: {type: string}
        extra: {type: any}
        raw: {type: string}
        added: {type: string}
"""


def connector(way: str) -> str:
    """A connector whose streams are written in that way; `id_` is what the API is searched by."""
    streams = "".join(
        f"  {name}:\n    get: /{name}\n    write:{WAYS[way].replace('NAME', name)}{_SCHEMA}"
        for name in ("conformance", "conformance_append", "conformance_upsert")
    )
    return f"http: {{retry: {{attempts: 1}}}}\nstreams:\n{streams}"


def destination(api: Contacts, ledger: Ledger, way: str) -> RestDestination:
    """A destination that writes to the API in memory."""
    made = instance(connector(way), ledger=ledger)
    return RestDestination(made, transport=FunctionTransport(api), clock=FakeClock(), chance=lambda: 1.0)


def rows(api: Contacts, stream: str, schema: Schema) -> pl.DataFrame:
    """What the API holds, as columns."""
    found = [[_value(record.get(f.name), f.type.name) for f in schema.fields] for record in api.of(stream)]
    return pl.DataFrame(found, schema=target_frame_schema(schema), orient="row")


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    match kind:
        case "decimal":
            return Decimal(value)
        case "float":
            return float(value)
        case "date":
            return date.fromisoformat(value)
        case "time":
            return time.fromisoformat(value)
        case "timestamp" | "datetime":
            return datetime.fromisoformat(value)
        case "json":
            return encode(value).decode()
        case "binary":
            return base64.b64decode(value)
        case _:
            return value


def losing(api: Contacts, ledger: Ledger, way: str, effect: int) -> RestDestination:
    """A destination that loses the answer to its effect of that number, from now on."""
    api.lose = frozenset({api.effects + effect})
    return destination(api, ledger, way)
