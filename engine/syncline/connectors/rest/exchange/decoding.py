"""From an answer to records: the seam between reading pages and the formats that they are in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.connectors.rest.exchange.answer import Rows
from syncline.connectors.rest.exchange.content import Reading
from syncline.connectors.rest.exchange.formats import ACCEPT, JsonPages, Packed, Parse, Xml, json, json_lines
from syncline.connectors.rest.exchange.graphql import checks_of
from syncline.connectors.rest.exchange.rules import compile_rules
from syncline.kinds.content import Fields
from syncline.kinds.record import logical_schema
from syncline.model.errors import Invalid
from syncline.sdk.expression import Expression
from syncline.sdk.formats.inflate import Bounds
from syncline.sdk.formats.json_records import BadRecord, PageRecords, RecordDecoder
from syncline.sdk.formats.record_decoder import record_decoder
from syncline.sdk.formats.schema_pages import SchemaPages
from syncline.sdk.formats.shape import Shape
from syncline.sdk.formats.text_values import TextValues
from syncline.sdk.formats.whole import WHOLE
from syncline.sdk.formats.xml_document import list_path
from syncline.sdk.source import TOMBSTONE
from syncline.sdk.template import Template, TemplateError, compile_template

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.kinds.rest_stream import RestStream
    from syncline.model.schema import Field, Schema

_NO_SHAPE = Shape()
#: Parts of `page` that are expressions over a body: what has none would end after its first page, in silence.
_OVER_BODY = ("cursor", "next", "last", "total", "pages")


class Decoding(Protocol):
    """How the answers of one stream become records, and records columns. Keeps nothing between pages: any thread may
    decode.
    """

    @property
    def schema(self) -> Schema:
        """The fields of the records."""

    @property
    def reading(self) -> Reading:
        """How the body of an answer is read, for `Client.fetch`."""

    def decode(self, answer: Answer) -> PageRecords:
        """The records of an accepted answer that isn't empty. `Invalid` when it holds none where they should be."""

    def frame(self, records: Sequence[Any]) -> pl.DataFrame:
        """Columns of decoded records, with the types of `sdk/frame.py`."""

    def values(self, records: Sequence[Any], path: Sequence[str]) -> list[Any]:
        """The value of a scalar field of each record, by the names that lead to it; None where something is missing."""

    def encode(self, record: Any) -> bytes:
        """Bytes that are equal for equal records, within one schema."""

    def digest(self, answer: Answer) -> str:
        """SHA-256 of the records as the API gave them, in hex; what stands around them, such as a time, isn't in it."""


class _Records:
    """Records of answers in any format; a JSON document whose records stand as they come is decoded in one go."""

    def __init__(self, decoder: RecordDecoder, reading: Reading, shaping: _Shaping | None, *, paged: bool) -> None:
        self._decoder = decoder
        self._shaping = shaping
        self._paged = paged
        self.reading = reading
        self.schema = decoder.schema
        self.frame = decoder.frame
        self.values = decoder.values
        self.encode = decoder.encode

    def digest(self, answer: Answer) -> str:
        found = hashlib.sha256()
        for part in answer.parts or (answer.body,):
            if isinstance(part, Rows):
                for raw in (*part.raws, *(bad.raw.encode(errors="surrogatepass") for bad in part.bad)):
                    found.update(raw)
            else:
                found.update(self._decoder.listed(part))
        return found.hexdigest()

    def decode(self, answer: Answer) -> PageRecords:
        if answer.page is not None:
            return PageRecords(answer.page.records, range(len(answer.page.records)), ())
        if self._shaping is None and not answer.parts:
            return self._decoder.decode(answer.body)
        if self._paged and answer.document is None:
            raise Invalid(
                "the answer is an archive of several files, which has no body that `page` could look at",
                code="SYN432",
                help="Page by number, offset or header.",
            )
        raws: list[bytes] = []
        rows: list[int] = []
        bad: list[BadRecord] = []
        for part in answer.parts or (answer.body,):
            if isinstance(part, Rows):
                raws += part.raws
                rows += part.rows
                bad += part.bad
            else:
                found = self._decoder.raws(part)
                rows += range(len(raws) + len(bad), len(raws) + len(bad) + len(found))
                raws += found
        return (self._shaping or _Shaping()).decoded(self._decoder, raws, rows, bad)


class _Shaping(Struct, frozen=True):
    """What is done to records between their format and their schema."""

    shape: Shape = _NO_SHAPE
    texts: TextValues | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    def decoded(
        self, decoder: RecordDecoder, raws: list[bytes], rows: Sequence[int], bad: Sequence[BadRecord]
    ) -> PageRecords:
        """The records of a page that has these raw ones, at these indices, and others that are bad already."""
        listed = len(raws) + len(bad)
        skipped = 0
        bad = list(bad)
        if self.shape != _NO_SHAPE:
            shaped = self.shape.apply(raws, self.variables)
            bad += (BadRecord(rows[b.index], b.message, b.field, b.raw) for b in shaped.bad)
            raws, rows, skipped = shaped.raws, [rows[at] for at in shaped.rows], shaped.skipped
        if self.texts is not None:
            raws = self.texts.records(raws)
        page = decoder.decode_each(raws)
        bad += (BadRecord(rows[b.index], b.message, b.field, b.raw) for b in page.bad)
        bad.sort(key=lambda b: b.index)
        return PageRecords(page.good, [rows[at] for at in page.rows], tuple(bad), skipped, listed)


