"""A declared record schema against live records: what is missing, undeclared, in conflict, or of no class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from syncline.kinds.record import Property, RecordSchema
from syncline.manifests.infer import Seen
from syncline.manifests.likely import likely_class

#: `missing`: declared, in no record. `undeclared`: in records, not declared. `type`, `null`, `format`: records don't
#: fit. `class`: probably personal data, and of no class.
What = Literal["missing", "undeclared", "type", "null", "format", "class"]
#: Differences because of which records are set aside, or fields stay empty.
CONFLICTS: Final = frozenset({"missing", "type", "null"})
_HOLDS: Final = {
    "string": {"string"},
    "integer": {"integer"},
    "number": {"integer", "number"},
    "boolean": {"boolean"},
    "object": {"object"},
    "array": {"array"},
}


class Difference(Struct, frozen=True):
    """One difference at a field (`customer.email`, `tags[]`), in words for people."""

    what: What
    field: str
    message: str


def compare(declared: RecordSchema | None, seen: Seen, *, texts: bool = False) -> tuple[Difference, ...]:
    """
    Every difference, declared fields first. `texts`: the format has no types but text, as CSV.

    Without a declared schema nothing is undeclared: only classes are told.
    """
    if not seen.of:
        return ()
    if declared is None:
        return tuple(_classes(seen.properties, {}, ""))
    found = [
        d
        for name, prop in declared.properties.items()
        for d in _field(name, prop, seen.properties.get(name), seen.of, required=name in declared.required, texts=texts)
    ]
    found += _undeclared(declared.properties, seen.properties, "")
    found += _classes(seen.properties, declared.properties, "")
    return tuple(found)


def _field(
    path: str, prop: Property, seen: Seen | None, of: int, *, texts: bool, required: bool = False
) -> Iterator[Difference]:
    must = required or not prop.nullable
    if seen is None or not seen.present:
        why = "; records without it are rejected" if must else ""
        yield Difference("missing", path, f"declared, and in none of {_records(of)}{why}")
        return
    if must and seen.empty:
        yield Difference("null", path, f"declared as never null, but null or missing in {seen.empty} of {_records(of)}")
    wrong = {} if texts or prop.type == "any" else {k: n for k, n in seen.kinds.items() if k not in _HOLDS[prop.type]}
    if wrong:
        what = " and ".join(f"{kind} in {count}" for kind, count in sorted(wrong.items()))
        yield Difference("type", path, f"declared as {prop.type}, but {what} of {_records(seen.of)}")
    elif prop.format and seen.texts and seen.formats[prop.format] < seen.texts:
        other = seen.texts - seen.formats[prop.format]
        yield Difference("format", path, f"declared as {prop.format}, but {other} of {seen.texts} texts aren't")
    if seen.kinds["object"] and prop.type == "object" and prop.properties:
        inside = seen.kinds["object"]
        for name, inner in prop.properties.items():
            yield from _field(f"{path}.{name}", inner, seen.properties.get(name), inside, texts=texts)
        yield from _undeclared(prop.properties, seen.properties, f"{path}.")
    if prop.items is not None and seen.items is not None and seen.items.present:
        yield from _field(f"{path}[]", prop.items, seen.items, seen.items.of, texts=texts)


def _undeclared(declared: Mapping[str, Property], seen: Mapping[str, Seen], prefix: str) -> Iterator[Difference]:
    for name, found in seen.items():
        if name not in declared:
            form = f", {found.format}" if found.format else ""
            some = f"{found.present - found.nulls} of {_records(found.of)}"
            what = f"{found.type}{form}, in {some}" if found.kinds else f"null in all of {_records(found.of)}"
            yield Difference("undeclared", prefix + name, f"not declared: {what}")


def _classes(seen: Mapping[str, Seen], declared: Mapping[str, Property], prefix: str) -> Iterator[Difference]:
    for name, found in seen.items():
        prop = declared.get(name)
        if prop is not None and prop.data_class:
            continue  # what is inside it is covered
        inner = found.items if found.items is not None else found
        if inner.properties:
            known = prop.items if prop is not None and prop.items is not None else prop
            yield from _classes(inner.properties, known.properties if known else {}, f"{prefix}{name}.")
        elif likely := likely_class(name, inner):
            yield Difference("class", prefix + name, f"looks like {likely}")


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


# --- the schema to paste ---------------------------------------------------------------------------------------------


def schema_of(seen: Seen, key: tuple[str, ...] = ()) -> dict[str, Any]:
    """
    The record schema of what was seen, as plain data for YAML.

    Only fields of the key are said to be never null: that no record of a sample lacks a field proves nothing.
    """
    properties = {name: property_of(name, inner) for name, inner in seen.properties.items()}
    for name in key:
        if name in properties and not seen.properties[name].empty:
            properties[name]["nullable"] = False
    return {"properties": properties}


def additions(declared: RecordSchema | None, seen: Seen, key: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that the declared schema hasn't, as properties to add to it; all of them where there is no schema."""
    known = declared.properties if declared else {}
    found = schema_of(seen, key)["properties"]
    return {name: data for name, data in found.items() if name not in known}


def property_of(name: str, seen: Seen) -> dict[str, Any]:
    """One field's declaration, as plain data."""
    data: dict[str, Any] = {"type": seen.type}
    if seen.format:
        data["format"] = seen.format
    if seen.type == "object" and seen.properties and not seen.shapeless:
        data["properties"] = {inner: property_of(inner, found) for inner, found in seen.properties.items()}
    elif seen.type == "array" and seen.items is not None and seen.items.kinds:
        data["items"] = property_of(name, seen.items)
        return data
    if likely := likely_class(name, seen):
        data["x-class"] = likely
    return data
