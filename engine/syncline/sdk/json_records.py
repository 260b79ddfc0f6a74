"""Records out of JSON pages, exactly: a declared schema compiled to typed structs, then turned into columns.

Nothing is coerced: `"1"` is no integer, `1.0` is none either, numbers keep their digits as text. A page decodes in one
go; only a page that has a bad record is decoded record by record, which sets the bad ones aside with the path and the
reason. In columns a missing field and a null are both null; a field that may not be null makes a record malformed in
either case. What this isn't: a check of documents (`json_document.py`), nor of values (the mapping's work).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import polars as pl

from syncline.model.errors import Bug, Invalid
from syncline.model.schema import JSON, Field, Schema
from syncline.sdk.frame import source_dtype
from syncline.sdk.json_document import exact_document

#: Longest number that is read, in characters: far more than any database can hold.
MAX_DIGITS = 1000
_MAX_RAW = 64 * 1024
_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_INT32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_SCALARS: dict[str, Any] = {
    "string": str,
    "integer": _INT64,
    "int32": _INT32,
    "float": float,
    "boolean": bool,
    "number": msgspec.Raw,
    "json": msgspec.Raw,
}
_NAME = r"(?:[A-Za-z_][A-Za-z0-9_]*|\"[^\"\\]+\")"
_PATH = re.compile(rf"(?P<path>{_NAME}(?:\.{_NAME})*)(?:\[\*?\](?P<inner>(?:\.{_NAME})*))?")
_NUMBERS = re.compile(r"[-+.,0-9eEnul]*")
_WHERE = re.compile(r" - at `\$(?P<path>[^`]*)`$")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that doesn't fit the schema: its index on the page, the reason, the field's path, its raw text."""

    index: int
    message: str
    field: str
    raw: str


@dataclass(frozen=True, slots=True)
class PageRecords:
    """The records of a page. `good` are typed objects for `RecordDecoder.frame`; `rows` their indices on the page."""

    good: list[Any]
    rows: Sequence[int]
    bad: tuple[BadRecord, ...]

    @property
    def count(self) -> int:
        """Records on the page, well-formed or not."""
        return len(self.good) + len(self.bad)


@dataclass(frozen=True, slots=True)
class _Node:
    """A field compiled: its path in the record, its attribute in the struct, the struct type of its own fields."""

    field: Field
    path: str
    attribute: str
    struct: type[msgspec.Struct] | None
    children: tuple[_Node, ...] = ()


