"""What is at an API: the records of a stream that flows write to, by the request that reads it."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.connectors.rest.exchange.request import connector_of
from syncline.connectors.rest.reading.source import RestSource
from syncline.kinds.rest_stream import stream_schema
from syncline.model.errors import Invalid
from syncline.sdk.source import Instance, SourceRequest


def open_rows(instance: Instance, stream: str, names: tuple[str, ...], key: tuple[str, ...]) -> RestSource:
    """A stream that is written to, as a source of these columns.

    `Invalid` (SYN577) where its records are told apart by something else than the flow's rows, and (SYN432) where the
    connector has no such stream.
    """
    spec, _ = connector_of(instance)
    declared = spec.streams.get(stream)
    if declared is not None and declared.key and set(declared.key) != set(key):
        raise Invalid(
            f"stream {stream!r} of {instance.name} can't be read back to be compared: its records are told apart by"
            f" {', '.join(declared.key)}, and the flow's rows by {', '.join(key)}",
            code="SYN577",
            help="Declare the flow's key as the stream's `key` in the connector, if no two of its records share one.",
        )
    schema = stream_schema(spec.streams, stream) if declared is not None else None
    if schema is None:
        return RestSource(instance, SourceRequest(stream, None, names, trial=True))
    schema = replace(schema, fields=tuple(field for field in schema.fields if field.name in names))
    return RestSource(instance, SourceRequest(stream, schema, (), trial=True))
