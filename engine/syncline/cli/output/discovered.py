"""What records look like against what is declared of them, as text and as JSON (`syncline/discovery/v1`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from syncline.cli.output.flow_yaml import to_yaml
from syncline.cli.output.paint import Paint
from syncline.cli.output.table import render_table
from syncline.cli.output.text import plural, visible
from syncline.manifests.compare import CONFLICTS, Difference

if TYPE_CHECKING:
    from syncline.inspection import Discovered
    from syncline.kinds.record import Property
    from syncline.manifests.infer import Seen
    from syncline.model.key import ObjectKey

VERSION = "syncline/discovery/v1"


def differs(found: Sequence[Discovered]) -> bool:
    """Whether a stream couldn't be read, has no schema, or its records don't agree with it (unclassified data too)."""
    return any(item.error is not None or item.declared is None or item.differences for item in found)


def discovery_data(key: ObjectKey, found: Sequence[Discovered]) -> dict[str, Any]:
    """The discovery as plain data."""
    return {
        "version": VERSION,
        "object": str(key),
        "streams": [
            {
                "stream": item.stream,
                "records": item.seen.of if item.seen else 0,
                "fields": [_field_data(name, seen) for name, seen in _fields(item.seen)],
                "differences": [{"what": d.what, "field": d.field, "message": d.message} for d in item.differences],
                "notes": list(item.notes),
                "add": item.additions or {},
                "error": {"code": item.error.code, "message": item.error.message} if item.error else None,
            }
            for item in found
        ],
    }


def _field_data(name: str, seen: Seen) -> dict[str, Any]:
    return {
        "field": name,
        "type": seen.type,
        "format": seen.format,
        "records": seen.of,
        "empty": seen.empty,
        "types": dict(sorted(seen.kinds.items())),
    }


def render_discovery(key: ObjectKey, found: Sequence[Discovered], paint: Paint) -> str:
    """Each stream: its fields as seen and as declared, what differs, and the YAML to paste."""
    return "\n".join("\n".join(_stream(key, item, paint)) + "\n" for item in found)


def _stream(key: ObjectKey, item: Discovered, paint: Paint) -> Iterator[str]:
    name = paint.bold(f"{visible(key.name)}/{visible(item.stream)}")
    if item.error is not None:
        yield f"{name}: {paint.red('not read')}: {visible(item.error.message)}"
        return
    seen = item.seen
    if seen is None or not seen.of:
        yield f"{name}: no records, so nothing to learn from"
        return
    fields = list(_fields(seen))
    yield f"{name}: {plural(seen.of, 'record')}, {plural(len(fields), 'field')}"
    yield from map(visible, item.notes)
    yield ""
    rows = [(path, _type(found), found.format, _empty(found), _declared(item, path)) for path, found in fields]
    head = ("FIELD", "TYPE", "FORMAT", "NULL", "DECLARED")
    yield render_table(head, rows, paint).rstrip("\n")
    if item.differences:
        yield ""
        yield from _differences(item.differences, paint)
    if item.additions:
        where = "schema: {properties: …}" if item.declared else "schema:"
        yield ""
        yield paint.dim(f"# streams.{visible(item.stream)}.{where}")
        data = item.additions if item.declared else {"schema": {"properties": item.additions}}
        yield to_yaml(data).rstrip("\n")


def _differences(differences: Sequence[Difference], paint: Paint) -> Iterator[str]:
    for found in differences:
        sign = paint.red("✗") if found.what in CONFLICTS else paint.yellow("!")
        yield f"{sign} {paint.bold(visible(found.field))}: {visible(found.message)}"


def _fields(seen: Seen | None, prefix: str = "") -> Iterator[tuple[str, Seen]]:
    """Every field with its path, objects before what they hold."""
    for name, inner in seen.properties.items() if seen else ():
        yield prefix + name, inner
        below = inner.items if inner.items is not None else inner
        mark = "[]." if inner.items is not None else "."
        yield from _fields(below, f"{prefix}{name}{mark}")


def _empty(seen: Seen) -> str:
    return f"{seen.empty} of {seen.of}" if seen.empty else "never"


def _type(seen: Seen) -> str:
    if seen.type == "any" and seen.kinds:
        return " or ".join(sorted(seen.kinds))
    if seen.type == "array" and seen.items is not None and seen.items.kinds:
        return f"array of {seen.items.type}"
    return seen.type if seen.kinds else "null"


def _declared(item: Discovered, path: str) -> str:
    if item.declared is None:
        return "-"
    properties = item.declared.properties
    prop: Property | None = None
    for name in path.replace("[]", "").split("."):
        prop = properties.get(name)
        if prop is None:
            return "-"
        inner = prop.items if prop.items is not None else prop
        properties = inner.properties
    assert prop is not None
    return (
        prop.type + (f" ({prop.format})" if prop.format else "") + (f", {prop.data_class}" if prop.data_class else "")
    )
