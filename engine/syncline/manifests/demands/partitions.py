"""What a stream's `for` and cursor demand: parents that are there, not in circles; names that templates can read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from syncline.kinds.base import camel
from syncline.kinds.reading import MAX_COMBINATIONS, TIMES
from syncline.kinds.rest_stream import RestStream, scope_fields
from syncline.manifests.demands.texts import texts_in, texts_of
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest
from syncline.model import units
from syncline.sdk.template import TemplateError, compile_template

if TYPE_CHECKING:
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.reading import Cursor, For
    from syncline.model.manifest import Path
    from syncline.model.schema import Field

#: Names that requests of every stream may read.
VARIABLES: Final = ("config", "page", "start", "end", "cursor", "now")


#: Lengths of time in the declaration of a cursor.
_SPANS: Final = ("window", "lookback", "start_within")


def check_partitions(spec: ConnectorSpec, name: str, path: Path) -> Iterator[Problem]:
    """Everything that is wrong with what one stream of a connector is read for, and with its names."""
    stream, streams = spec.streams[name], spec.streams
    for at, item in stream.read_for_at:
        yield from _item(item, spec, (*path, *at))
        yield from _combined(item, spec, (*path, *at))
    yield from _circle(name, streams, path)
    yield from _alike(stream, path)
    yield from _names(stream, scope_fields(streams, stream, (name,)), path)
    yield from _grouped(stream, path)
    yield from _templates(stream, scope_fields(streams, stream, (name,), grouped=True), path)


def check_cursor(cursor: Cursor, path: Path) -> Iterator[Problem]:
    """What a cursor demands beyond its model."""
    given = [name for name in ("field", "marker", "windows") if getattr(cursor, name)]
    if not given:
        yield Problem("SYN211", path, "a cursor needs one of field, marker and windows")
        return
    if len(given) > 1:
        message = "a cursor can have only one of field, marker and windows"
        yield Problem("SYN211", (*path, given[1]), message, at_key=True)
    if cursor.window is not None and not cursor.window.startswith("config.") and not units.duration(cursor.window):
        yield Problem("SYN205", (*path, "window"), "a span without length reaches no end", "a length such as 7d")
    if cursor.marker is not None and "start" not in cursor.into.values():
        yield Problem(
            "SYN202",
            (*path, "into"),
            "a marker needs the field 'into', where the next read sends it",
            "{query.NAME: start}",
        )
    if cursor.marker is not None:
        for field in (*_SPANS, "formats", "format", "start"):
            if getattr(cursor, field):
                message = f"a marker is no time, so it has no {camel(field)!r}"
                yield Problem("SYN205", (*path, camel(field)), message, at_key=True)
        if cursor.order != "any":
            yield Problem("SYN205", (*path, "order"), "records have no order by a marker", at_key=True)
    elif cursor.formats and cursor.type not in {"timestamp", "date"}:
        yield Problem(
            "SYN205",
            (*path, "formats"),
            f"a cursor of type {cursor.type} has no formats",
            "timestamp or date",
            at_key=True,
        )
    elif cursor.type not in TIMES and cursor.windows is None:
        for field in _SPANS:
            if getattr(cursor, field):
                message = f"a cursor of type {cursor.type} is no time, so it has no {camel(field)!r}"
                yield Problem("SYN205", (*path, camel(field)), message, listed(sorted(TIMES)), at_key=True)
    if cursor.windows is None:
        yield from _start(cursor, (*path, "start"))
    if cursor.start_within and cursor.start is None and cursor.marker is None:
        message = "there is no `start` that could be too early"
        yield Problem("SYN205", (*path, "startWithin"), message, "start: -30d", at_key=True)
    if cursor.format in {"epoch", "epoch_ms"} and cursor.type != "timestamp":
        message = f"a cursor of type {cursor.type} isn't written as {cursor.format}"
        yield Problem("SYN205", (*path, "format"), message, "type: timestamp", at_key=True)


def _start(cursor: Cursor, path: Path) -> Iterator[Problem]:
    """That a start which is relative to the first read is a time, and of a cursor that is one."""
    start = cursor.start or ""
    if units.before_now(start) is not None and cursor.type == "integer":
        message = f"a cursor of type integer is no time, so it doesn't start {start[1:]} before the first read"
        yield Problem("SYN205", path, message, "a number, or type: timestamp, date, epoch or epoch_ms")
    elif start.startswith("-") and cursor.type in {"timestamp", "date"} and units.before_now(start) is None:
        yield Problem("SYN205", path, f"{start[:80]!r} is no time", "a time such as 2026-01-01, or -30d")


def _item(item: For, spec: ConnectorSpec, path: Path) -> Iterator[Problem]:
    if (item.each is None) == (item.values is None):
        message = "`for` needs one of each and in" if item.each is None else "`for` can have only one of each and in"
        yield Problem("SYN211", path if item.each is None else (*path, "in"), message, at_key=item.each is not None)
        return
    if item.name in VARIABLES:
        yield Problem("SYN205", (*path, "as"), f"{item.name!r} means something else in templates", "another name")
    if item.values is not None:
        yield from _values(item, spec, path)
        return
    if item.each not in spec.streams:
        yield Problem(
            "SYN224",
            (*path, "each"),
            f"there is no stream {item.each!r}",
            expected=listed(spec.streams),
            suggestion=nearest(item.each or "", spec.streams),
        )
    elif item.changed and not _incremental(spec.streams[item.each]):
        yield Problem(
            "SYN231",
            (*path, "changed"),
            f"the stream {item.each!r} has no cursor, so what changed in it isn't known",
            help=f"Declare a cursor of {item.each!r}, or leave `changed` out.",
            at_key=True,
        )


def _values(item: For, spec: ConnectorSpec, path: Path) -> Iterator[Problem]:
    for field in ("only", "changed", "group"):
        if getattr(item, field):
            yield Problem("SYN205", (*path, field), f"{field!r} is about records of a parent stream", at_key=True)
    assert item.values is not None
    yield from _setting(item.values, spec, (*path, "in"))


def _setting(values: tuple[str, ...] | str, spec: ConnectorSpec, path: Path) -> Iterator[Problem]:
    """What is wrong with the setting that values are taken from, where they aren't listed."""
    if not isinstance(values, str):
        return
    settings = spec.config.properties
    name = values.removeprefix("config.")
    if name == values:
        yield Problem("SYN205", path, f"{name!r} is no list and no setting", "a list, or config.NAME")
    elif name not in settings:
        near = nearest(name, settings)
        yield Problem(
            "SYN213",
            path,
            f"there is no setting {name!r}",
            expected=listed(settings),
            suggestion=f"config.{near}" if near else "",
        )