def compile_decoding(
    stream: RestStream, schema: Schema, config: Mapping[str, Any] | None = None, *, max_body: int = 64 * 1024 * 1024
) -> Decoding:
    """
    The decoding that a stream declares, into records of a schema. `config` are variables of its templates; `max_body`
    is how many bytes an answer may have when it is unpacked. Raises `Invalid` (SYN430, SYN432, SYN458).
    """
    over_body = [part for part in _OVER_BODY if isinstance(getattr(stream.page, part, None), str)]
    if over_body and stream.decode in {"csv", "jsonl"}:
        raise Invalid(f"answers in {stream.decode} have no body that page.{over_body[0]} could look at", code="SYN432")
    shape = compile_shape(stream.explode, _condition(stream), stream.flatten, stream.fields, config or {})
    texts = TextValues(schema) if stream.decode in {"csv", "xml"} and schema != WHOLE else None
    shaping = _Shaping(shape, texts, {"config": config or {}}) if texts is not None or shape != _NO_SHAPE else None
    decoder = record_decoder(schema, stream.records)
    parse = _parse(stream, schema)
    if parse is json and shaping is None and schema != WHOLE:
        parse = JsonPages(SchemaPages(decoder))
    reading = Packed(
        parse,
        Bounds(max_body),
        stream.compression,
        ACCEPT[stream.decode],
        compile_rules(stream.errors),
        (checks_of(stream.graphql),) if stream.graphql is not None else (),
    )
    return _Records(decoder, reading, shaping, paged=bool(over_body))


def compile_shape(
    explode: str | None, condition: str | None, flatten: str | None, fields: Fields, config: Mapping[str, Any]
) -> Shape:
    """Compiles declared reshaping, whose condition may look at settings. Raises `Invalid` (SYN430, SYN432)."""
    try:
        return Shape(
            explode or "",
            None if condition is None else Expression(condition, config),
            {name: _added(text) for name, text in fields.add.items()},
            flatten or "",
            frozenset(fields.remove),
            dict(fields.rename),
        )
    except TemplateError as error:
        raise Invalid(f"fields.add: {error.message}", code="SYN430") from error
    except ValueError as error:  # of jmespath
        raise Invalid(str(error).splitlines()[0], code="SYN432") from error


def _added(text: str) -> Template | Expression:
    return compile_template(text) if "{{" in text else Expression(text)


def with_tombstones(stream: RestStream) -> RestStream:
    """The stream with deleted records kept, whatever its filter says, and a field that tells them."""
    if stream.deleted is None:
        raise Invalid("the stream has no condition `deleted` that tells tombstones", code="SYN525")
    fields = stream.fields
    told = {**fields.add, TOMBSTONE: f"!(!({stream.deleted}))"}
    kept = None if stream.filter is None else f"({stream.filter}) || ({stream.deleted})"
    return stream.model_copy(
        update={"deleted": None, "filter": kept, "fields": fields.model_copy(update={"add": told})}
    )


def _condition(stream: RestStream) -> str | None:
    """What holds for the records that are kept."""
    if stream.deleted is None:
        return stream.filter
    alive = f"!({stream.deleted})"
    return alive if stream.filter is None else f"({stream.filter}) && {alive}"


def _parse(stream: RestStream, schema: Schema) -> Parse:
    match stream.decode:
        case "jsonl":
            return json_lines
        case "csv":
            from syncline.connectors.rest.exchange.csv_lines import csv_lines

            return csv_lines(stream.csv, _columns(stream, schema))
        case "xml":
            path = list_path(stream.records)
            return Xml((path,) if path else ())
        case _:
            return json


def _columns(stream: RestStream, schema: Schema) -> tuple[str, ...]:
    """The columns that a CSV must have: those of the schema, by the names that they have before reshaping."""
    return tuple(field.name for field in _before(stream, schema))


def _before(stream: RestStream, schema: Schema) -> tuple[Field, ...]:
    """The fields of a schema as records have them before reshaping; none of whole records."""
    if schema == WHOLE:
        return ()
    before = {new: old for old, new in stream.fields.rename.items()}
    return tuple(
        replace(field, name=before.get(field.name, field.name))
        for field in schema.fields
        if field.name not in stream.fields.add
    )


def asked_fields(stream: RestStream, schema: Schema) -> tuple[Field, ...]:
    """The fields that chunks ask for: those of the records, or of the field `chunk.of`, before reshaping."""
    if schema == WHOLE and stream.record_schema is not None:
        schema = logical_schema(stream.record_schema)  # whole records have at least the declared fields
    elif schema == WHOLE:
        raise Invalid(
            "whole records in chunks of fields, and nothing says which fields they have",
            code="SYN432",
            help="Declare them in the stream's schema.",
        )
    of = stream.chunk.of if stream.chunk else None
    if of is None:
        return _before(stream, schema)
    field = schema.get(of)
    if field is None or not field.fields:
        raise Invalid(
            f"chunk.of: the schema has no object {of!r} with fields",
            code="SYN432",
            help="Declare its properties in the stream's schema.",
        )
    return field.fields
