"""Records out of JSON pages, exactly: found in the page, decoded by a declared schema, turned into columns.

Nothing is coerced: `"1"` is no integer, `1.0` is none either, numbers keep their digits as text. A page decodes in one
go; only a page that has a bad record is decoded record by record, which sets the bad ones aside with the path and the
reason. In columns a missing field and a null are both null; a field that may not be null makes a record malformed in
either case. What this isn't: a check of documents (`json_document.py`), nor of values (the mapping's work).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl
from msgspec import Struct

from syncline.model.errors import Invalid
from syncline.model.schema import JSON, Field, Schema
from syncline.sdk.expression import Expression
from syncline.sdk.formats.json_columns import columns_of
from syncline.sdk.formats.json_document import exact_document
from syncline.sdk.formats.json_fields import Node, compile_field, convert, plain, struct_of

_MAX_RAW = 64 * 1024
_NAME = r"(?:[A-Za-z_][A-Za-z0-9_]*|\"[^\"\\]+\")"
_PATH = re.compile(rf"(?P<path>{_NAME}(?:\.{_NAME})*)(?:\[\*?\](?P<inner>(?:\.{_NAME})*))?")
_WHERE = re.compile(r" - at `\$(?P<path>[^`]*)`$")


class BadRecord(Struct, frozen=True):
    """A record that doesn't fit the schema: its index on the page, the reason, the field's path, its raw text.

    >>> page = RecordDecoder(Schema((Field("id", JSON),))).decode(b'[{"id": 1}, 2]')
    >>> page.bad[0].index, page.bad[0].message
    (1, 'Expected `object`, got `int`')
    """

    index: int
    message: str
    field: str
    raw: str


class PageRecords(Struct, frozen=True):
    """The records of a page. `good` are typed objects for `RecordDecoder.frame`; `rows` their indices on the page.

    `skipped` were filtered out. `listed` is how many records the page itself has, where that isn't what they add up to.

    >>> RecordDecoder(Schema((Field("id", JSON),))).decode(b'[{"id": 1}, 2]').count
    2
    """

    good: list[Any]
    rows: Sequence[int]
    bad: tuple[BadRecord, ...]
    skipped: int = 0
    listed: int | None = None

    @property
    def count(self) -> int:
        """Records on the page, well-formed or not, skipped or not."""
        return len(self.good) + len(self.bad) + self.skipped if self.listed is None else self.listed


class RecordDecoder:
    """Decodes pages of one stream. `records` is a JMESPath expression; simple paths are the fast ones.

    >>> from syncline.model.schema import INTEGER, NUMBER
    >>> decoder = RecordDecoder(Schema((Field("id", INTEGER), Field("price", NUMBER))), "data[]")
    >>> page = decoder.decode(b'{"data": [{"id": 9007199254740993, "price": 1.10}]}')
    >>> decoder.frame(page.good).row(0)
    (9007199254740993, '1.10')
    """

    def __init__(self, schema: Schema, records: str = "@") -> None:
        self.schema = schema
        self._nodes = tuple(compile_field(f"f{i}", field, field.name) for i, field in enumerate(schema.fields))
        self._struct = struct_of(self._nodes)
        self._one = msgspec.json.Decoder(self._struct)
        self._expression = records
        self._inner: tuple[str, ...] = ()
        self._typed: msgspec.json.Decoder[Any] | None = None
        self._raw: msgspec.json.Decoder[Any] | None = None
        self._compiled: Expression | None = None
        self._path: tuple[str, ...] = ()
        self._envelope(records)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The fields of the records, compiled."""
        return self._nodes

    @property
    def list_path(self) -> tuple[str, ...] | None:
        """The names that lead to the list of records in a page; None where it takes more than names to find them."""
        return None if self._compiled is not None or self._inner else self._path

    def decode(self, body: bytes) -> PageRecords:
        """
        The records of a page whose document has been checked.

        Raises `Invalid` (SYN413) when there is nothing at the records' expression: an error answered with status 200
        must not pass for an empty page. An explicit null, as some servers write an empty list, is no records.
        """
        if body[:1] == b"{" and not self._path and self._compiled is None and "[" not in self._expression:
            return self._one_by_one([body])  # a page that is one record
        if self._typed is not None:
            try:
                found = self._unwrap(self._typed.decode(body))
                if self._convert_all(found):
                    return PageRecords(found, range(len(found)), ())
            except msgspec.ValidationError:
                pass  # the slower way tells which record it is
        return self._one_by_one(self._raw_records(body))

    def decode_each(self, raws: Sequence[bytes]) -> PageRecords:
        """Records that stand each by itself, such as lines of JSON Lines, all of them checked documents."""
        try:
            found = [self._one.decode(raw) for raw in raws]
            if self._convert_all(found):
                return PageRecords(found, range(len(found)), ())
        except msgspec.ValidationError:
            pass  # the slower way tells which record it is
        return self._one_by_one(list(raws))

    def frame(self, records: Sequence[Any]) -> pl.DataFrame:
        """Columns of decoded records, with the types of `sdk/frame.py`."""
        return pl.DataFrame(columns_of(self._nodes, records))

    def values(self, records: Sequence[Any], path: Sequence[str]) -> list[Any]:
        """The value of a scalar field of each record, by the names that lead to it; None where something is missing."""
        nodes, values = self._nodes, list(records)
        for name in path:
            node = next((n for n in nodes if n.field.name == name), None)
            if node is None or node.field.repeated:
                raise Invalid(f"{'.'.join(path)} is no single field of the records", code="SYN433")
            values = [None if v is None else getattr(v, node.attribute) for v in values]
            nodes = node.children
        return values

    def encode(self, record: Any) -> bytes:
        """Bytes that are equal for equal records, within one schema, whichever way their page was read."""
        # What `SchemaPages` decodes has the order of the API's fields, which a read learns from its first pages.
        return msgspec.json.encode(record if isinstance(record, self._struct) else plain(self._nodes, record))

    def raws(self, body: bytes) -> list[bytes]:
        """The bytes of each record of a page, which may be no records of the schema."""
        return self._raw_records(body)

    def listed(self, body: bytes) -> bytes | msgspec.Raw:
        """
        The records of a page as they stand there, without what is around them: the bytes of their list. The whole page
        where nothing is at the records' expression.
        """
        try:
            if self._compiled is not None:
                return b"\n".join(self._selected(body))
            if not self._path or self._raw is None:
                return body
            page: Any = self._raw.decode(body)
        except (msgspec.ValidationError, Invalid):
            return body  # decoding it tells what is wrong
        for _ in self._path:
            page = page.f0
        return page  # type: ignore[no-any-return]  # of a struct made at run time

    # --- where the records are

    def _envelope(self, expression: str) -> None:
        """Compiles the page around the records: structs for the way down to a list, or a JMESPath program."""
        expression = expression.strip()
        if expression in {"@", "[]", "[*]", "@[]", "@[*]"}:
            self._typed = msgspec.json.Decoder(list[self._struct])  # type: ignore[name-defined]  # made at run time
            self._raw = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])
            return
        match = _PATH.fullmatch(expression)
        if match is None:
            self._compiled = Expression(expression)
            return
        path, inner = _names(match["path"]), _names((match["inner"] or "").lstrip("."))
        self._path, self._inner = path, inner
        item = _wrapped(self._struct, inner)
        self._typed = msgspec.json.Decoder(_wrapped(list[item] | None, path))  # type: ignore[valid-type]  # likewise
        self._raw = msgspec.json.Decoder(_wrapped(msgspec.Raw, path))

    def _unwrap(self, page: Any) -> list[Any]:
        for _ in self._path:
            page = page.f0
        for _ in self._inner:
            page = [item.f0 for item in page or ()]
        return page if page is not None else []

    def _raw_records(self, body: bytes) -> list[bytes]:
        """The bytes of each record."""
        if self._compiled is not None:
            return self._selected(body)
        assert self._raw is not None
        try:
            page: Any = self._raw.decode(body)
            if not self._path:
                return [body] if isinstance(page, dict) else [bytes(item) for item in page]
            for _ in self._path:
                page = page.f0
            return self._items(bytes(page))
        except msgspec.ValidationError as error:
            raise self._none() from error

    def _items(self, raw: bytes) -> list[bytes]:
        if raw == b"null":
            return []
        if raw[:1] == b"{" and "[" in self._expression:
            raise self._none()  # an error, perhaps, where the list should be: not a page without records
        if raw[:1] == b"{" and not self._inner:
            return [raw]  # the path itself names one record
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
        if not self._inner:
            return [bytes(item) for item in items]
        inner = msgspec.json.Decoder(_wrapped(msgspec.Raw, self._inner))
        found = []
        for item in items:
            node: Any = inner.decode(item)
            for _ in self._inner:
                node = node.f0
            found.append(bytes(node))
        return found

    def _selected(self, body: bytes) -> list[bytes]:
        assert self._compiled is not None
        found = self._compiled.search(exact_document(body))
        if found is None:
            raise self._none()
        encode = msgspec.json.Encoder(decimal_format="number").encode
        return [encode(item) for item in (found if isinstance(found, list) else [found])]

    def _none(self) -> Invalid:
        return Invalid(
            f"the answer has no list of records at {self._expression!r}",
            code="SYN413",
            help="Compare `records` of the stream with the answer. Errors with status 200 need a rule in http.errors.",
        )

    # --- exact values

    def _one_by_one(self, raws: list[bytes]) -> PageRecords:
        good: list[Any] = []
        rows: list[int] = []
        bad: list[BadRecord] = []
        for index, raw in enumerate(raws):
            try:
                record = self._one.decode(raw)
                convert(self._nodes, [record])
            except msgspec.ValidationError as error:
                message, path = _reason(str(error))
                bad.append(BadRecord(index, message, path, raw[:_MAX_RAW].decode(errors="replace")))
            else:
                good.append(record)
                rows.append(index)
        return PageRecords(good, rows, tuple(bad))

    def _convert_all(self, records: list[Any]) -> bool:
        try:
            convert(self._nodes, records)
        except msgspec.ValidationError:
            return False
        return True


