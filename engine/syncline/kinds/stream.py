"""Streams: the record schema they share, streams of files, and streams of an HTTP API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from syncline.kinds.base import DataClass, Duration, Identifier, Jmespath, Spec, StreamName, Template
from syncline.model.schema import DataType, Schema
from syncline.model.schema import Field as SchemaField

Method = Literal["get", "post", "put", "patch", "delete"]


class Property(Spec):
    """A field of a record, in the part of JSON Schema that has one meaning for data."""

    type: Annotated[
        Literal["string", "integer", "number", "boolean", "object", "array", "any"],
        Field(description="JSON type. `number` keeps its exact digits; `any` keeps the JSON text."),
    ]
    format: Annotated[Literal["date", "date-time", "time", "email", "uri", "uuid"] | None, Field()] = None
    nullable: bool = True
    description: str = ""
    enum: tuple[str, ...] = ()
    properties: Annotated[dict[str, Property], Field(description="Fields of an object.")] = {}
    items: Annotated[Property | None, Field(description="Elements of an array.")] = None
    data_class: Annotated[DataClass | None, Field(alias="x-class", description="Class of the data in it.")] = None


class RecordSchema(Spec):
    """The schema of a stream's records. Fields that it doesn't list are not read."""

    type: Literal["object"] = "object"
    properties: Annotated[dict[str, Property], Field(min_length=1)]
    required: tuple[str, ...] = ()


class Csv(Spec):
    """The dialect of a CSV file (RFC 4180 by default)."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: Annotated[Literal["utf-8", "latin-1", "windows-1252"], Field()] = "utf-8"
    header: Annotated[bool, Field(description="Whether the first line names the columns.")] = True
    columns: Annotated[tuple[str, ...], Field(description="Column names, when there is no header.")] = ()
    nulls: Annotated[tuple[str, ...], Field(description="Unquoted texts that mean null.")] = ("",)


class FileStream(Spec):
    """Records in files: a glob under the integration's root."""

    files: Annotated[str, Field(min_length=1, description="A glob relative to the root: customers-*.csv.")]
    format: Annotated[
        Literal["csv", "jsonl", "parquet"] | None, Field(description="By the file's ending, if absent.")
    ] = None
    csv: Csv = Csv.model_construct()
    key: tuple[str, ...] = ()
    record_schema: Annotated[RecordSchema | None, Field(alias="schema")] = None


class Page(Spec):
    """How the next page is asked for; exactly one of `cursor`, `page`, `offset`, `next`, `link`."""

    cursor: Annotated[Jmespath | None, Field(description="Expression over the body that gives the next cursor.")] = None
    page: Annotated[str | None, Field(description="Where the page number goes: query.page.")] = None
    offset: Annotated[str | None, Field(description="Where the offset goes: query.offset.")] = None
    next: Annotated[Jmespath | None, Field(description="Expression over the body that gives the next URL.")] = None
    link: Annotated[str | None, Field(description="Relation of the Link header (RFC 8288): next.")] = None
    into: Annotated[str | None, Field(description="Where the cursor goes: query.cursor.")] = None
    start: Annotated[int, Field(ge=0, description="First page number.")] = 1
    size: Annotated[dict[str, int], Field(description="Page size and where it goes: {query.limit: 100}.")] = {}
    last: Annotated[Jmespath | None, Field(description="Expression over the body that is true on the last page.")] = (
        None
    )


class Cursor(Spec):
    """How a stream is read incrementally."""

    field: Annotated[str, Field(description="The field that grows: updated_at.")]
    type: Annotated[
        Literal["timestamp", "date", "integer", "epoch", "epoch_ms", "string"], Field(description="How it compares.")
    ] = "timestamp"
    start: Annotated[str | None, Field(description="First value: a literal, or config.NAME.")] = None
    into: Annotated[dict[str, Literal["start", "end"]], Field(description="Where bounds go: {query.from: start}.")] = {}
    window: Annotated[Duration | None, Field(description="Reads in windows of this length.")] = None
    lookback: Annotated[Duration | None, Field(description="Reads again this much before the last cursor.")] = None
    format: Annotated[str | None, Field(description="How it is written in a request (strftime); default ISO 8601.")] = (
        None
    )


class Request(Spec):
    """One HTTP request; exactly one method."""

    get: Template | None = None
    post: Template | None = None
    put: Template | None = None
    patch: Template | None = None
    delete: Template | None = None
    query: dict[str, Template] = {}
    headers: dict[str, Template] = {}
    body: JsonValue = None


class Writes(Spec):
    """Requests that create, update or delete a record."""

    create: Request | None = None
    update: Request | None = None
    upsert: Request | None = None
    delete: Request | None = None


class Parent(Spec):
    """A parent stream: this one is read once for each of its records."""

    each: Annotated[StreamName, Field(description="The parent stream.")]
    name: Annotated[Identifier, Field(alias="as", description="What its record is called in templates.")]


class RestStream(Request):
    """Records of an HTTP API."""

    records: Annotated[Jmespath, Field(description="Where the records are in the body: data[].")] = "@"
    key: tuple[str, ...] = ()
    page: Page | None = None
    cursor: Cursor | None = None
    parent: Annotated[Parent | None, Field(alias="for")] = None
    record_schema: Annotated[RecordSchema | None, Field(alias="schema")] = None
    write: Writes | None = None


def _field(name: str, prop: Property, *, required: bool) -> SchemaField:
    inner = prop.items if prop.type == "array" and prop.items else prop
    repeated = prop.type == "array" and prop.items is not None
    type_name = {"object": "json", "array": "json", "any": "json"}.get(inner.type, inner.type)
    fields = tuple(_field(n, p, required=False) for n, p in inner.properties.items()) if inner.type == "object" else ()
    known = {prop.data_class}.union(*(field.classes for field in fields))
    return SchemaField(
        name,
        DataType(type_name),
        nullable=prop.nullable and not required,
        data_class=prop.data_class or "",
        fields=fields,
        repeated=repeated,
        inner_classes=tuple(sorted(_classes(prop) - known)),
    )


def _classes(prop: Property) -> set[str]:
    """Classes of everything in a field, however deep."""
    inner = [*prop.properties.values(), *([prop.items] if prop.items else [])]
    return ({prop.data_class} if prop.data_class else set()).union(*map(_classes, inner))


def logical_schema(record: RecordSchema, key: tuple[str, ...] = ()) -> Schema:
    """The logical schema of a declared record schema. Objects without properties, and `any`, are JSON text."""
    fields = tuple(_field(n, p, required=n in record.required) for n, p in record.properties.items())
    return Schema(fields, key)


def text_schema(names: tuple[str, ...], declared: Schema | None = None) -> Schema:
    """The schema of a text file's columns: all strings, with the data classes of the declared schema."""
    found = {f.name: f for f in declared.fields} if declared else {}
    return Schema(tuple(_text(name, found.get(name)) for name in names))


def _text(name: str, declared: SchemaField | None) -> SchemaField:
    if declared is None:
        return SchemaField(name, DataType("string"))
    own = declared.data_class
    inner = tuple(sorted(declared.classes - {own}))
    return SchemaField(name, DataType("string"), data_class=own, inner_classes=inner)
