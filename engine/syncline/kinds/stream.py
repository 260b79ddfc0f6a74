"""Streams: the record schema they share, streams of files, and streams of an HTTP API."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

from msgspec.structs import replace
from pydantic import Field

from syncline.kinds.base import DataClass, Jmespath, Spec
from syncline.kinds.content import Chunk, Compression, Fields, Format
from syncline.kinds.erase import Erase
from syncline.kinds.job import File, Job
from syncline.kinds.reading import Cursor, For, Page
from syncline.kinds.request import Request
from syncline.kinds.rule import ErrorRule
from syncline.kinds.write import Writes
from syncline.model.encodings import Encoding
from syncline.model.schema import DataType, Schema
from syncline.model.schema import Field as SchemaField

_KEY = "Fields that identify a record at the source, for people; an upsert goes by the key of its mapping."


class Property(Spec):
    """A field of a record, in the part of JSON Schema that has one meaning for data."""

    type: Annotated[
        Literal["string", "integer", "number", "boolean", "object", "array", "any"],
        Field(description="JSON type. `number` keeps its exact digits; `any` keeps the JSON text."),
    ]
    format: Annotated[
        Literal["date", "date-time", "time", "email", "uri", "uuid"] | None,
        Field(description="How a string is written, for people. It isn't checked: the mapping casts and checks."),
    ] = None
    nullable: Annotated[
        bool, Field(description="Whether it may be null or missing; where not, such a JSON record is rejected.")
    ] = True
    description: Annotated[str, Field(description="What it means, for people; it has no effect.")] = ""
    enum: Annotated[tuple[str, ...], Field(description="Values that it takes, for people; they aren't checked.")] = ()
    properties: Annotated[
        dict[str, "Property"], Field(description="Fields of an object by name; others aren't read.")
    ] = {}
    items: Annotated["Property | None", Field(description="What each element of an array is.")] = None
    data_class: Annotated[
        DataClass | None,
        Field(
            alias="x-class", description="Class of the data in it, such as pii.email; policy follows it to its targets."
        ),
    ] = None


class RecordSchema(Spec):
    """The schema of a stream's records. Fields that it doesn't list are not read."""

    type: Annotated[Literal["object"], Field(description="Always object: a record has named fields.")] = "object"
    properties: Annotated[
        dict[str, "Property"], Field(min_length=1, description="Fields of a record by name, with their types.")
    ]
    required: Annotated[
        tuple[str, ...], Field(description="Fields that every record has; a JSON record without one is rejected.")
    ] = ()


class _Dialect(Spec):
    """What dialects of CSV have in common."""

    quote: Annotated[
        str,
        Field(min_length=1, max_length=1, description="ASCII character around texts; doubled, it stands for itself."),
    ] = '"'
    header: Annotated[bool, Field(description="Whether the first line names the columns.")] = True
    columns: Annotated[
        tuple[str, ...], Field(description="Names of the columns in their order, when there is no header.")
    ] = ()
    nulls: Annotated[tuple[str, ...], Field(description="Texts that mean null where they aren't quoted.")] = ("",)


class Csv(_Dialect):
    """The dialect of CSV (RFC 4180 by default)."""

    delimiter: Annotated[
        str, Field(min_length=1, max_length=1, description="ASCII character between the columns of a line.")
    ] = ","
    encoding: Annotated[
        Encoding,
        Field(description="Encoding of the text; a record that isn't in it is rejected."),
    ] = "utf-8"


class FileCsv(_Dialect):
    """The dialect of a CSV file (RFC 4180 by default). What is `auto` is found out from the first file of a read."""

    delimiter: Annotated[
        Literal["auto"] | Annotated[str, Field(min_length=1, max_length=1)],
        Field(
            description="ASCII character between the columns of a line; auto finds out which of , ; | and tab it is."
        ),
    ] = ","
    encoding: Annotated[
        Literal["auto", "utf-16", Encoding],
        Field(
            description="Encoding of the text; a record that isn't in it is rejected. auto finds out whether it is "
            "utf-8, windows-1252, or utf-16 by its byte order mark."
        ),
    ] = "utf-8"


class Excel(Spec):
    """A table in a workbook (.xlsx, ISO/IEC 29500)."""

    sheet: Annotated[str, Field(description="Name of the worksheet; absent, the first one.")] = ""
    header: Annotated[
        int, Field(ge=1, le=1000, description="Number of the row that names the columns; records follow it.")
    ] = 1


class FixedColumn(Spec):
    """A column of a line of fixed width."""

    name: Annotated[str, Field(min_length=1, description="Name of the column.")]
    start: Annotated[int, Field(ge=1, description="Its first character in the line, counted from 1.")]
    width: Annotated[int, Field(ge=1, description="How many characters it has.")]


class Fixed(Spec):
    """The layout of a file of fixed width: columns by their positions in each line."""

    columns: Annotated[
        tuple[FixedColumn, ...], Field(min_length=1, description="Columns; characters that none covers aren't read.")
    ]
    encoding: Annotated[
        Encoding,
        Field(description="Encoding of the text; a line that isn't in it is rejected."),
    ] = "utf-8"
    skip: Annotated[int, Field(ge=0, le=1000, description="Lines at the start that are no records.")] = 0
    trim: Annotated[bool, Field(description="Whether blanks around a value are taken off.")] = True


#: How a file is packed; `auto` goes by its ending.
Packing = Literal["auto", "none", "gzip", "zstd", "zip"]
#: Endings of packed files.
PACKED: Mapping[str, Packing] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".zip": "zip"}

FileFormat = Literal["csv", "jsonl", "json", "parquet", "excel", "fixed", "xml"]
_ENDINGS: Mapping[str, FileFormat] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xml": "xml",
}
#: Formats whose values are all text, whatever a schema says of their type; and those that name their own columns.
TEXTS: frozenset[str] = frozenset({"csv", "excel", "fixed"})
SELF_DESCRIBING: frozenset[str] = frozenset({"csv", "excel", "fixed", "parquet"})


def format_by_name(name: str) -> FileFormat | None:
    """The format that a file's or a pattern's ending says, packed or not; None for one that says nothing.

    >>> format_by_name("customers-*.csv.gz"), format_by_name("export.zip/a.jsonl"), format_by_name("export")
    ('csv', 'jsonl', None)
    """
    path = PurePosixPath(name)
    if path.suffix.lower() in PACKED:
        path = path.with_suffix("")
    return _ENDINGS.get(path.suffix.lower())


#: A glob over names of files.
Pattern = Annotated[str, Field(min_length=1)]


class FileStream(Spec):
    """Records in files: globs under the integration's root."""

    files: Annotated[
        Pattern | Annotated[tuple[Pattern, ...], Field(min_length=1)],
        Field(description="Glob under the integration's root, or a list: customers-*.csv, read in the order of names."),
    ]
    format: Annotated[
        FileFormat | None,
        Field(description="Format of all its files; absent, the files' ending says it."),
    ] = None
    packing: Annotated[
        Packing,
        Field(
            description="How its files are packed; auto goes by their ending: .gz, .zst, .zip. The files of a zip "
            "archive are read in its order; declare their format."
        ),
    ] = "auto"
    members: Annotated[
        str,
        Field(
            description="Glob over the files inside zip archives: the others are passed over. Absent: all of them, at "
            "any depth. Example: **/*.csv."
        ),
    ] = ""
    csv: Annotated[FileCsv, Field(description="Dialect, where the format is csv.")] = FileCsv.model_construct()
    excel: Annotated[Excel, Field(description="Where the table is, where the format is excel.")] = (
        Excel.model_construct()
    )
    fixed: Annotated[Fixed | None, Field(description="Layout of a line, where the format is fixed.")] = None
    records: Annotated[
        Jmespath,
        Field(
            description="Where the records are in a document, where the format is json: data[]. In XML, the path of "
            "their elements: catalog.item[]."
        ),
    ] = "@"
    key: Annotated[tuple[str, ...], Field(description=_KEY)] = ()
    record_schema: Annotated[
        RecordSchema | None,
        Field(
            alias="schema",
            description="Fields that are read, with types and classes of data; columns of a CSV file, a worksheet and "
            "of fixed width stay text. Absent: what the files themselves say.",
        ),
    ] = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Its globs."""
        return (self.files,) if isinstance(self.files, str) else self.files


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
    key: Annotated[tuple[str, ...], Field(description=_KEY)] = ()
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


#: Which columns a JSON type holds; `any` holds all. Numbers that a text holds keep their digits.
_HOLDS: dict[str, frozenset[str]] = {
    "string": frozenset({"string", "date", "time", "timestamp", "datetime", "binary", "decimal", "integer", "int32"}),
    "integer": frozenset({"integer", "int32"}),
    "number": frozenset({"integer", "int32", "decimal", "float"}),
    "boolean": frozenset({"boolean"}),
    "object": frozenset({"json"}),
    "array": frozenset({"json"}),
}


def misfit(column: DataType, prop: Property | None) -> str:
    """Why a column can't be written to a field (None: it isn't declared, and holds everything); empty if it can."""
    if column.name == "number" or prop is None or prop.type == "any":
        return "needs an exact type in the mapping, such as decimal(14,2)" if column.name == "number" else ""
    whole = column.name == "decimal" and column.scale == 0 and prop.type == "integer"
    if column.name in _HOLDS[prop.type] or whole:
        return ""
    return f"is {prop.type}, which can't hold {column}"


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