def untyped_schema(paths: Sequence[str], key: tuple[str, ...] = ()) -> Schema:
    """The schema of a stream without a declared one: the top-level fields of these paths, as JSON text.

    >>> untyped_schema(["id", "customer.email", "customer.name"]).names
    ('id', 'customer')
    """
    names: dict[str, None] = {}
    for path in paths:
        match = re.match(r'"([^"]+)"|[^.\[|]+', path.strip())
        if match:
            names.setdefault(match[1] or match[0])
    return Schema(tuple(Field(name, JSON) for name in names if name != "@"), key, open=True)


def _names(path: str) -> tuple[str, ...]:
    return tuple(name.strip('"') for name in re.findall(_NAME, path))


def _wrapped(inner: Any, path: Sequence[str]) -> Any:
    for name in reversed(path):
        inner = msgspec.defstruct("Envelope", [("f0", inner)], rename={"f0": name}, gc=False)
    return inner


def _reason(error: str) -> tuple[str, str]:
    """A decoder's message and the path in it: ("Expected `str`, got `int`", "customer.name")."""
    match = _WHERE.search(error)
    if match:
        return error[: match.start()], match["path"].lstrip(".")
    missing = re.search(r"missing required field `([^`]*)`", error)
    return error, missing[1] if missing else ""