def _combined(item: For, spec: ConnectorSpec, path: Path) -> Iterator[Problem]:
    """What is wrong with the lists that a `for` is combined with."""
    parent = spec.streams.get(item.each or "")
    names = {item.name, *(field.name for field in _scope(spec, parent))}
    for number, times in enumerate(item.times):
        at = (*path, "times", number)
        yield from _setting(times.values, spec, (*at, "in"))
        if times.name in names:
            message = f"{times.name!r} is combined with itself: every list has a name of its own"
            yield Problem("SYN264", (*at, "as"), message, "another name")
        if times.name in VARIABLES:
            yield Problem("SYN205", (*at, "as"), f"{times.name!r} means something else in templates", "another name")
        names.add(times.name)
    count = math.prod(len(v) for v in (item.values, *(t.values for t in item.times)) if isinstance(v, tuple))
    if item.times and count > MAX_COMBINATIONS:
        message = f"the lists have {count:,} combinations, and at most {MAX_COMBINATIONS:,} are read"
        yield Problem("SYN264", (*path, "times"), message, at_key=True)


def _scope(spec: ConnectorSpec, parent: RestStream | None) -> tuple[Field, ...]:
    return scope_fields(spec.streams, parent, grouped=True) if parent is not None else ()


def _alike(stream: RestStream, path: Path) -> Iterator[Problem]:
    """A finding for each name that is a record in one member of a union, and something else in another."""
    known: dict[str, str] = {}
    for at, item in stream.read_for_at:
        what = "a value" if item.each is None else "a record" if item.group is None else "a list of records"
        named: list[tuple[str, Path, str]] = [(item.name, ("as",), what)]
        named += [(times.name, ("times", n, "as"), "a value") for n, times in enumerate(item.times)]
        for name, where, kind in named:
            before = known.setdefault(name, kind)
            if before != kind:
                yield Problem(
                    "SYN572",
                    (*path, *at, *where),
                    f"{name!r} is {kind} here, and {before} in another member of `for`",
                    expected="another name",
                )