class RecordDecoder:
    """Decodes pages of one stream. `records` is a JMESPath expression; simple paths are the fast ones."""

    def __init__(self, schema: Schema, records: str = "@") -> None:
        self.schema = schema
        self._nodes = tuple(_compile(f"f{i}", field, field.name) for i, field in enumerate(schema.fields))
        self._struct = _struct(self._nodes)
        self._one = msgspec.json.Decoder(self._struct)
        self._expression = records
        self._inner: tuple[str, ...] = ()
        self._typed: msgspec.json.Decoder[Any] | None = None
        self._raw: msgspec.json.Decoder[Any] | None = None
        self._compiled: Any = None
        self._depth = 0
        self._envelope(records)

    def decode(self, body: bytes) -> PageRecords:
        """
        The records of a page whose document has been checked.

        Raises `Invalid` (SYN413) when there is nothing at the records' expression: an error answered with status 200
        must not pass for an empty page. An explicit null, as some servers write an empty list, is no records.
        """
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
        columns = [_column(node, list(map(attrgetter(node.attribute), records))) for node in self._nodes]
        return pl.DataFrame(columns)

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
        """Bytes that are equal for equal records, within one schema."""
        return msgspec.json.encode(record)

    # --- where the records are

    def _envelope(self, expression: str) -> None:
        """Compiles the page around the records: structs for the way down to a list, or a JMESPath program."""
        expression = expression.strip()
        if expression in {"@", "[]", "[*]", "@[]", "@[*]"}:
            self._typed = msgspec.json.Decoder(list[self._struct])  # type: ignore[name-defined]
            self._raw = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])
            return
        match = _PATH.fullmatch(expression)
        if match is None:
            import jmespath

            self._compiled = jmespath.compile(expression)
            return
        path, inner = _names(match["path"]), _names((match["inner"] or "").lstrip("."))
        self._depth, self._inner = len(path), inner
        item = _wrapped(self._struct, inner)
        self._typed = msgspec.json.Decoder(_wrapped(list[item] | None, path))  # type: ignore[valid-type]
        self._raw = msgspec.json.Decoder(_wrapped(msgspec.Raw, path))

    def _unwrap(self, page: Any) -> list[Any]:
        for _ in range(self._depth):
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
            if self._depth == 0:
                return [body] if isinstance(page, dict) else [bytes(item) for item in page]
            for _ in range(self._depth):
                page = page.f0
            return self._items(bytes(page))
        except msgspec.ValidationError as error:
            raise self._none() from error

    def _items(self, raw: bytes) -> list[bytes]:
        if raw == b"null":
            return []
        if raw[:1] == b"{" and not self._inner:
            return [raw]  # one object where a list could be: JMESPath gives it, as a listing of one
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
        import jmespath.exceptions

        try:
            found = self._compiled.search(exact_document(body))
        except (jmespath.exceptions.JMESPathError, KeyError, TypeError) as error:
            raise Invalid(f"records: {self._expression}: {error}", code="SYN413") from error
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
                _convert(self._nodes, [record])
            except msgspec.ValidationError as error:
                message, path = _reason(str(error))
                bad.append(BadRecord(index, message, path, raw[:_MAX_RAW].decode(errors="replace")))
            else:
                good.append(record)
                rows.append(index)
        return PageRecords(good, rows, tuple(bad))

    def _convert_all(self, records: list[Any]) -> bool:
        try:
            _convert(self._nodes, records)
        except msgspec.ValidationError:
            return False
        return True


def untyped_schema(paths: Sequence[str], key: tuple[str, ...] = ()) -> Schema:
    """The schema of a stream without a declared one: the top-level fields of these paths, as JSON text."""
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


def _compile(attribute: str, field: Field, path: str) -> _Node:
    inside = f"{path}[...]." if field.repeated else f"{path}."
    children = tuple(_compile(f"f{i}", child, inside + child.name) for i, child in enumerate(field.fields))
    if not children and field.type.name not in _SCALARS:
        raise Bug(f"JSON records have no field of type {field.type}: {field.name}")
    return _Node(field, path, attribute, _struct(children) if children else None, children)


