"""Streams of an HTTP API."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec.structs import replace
from pydantic import Field

from syncline.kinds.base import Jmespath
from syncline.kinds.content import Chunk, Compression, Fields, Format
from syncline.kinds.erase import Erase
from syncline.kinds.file_stream import Csv
from syncline.kinds.job import File, Job
from syncline.kinds.reading import Cursor, For, Page
from syncline.kinds.record import KEY, RecordSchema, logical_schema
from syncline.kinds.request import Request
from syncline.kinds.rule import ErrorRule
from syncline.kinds.write import Writes
from syncline.model.schema import DataType, Schema
from syncline.model.schema import Field as SchemaField


class RestStream(Request):
    """Records of an HTTP API."""

    records: Annotated[
        Jmespath,
        Field(
            description="Where the records are in a response's body: data[]. In XML, the path of their elements: "
            "feed.entry[]. In CSV and JSONL each line is one."
        ),
    ] = "@"
    decode: Annotated[
        Format,
        Field(description="Format of the answers. Texts of CSV and XML become values of the types in the schema."),
    ] = "json"
    compression: Annotated[
        Compression,
        Field(
            description="How answers are packed, beyond Content-Encoding; auto looks at their first bytes. All files "
            "of a zip archive are read, in its order. What unpacks to more than http.maxBody is refused."
        ),
    ] = "auto"
    csv: Annotated[Csv, Field(description="Dialect, where answers are decoded as csv.")] = Csv.model_construct()
    explode: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Field with a list, each of whose elements becomes a record of its own, in place of the list.",
        ),
    ] = None
    filter: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath condition over a record, after explode; records for which it isn't true are skipped. "
            "config('NAME') in it is a setting, split(config('NAME')) a list of what commas separate in one."
        ),
    ] = None
    flatten: Annotated[
        Literal[".", "_"] | None,
        Field(
            description="Replaces objects by their fields, whose names are joined with it: with _, {a: {b: 1}} becomes "
            "a_b."
        ),
    ] = None
    fields: Annotated[
        Fields,
        Field(description="Fields that are added, removed and renamed; the schema is of the records after that."),
    ] = Fields.model_construct()
    file: Annotated[
        File | None,
        Field(description="File that is read, in place of a request; with `for`, one for each record of a parent."),
    ] = None
    job: Annotated[
        Job | None,
        Field(description="Job of the API that prepares the records, in place of a request."),
    ] = None
    chunk: Annotated[
        Chunk | None,
        Field(description="Asks for the schema's fields in several requests a page, where an API bounds their number."),
    ] = None
    errors: Annotated[
        tuple[ErrorRule, ...],
        Field(description="What this stream's responses mean; they come before http.errors."),
    ] = ()
    key: Annotated[tuple[str, ...], Field(description=KEY)] = ()
    page: Annotated[
        Page | None,
        Field(
            description="How further pages are asked for, by exactly one of cursor, page, offset, next and link. "
            "Absent: one request gives everything."
        ),
    ] = None
    cursor: Annotated[
        Cursor | None, Field(description="How it is read incrementally; read: incremental of a Sync needs it.")
    ] = None
    partitions: Annotated[
        For | tuple[For, ...],
        Field(
            alias="for",
            description="What it is read once for each of: records of a parent stream, or values; a list of them for "
            "one after another. What it was read for is a field of each record, by its name.",
        ),
    ] = ()
    deleted: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath condition over a record that says that it was deleted. Such records are not loaded: "
            "a run counts them as skipped, or deletes their rows, as deletes of a Sync says."
        ),
    ] = None
    record_schema: Annotated[
        RecordSchema | None,
        Field(
            alias="schema",
            description="Fields that are read, with types and classes; absent: what the mapping reads, untyped.",
        ),
    ] = None
    write: Annotated[
        Writes | None,
        Field(description="Requests that write records; a stream without them can only be read."),
    ] = None
    erase: Annotated[
        Erase | None,
        Field(description="Requests that erase a person, whose field is told by `subject` of the flows' mappings."),
    ] = None

    @property
    def read_for(self) -> tuple[For, ...]:
        """What it is read for each of; empty: it is read once."""
        return (self.partitions,) if isinstance(self.partitions, For) else self.partitions

    @property
    def read_for_at(self) -> tuple[tuple[tuple[str | int, ...], For], ...]:
        """Each of `read_for` with its path inside the stream's declaration."""
        if isinstance(self.partitions, For):
            return ((("for",), self.partitions),)
        return tuple((("for", number), item) for number, item in enumerate(self.partitions))


def scope_fields(
    streams: Mapping[str, RestStream], stream: RestStream, around: tuple[str, ...] = (), *, grouped: bool = False
) -> tuple[SchemaField, ...]:
    """
    The fields that tell what each record was read for: parents' records, outermost first, values, and windows.

    A parent without a declared schema is JSON text. Where several give one name, it has the fields of all of them. Of a
    group of parents no field tells which one a record is of; with `grouped`, what templates read of them is there too.
    """
    found: dict[str, SchemaField] = {}
    for item in stream.read_for:
        if item.each is None:
            fields: tuple[SchemaField, ...] = (SchemaField(item.name, DataType("string")),)
        elif item.each in around or item.each not in streams:
            continue  # a finding of validation
        else:
            parent = streams[item.each]
            own = logical_schema(parent.record_schema).fields if parent.record_schema else ()
            field = SchemaField(item.name, DataType("json"), fields=tuple(replace(f, nullable=True) for f in own))
            outer = scope_fields(streams, parent, (*around, item.each), grouped=grouped)
            fields = (*outer, field) if grouped or item.group is None else outer
        fields += tuple(SchemaField(values.name, DataType("string")) for values in item.times)
        for field in fields:
            known = found.get(field.name)
            found[field.name] = field if known is None else _merged(known, field)
    if stream.cursor is not None and stream.cursor.windows is not None:
        for name in stream.cursor.windows.columns:
            found.setdefault(name, SchemaField(name, DataType("string")))
    return tuple(found.values())


def _merged(one: SchemaField, other: SchemaField) -> SchemaField:
    names = {f.name for f in one.fields}
    return replace(one, fields=(*one.fields, *(f for f in other.fields if f.name not in names)))


def stream_schema(streams: Mapping[str, RestStream], name: str) -> Schema | None:
    """The schema of a stream's records with what they were read for; None where its own isn't declared."""
    stream = streams[name]
    if stream.record_schema is None:
        return None
    own = logical_schema(stream.record_schema, stream.key)
    return Schema((*own.fields, *scope_fields(streams, stream, (name,))), stream.key)