def _grouped(stream: RestStream, path: Path) -> Iterator[Problem]:
    """Findings about parents that are read for together: parts of the key that are theirs, a cursor that is no time."""
    groups = {item.name for item in stream.read_for if item.group is not None}
    if groups and stream.cursor is not None and (stream.cursor.marker is not None or stream.cursor.type not in TIMES):
        what = "is a marker" if stream.cursor.marker is not None else f"is of type {stream.cursor.type}"
        yield Problem(
            "SYN579",
            (*path, "cursor"),
            f"the cursor {what}, and one for a group of parents has to be a time",
            expected=listed(sorted(TIMES)),
            help="Leave `group` out, or `cursor`.",
            at_key=True,
        )
    for number, key in enumerate(stream.key):
        if key.split(".")[0] in groups:
            yield Problem(
                "SYN573",
                (*path, "key", number),
                f"{key!r} is of a group of parents, so that it isn't known of a record",
                help="Use a field of the records themselves that says whose they are.",
            )


def _incremental(stream: RestStream) -> bool:
    return stream.cursor is not None or any(item.changed for item in stream.read_for)


def _circle(name: str, streams: Mapping[str, RestStream], path: Path) -> Iterator[Problem]:
    """A finding for each `for` by which a stream is, in the end, read for itself."""
    for at, item in streams[name].read_for_at:
        way = _way(item.each, name, streams, ())
        if way:
            yield Problem(
                "SYN479",
                (*path, *at, "each"),
                f"the stream {name!r} is read for itself: {' > '.join((name, *way))}",
                help="Take `for` out of one of them.",
            )


def _way(start: str | None, goal: str, streams: Mapping[str, RestStream], seen: tuple[str, ...]) -> tuple[str, ...]:
    """The parents from one stream up to another; nothing where they don't lead there."""
    if start is None or start in seen or start not in streams:
        return ()
    if start == goal:
        return (*seen, start)
    ways = (_way(item.each, goal, streams, (*seen, start)) for item in streams[start].read_for)
    return next((way for way in ways if way), ())


def _names(stream: RestStream, around: tuple[Field, ...], path: Path) -> Iterator[Problem]:
    own = stream.record_schema.properties if stream.record_schema else {}
    for at, item in stream.read_for_at:
        named = [(item.name, ("as",)), *((t.name, ("times", n, "as")) for n, t in enumerate(item.times))]
        for name, where in named:
            if name in own:
                yield Problem(
                    "SYN205",
                    (*path, *at, *where),
                    f"the records have a field {name!r} of their own",
                    expected="a name that is no field of the schema",
                )
    for number, key in enumerate(stream.key):
        field = next((f for f in around if f.name == key.split(".")[0]), None)
        if field is not None:
            yield from inside(key, field, (*path, "key", number))


def _templates(stream: RestStream, around: tuple[Field, ...], path: Path) -> Iterator[Problem]:
    known = (*VARIABLES, *(field.name for field in around))
    file = texts_in({"url": stream.file.url}, (*path, "file")) if stream.file else ()
    for at, text in (*texts_of(stream, path), *file):
        try:
            template = compile_template(text)
        except TemplateError:
            continue  # a finding of `expressions.py`
        for value in sorted(template.paths):
            root = value.split(".")[0]
            field = next((f for f in around if f.name == root), None)
            if root not in known:
                yield Problem(
                    "SYN213",
                    at,
                    f"the template {text[:80]!r} reads {root!r}, which isn't there",
                    expected=listed(known),
                    suggestion=nearest(root, known),
                )
            elif field is not None:
                yield from inside(value, field, at)


def inside(value: str, field: Field, path: Path) -> Iterator[Problem]:
    """A finding when a dotted path leads to no declared field of what a stream is read for."""
    parts = value.split(".")
    names = [inner.name for inner in field.fields]
    if names and len(parts) > 1 and parts[1] not in names:
        yield Problem(
            "SYN213",
            path,
            f"{field.name!r} has no field {parts[1]!r}",
            expected=listed(names),
            suggestion=nearest(parts[1], names),
        )
    elif not names and field.type.name == "string" and len(parts) > 1:
        yield Problem("SYN213", path, f"{field.name!r} is a value, so it has no field {parts[1]!r}", field.name)