def _struct(nodes: tuple[_Node, ...]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for node in nodes:
        inner = node.struct or _SCALARS[node.field.type.name]
        raw = inner is msgspec.Raw
        kind: Any = inner
        if node.field.repeated:
            kind = _list_of(inner if raw else inner | None)
        if not node.field.nullable:
            fields.append((node.attribute, kind))
        elif raw and not node.field.repeated:
            fields.append((node.attribute, kind, msgspec.Raw()))  # a Raw holds a null itself
        else:
            fields.append((node.attribute, kind | None, None))
    # Required fields may follow optional ones; the structs are only ever built by the decoder.
    names = {node.attribute: node.field.name for node in nodes}
    return msgspec.defstruct("Record", fields, rename=names, kw_only=True, gc=False)


def _list_of(item: Any) -> Any:
    return list[item]


def _convert(nodes: tuple[_Node, ...], owners: list[Any]) -> None:
    """Turns raw JSON into text, in place: digits of `number`, JSON of `json`. ValidationError for a wrong type."""
    for node in nodes:
        name, field = node.attribute, node.field
        if node.children:
            inner = [value for owner in owners if (value := getattr(owner, name)) is not None]
            if field.repeated:
                inner = [value for values in inner for value in values if value is not None]
            _convert(node.children, inner)
            continue
        if field.type.name not in {"number", "json"}:
            continue
        read = _numbers if field.type.name == "number" else _jsons
        if field.repeated:
            for owner in owners:
                if (items := getattr(owner, name)) is not None:
                    setattr(owner, name, read(items, node.path))
            continue
        texts = read([getattr(owner, name) for owner in owners], node.path)
        if not field.nullable and None in texts:
            raise msgspec.ValidationError(f"Expected `{field.type}`, got `null` - at `$.{node.path}`")
        for owner, text in zip(owners, texts, strict=True):
            setattr(owner, name, text)


def _numbers(values: list[msgspec.Raw], path: str) -> list[str | None]:
    """
    The digits of raw JSON numbers; None for null and for what was missing.

    The parser has checked the syntax, so that the characters of all values together tell whether each is a number or
    null: strings have quotes, and `true`, `false`, objects and arrays have characters that neither has.
    """
    if not values:
        return []
    together = str(b",".join(values), "utf-8")
    if _NUMBERS.fullmatch(together) is None:
        raise msgspec.ValidationError(f"Expected `number`, got `{_other(values)}` - at `$.{path}`")
    texts: list[str | None] = [text if text and text != "null" else None for text in together.split(",")]
    if len(together) > MAX_DIGITS and any(text and len(text) > MAX_DIGITS for text in texts):
        raise msgspec.ValidationError(f"Expected `number` of at most {MAX_DIGITS} characters - at `$.{path}`")
    return texts


def _other(values: list[msgspec.Raw]) -> str:
    """The type of the first value that is neither a number nor null."""
    names = {'"': "str", "{": "object", "[": "array", "t": "bool", "f": "bool"}
    return next(found for value in values if (found := names.get(str(value, "utf-8")[:1])))


def _jsons(values: list[msgspec.Raw], path: str) -> list[str | None]:
    del path
    texts = [str(value, "utf-8") for value in values]
    return [text if text and text != "null" else None for text in texts]


def _reason(error: str) -> tuple[str, str]:
    """A decoder's message and the path in it: ("Expected `str`, got `int`", "customer.name")."""
    match = _WHERE.search(error)
    if match:
        return error[: match.start()], match["path"].lstrip(".")
    missing = re.search(r"missing required field `([^`]*)`", error)
    return error, missing[1] if missing else ""


def _column(node: _Node, values: list[Any]) -> pl.Series:
    """A column of a field's values: nested records become structs, lists are built from their flattened items."""
    if node.field.repeated:
        return _list_column(node, values)
    if node.struct is None:
        return pl.Series(node.field.name, values, dtype=source_dtype(node.field))
    return _struct_column(node, values)


def _struct_column(node: _Node, values: list[Any]) -> pl.Series:
    try:
        inner = [_column(child, list(map(attrgetter(child.attribute), values))) for child in node.children]
    except AttributeError:  # some of them are null
        inner = [_column(c, [None if v is None else getattr(v, c.attribute) for v in values]) for c in node.children]
        present = pl.Series("present", [value is not None for value in values], dtype=pl.Boolean)
        column = pl.DataFrame(inner).to_struct(node.field.name)
        return pl.select(pl.when(present).then(column).alias(node.field.name)).to_series()
    return pl.DataFrame(inner).to_struct(node.field.name)


def _list_column(node: _Node, values: list[Any]) -> pl.Series:
    # polars takes 3.3 µs a row for Python lists; Arrow's own list layout, offsets over flat items, a tenth of that.
    import pyarrow as pa

    offsets = [0, *accumulate(len(value) if value else 0 for value in values)]
    flat = list(chain.from_iterable(value for value in values if value))
    item = Field(node.field.name, node.field.type, fields=node.field.fields)
    inner = _column(_Node(item, node.path, node.attribute, node.struct, node.children), flat)
    nulls = pa.array([value is None for value in values], pa.bool_())
    array = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), inner.to_arrow(), mask=nulls)
    column = pl.from_arrow(array)
    assert isinstance(column, pl.Series)
    return column.alias(node.field.name).cast(source_dtype(node.field))
