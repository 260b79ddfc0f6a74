"""Fields of JSON records, compiled: from a declared schema to strict msgspec structs, and raw values to exact text.

The structs refuse every value of another type. What they can't hold exactly, numbers and JSON of any shape, they leave
raw; `convert` turns it into text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Struct
from msgspec.structs import replace

from syncline.model.errors import Bug
from syncline.model.schema import Field

#: Longest number that is read, in characters: far more than any database can hold.
MAX_DIGITS = 1000
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
_NUMBERS = re.compile(r"[-+.,0-9eEnul]*")


class Node(Struct, frozen=True):
    """
    A field compiled: its path in the record, its attribute in the struct, the struct type of its own fields.

    `raw`: it, or a field in it, is left raw; `json`: is of that type.

    >>> from syncline.model.schema import INTEGER
    >>> compile_field("f0", Field("id", INTEGER), "customer.id").path
    'customer.id'
    """

    field: Field
    path: str
    attribute: str
    struct: type[msgspec.Struct] | None
    children: tuple[Node, ...] = ()
    raw: bool = False
    json: bool = False


def compile_field(attribute: str, field: Field, path: str) -> Node:
    """The node of a field, with those of its own fields. `Bug` for a type that JSON has no values of.

    >>> from syncline.model.schema import INTEGER, JSON
    >>> inner = Field("id", INTEGER)
    >>> [child.path for child in compile_field("f0", Field("customer", JSON, fields=(inner,)), "customer").children]
    ['customer.id']
    """
    inside = f"{path}[...]." if field.repeated else f"{path}."
    children = tuple(compile_field(f"f{i}", child, inside + child.name) for i, child in enumerate(field.fields))
    if not children and field.type.name not in _SCALARS:
        raise Bug(f"JSON records have no field of type {field.type}: {field.name}")
    raw = any(child.raw for child in children) or (not children and field.type.name in {"number", "json"})
    json = any(child.json for child in children) or (not children and field.type.name == "json")
    return Node(field, path, attribute, struct_of(children) if children else None, children, raw, json)


def struct_of(nodes: tuple[Node, ...]) -> type[msgspec.Struct]:
    """The struct that a record of these fields is decoded into; what it doesn't list is passed over.

    >>> from syncline.model.schema import INTEGER
    >>> nodes = (compile_field("f0", Field("id", INTEGER), "id"),)
    >>> msgspec.json.decode(b'{"id": 7, "other": true}', type=struct_of(nodes)).f0
    7
    """
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


def full_struct_of(nodes: tuple[Node, ...]) -> type[msgspec.Struct]:
    """The same for records that have all of these fields, null where they may be: one that lacks a field is refused.

    >>> from syncline.model.schema import INTEGER
    >>> nodes = (compile_field("f0", Field("id", INTEGER), "id"),)
    >>> msgspec.json.decode(b'{"other": true}', type=full_struct_of(nodes))
    Traceback (most recent call last):
    msgspec.ValidationError: Object missing required field `id`
    """
    fields: list[tuple[str, Any]] = []
    for node in nodes:
        inner: Any = full_struct_of(node.children) if node.children else _SCALARS[node.field.type.name]
        raw = inner is msgspec.Raw  # which holds a null itself
        kind = _list_of(inner if raw else inner | None) if node.field.repeated else inner
        fields.append((node.attribute, kind | None if node.field.nullable and kind is not msgspec.Raw else kind))
    names = {node.attribute: node.field.name for node in nodes}
    return msgspec.defstruct("FullRecord", fields, rename=names, gc=False)


def in_order(nodes: tuple[Node, ...], record: Any) -> tuple[Node, ...]:
    """The fields in the order that a record has them: a decoder finds the next one at once, an encoder writes them so.

    >>> from syncline.model.schema import INTEGER
    >>> nodes = tuple(compile_field(f"f{i}", Field(name, INTEGER), name) for i, name in enumerate(("a", "b")))
    >>> [node.path for node in in_order(nodes, {"b": 1, "a": 2})]
    ['b', 'a']
    """
    if isinstance(record, list):
        record = record[0] if record else None
    if not isinstance(record, dict):
        return nodes
    places = {name: place for place, name in enumerate(record)}
    ordered = sorted(nodes, key=lambda node: places.get(node.field.name, len(places)))
    return tuple(
        replace(node, children=in_order(node.children, record.get(node.field.name))) if node.children else node
        for node in ordered
    )


def plain(nodes: tuple[Node, ...], record: Any) -> dict[str, Any] | None:
    """A decoded record as a dictionary in the schema's order, whichever order it was decoded in.

    >>> from syncline.model.schema import INTEGER
    >>> nodes = tuple(compile_field(f"f{i}", Field(name, INTEGER), name) for i, name in enumerate(("a", "b")))
    >>> plain(nodes, msgspec.json.decode(b'{"b": 1, "a": 2}', type=full_struct_of(nodes[::-1])))
    {'a': 2, 'b': 1}
    """
    if record is None:
        return None
    return {node.field.name: _plain_value(node, getattr(record, node.attribute)) for node in nodes}


def _plain_value(node: Node, value: Any) -> Any:
    if not node.children or value is None:
        return value
    return [plain(node.children, item) for item in value] if node.field.repeated else plain(node.children, value)


def _list_of(item: Any) -> Any:
    return list[item]


def convert(nodes: tuple[Node, ...], owners: list[Any], *, unread: bool = False) -> None:
    """
    Turns raw JSON into text, in place: digits of `number`, JSON of `json`. ValidationError for a wrong type.

    With `unread`, numbers come from bytes that nobody has checked, and ValueError is raised for one that isn't JSON.

    >>> from syncline.model.schema import NUMBER
    >>> nodes = (compile_field("f0", Field("price", NUMBER), "price"),)
    >>> record = msgspec.json.decode(b'{"price": 1.10}', type=struct_of(nodes))
    >>> convert(nodes, [record])
    >>> record.f0
    '1.10'
    """
    for node in nodes:
        if not node.raw:
            continue
        name, field = node.attribute, node.field
        if node.children:
            inner = [value for owner in owners if (value := getattr(owner, name)) is not None]
            if field.repeated:
                inner = [value for values in inner for value in values if value is not None]
            convert(node.children, inner, unread=unread)
            continue
        read = _jsons if field.type.name == "json" else _unread_numbers if unread else _numbers
        if field.repeated:
            for owner in owners:
                if (items := getattr(owner, name)) is not None:
                    setattr(owner, name, read(items, node.path))
            continue
        texts = read(list(map(attrgetter(name), owners)), node.path)
        if not field.nullable and None in texts:
            raise msgspec.ValidationError(f"Expected `{field.type}`, got `null` - at `$.{node.path}`")
        for owner, text in zip(owners, texts, strict=True):
            setattr(owner, name, text)


def raws_of(nodes: tuple[Node, ...], owners: list[Any]) -> Iterator[msgspec.Raw]:
    """The values of `json` that records hold, before `convert`.

    >>> from syncline.model.schema import JSON
    >>> nodes = (compile_field("f0", Field("tags", JSON), "tags"),)
    >>> [bytes(raw) for raw in raws_of(nodes, [msgspec.json.decode(b'{"tags": {"a": 1}}', type=struct_of(nodes))])]
    [b'{"a": 1}']
    """
    for node in nodes:
        if not node.json:
            continue
        values = map(attrgetter(node.attribute), owners)
        if not node.children and not node.field.repeated:
            yield from values
            continue
        present = [value for value in values if value is not None]
        if node.field.repeated:
            present = [one for value in present for one in value if one is not None]
        yield from raws_of(node.children, present) if node.children else present


def _numbers(values: list[msgspec.Raw], path: str) -> list[str | None]:
    """
    The digits of raw JSON numbers; None for null and for what was missing.

    The parser has checked the syntax, so that the characters of all values together tell whether each is a number or
    null: strings have quotes, and `true`, `false`, objects and arrays have characters that neither has.
    """
    return _texts(values, b",".join(values), path) if values else []


def _unread_numbers(values: list[msgspec.Raw], path: str) -> list[str | None]:
    """The same out of bytes that nobody has checked; ValueError where one isn't JSON."""
    together = b",".join(values)
    orjson.loads(b"[%b]" % together)
    return _texts(values, together, path) if values else []


def _texts(values: list[msgspec.Raw], raw: bytes, path: str) -> list[str | None]:
    together = str(raw, "utf-8")
    if _NUMBERS.fullmatch(together) is None:
        raise msgspec.ValidationError(f"Expected `number`, got `{_other(values)}` - at `$.{path}`")
    parts = together.split(",")
    texts: list[str | None] = [*parts]
    if "" in parts or "n" in together:
        texts = [text if text and text != "null" else None for text in parts]
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
