"""Two versions of a connector: what changed, what that means for those who use it, and the version that it demands.

Breaking is what may keep a flow that worked from working, or lets something else reach it: a stream, a field or a way
of authenticating that is gone, another type, another key or cursor, another host, a setting that must be given.
Additive is what nobody has to know of. Everything else is a fix: how records are asked for and described, limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from msgspec import Struct

from syncline.kinds.connector import ConnectorSpec
from syncline.manifests.versions import is_release, triple
from syncline.model.manifest import Path

Data = Mapping[str, Any]


class Level(IntEnum):
    """What a change means for those who use the connector."""

    fix = 1
    additive = 2
    breaking = 3


class Evolved(Struct, frozen=True):
    """One change: its level, where it is in the document (old or new), and what happened, in words."""

    level: Level
    path: Path
    message: str

    @property
    def where(self) -> str:
        """The path for people, without `spec`: `streams.tickets.schema.properties.id`."""
        return ".".join(map(str, self.path[1:]))


def evolved(old: ConnectorSpec, new: ConnectorSpec) -> tuple[Evolved, ...]:
    """Every change between two versions but the version itself, the most consequential first, then by place."""
    before, after = (spec.model_dump(mode="json", by_alias=True) for spec in (old, new))
    found = [*_top(before, after), *_config(before["config"], after["config"]), *_auth(_offers(old), _offers(new))]
    found += _http(before["http"] or {}, after["http"] or {})
    found += _streams(before["streams"], after["streams"])
    return tuple(sorted(found, key=lambda c: (-c.level, c.where, c.message)))


def demanded(old: str, changes: tuple[Evolved, ...]) -> str:
    """
    The lowest version that the changes may have after `old`; `old` itself where nothing changed.

    Below 1.0.0 a breaking change demands the next minor version and everything else the next patch, as ranges read it:
    `^0.3` includes 0.3.9 and not 0.4.0. After a pre-release, which promises nothing (SemVer, section 9), any change
    demands the next one.

    >>> change = Evolved(Level.additive, ("spec", "streams", "a"), "stream added")
    >>> demanded("1.3.2", (change,)), demanded("0.3.2", (change,)), demanded("1.3.2", ())
    ('1.4.0', '0.3.3', '1.3.2')
    >>> demanded("1.4.0-rc.1", (change,)), demanded("1.4.0-beta", (change,))
    ('1.4.0-rc.2', '1.4.0-beta.1')
    """
    major, minor, patch = triple(old)
    level = max((change.level for change in changes), default=None)
    match level:
        case None:
            return old
        case _ if not is_release(old):
            before, _, last = old.rpartition(".")
            return f"{before}.{int(last) + 1}" if last.isdecimal() else f"{old}.1"
        case Level.breaking if major:
            return f"{major + 1}.0.0"
        case Level.breaking:
            return f"0.{minor + 1}.0"
        case Level.additive if major:
            return f"{major}.{minor + 1}.0"
        case _:
            return f"{major}.{minor}.{patch + 1}"


# --- the connector itself --------------------------------------------------------------------------------------------


def _top(old: Data, new: Data) -> Iterator[Evolved]:
    if old["runtime"] != new["runtime"]:
        yield Evolved(Level.breaking, ("spec", "runtime"), _was(old["runtime"], new["runtime"]))
    if new["deprecated"] != old["deprecated"]:
        level = Level.additive if new["deprecated"] and not old["deprecated"] else Level.fix
        yield Evolved(level, ("spec", "deprecated"), _event(old["deprecated"], new["deprecated"]))
    yield from _offered(old, new, ("spec",), ("notify", "webhooks"))
    known = {"version", "runtime", "deprecated", "config", "auth", "http", "streams", "notify", "webhooks"}
    yield from _rest(old, new, ("spec",), known)


def _config(old: Data, new: Data) -> Iterator[Evolved]:
    path: Path = ("spec", "config", "properties")
    before, after = old["properties"], new["properties"]
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        must, had = name in new["required"], name in old["required"]
        if was is None:
            needed = must and now["default"] is None
            what = "required setting added" if needed else "setting added"
            yield Evolved(Level.breaking if needed else Level.additive, (*path, name), what)
        elif now is None:
            yield Evolved(Level.breaking, (*path, name), "setting removed")
        else:
            if must != had:
                needed = must and now["default"] is None
                level = Level.breaking if needed else Level.additive
                yield Evolved(level, (*path, name), "is required now" if must else "is no longer required")
            yield from _setting(was, now, (*path, name))


def _setting(old: Data, new: Data, path: Path) -> Iterator[Evolved]:
    for part in ("type", "format", "pattern", "secret"):
        if old[part] != new[part]:
            level = Level.additive if part in {"format", "pattern"} and not new[part] else Level.breaking
            yield Evolved(level, (*path, part), _was(old[part], new[part]))
    if old["enum"] != new["enum"]:
        narrowed = bool(new["enum"]) and not (old["enum"] and set(old["enum"]) <= set(new["enum"]))
        yield Evolved(Level.breaking if narrowed else Level.additive, (*path, "enum"), _was(old["enum"], new["enum"]))
    if old["default"] != new["default"]:
        level = Level.additive if old["default"] is None else Level.breaking
        yield Evolved(level, (*path, "default"), _was(old["default"], new["default"]))
    if old["description"] != new["description"]:
        yield Evolved(Level.fix, (*path, "description"), "changed")


def _auth(before: Data, after: Data) -> Iterator[Evolved]:
    for name in sorted({*before, *after}):
        if name not in after:
            what = "works no longer without credentials" if name == "none" else f"{name} is no longer offered"
            yield Evolved(Level.breaking, ("spec", "auth"), what)
        elif name not in before:
            what = "works without credentials" if name == "none" else f"{name} is offered"
            yield Evolved(Level.additive, ("spec", "auth"), what)
        elif before[name] != after[name]:
            # Credentials go elsewhere, or are sent in another way than they were given for.
            yield Evolved(Level.breaking, ("spec", "auth"), f"{name} is used in another way")


def _offers(spec: ConnectorSpec) -> dict[str, Any]:
    """Details of each way of authenticating; `api_key` and `{type: api_key}` are one."""
    found: dict[str, Any] = {}
    for offer in spec.auth:
        details = {} if isinstance(offer, str) else offer.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        found[offer if isinstance(offer, str) else offer.type] = {k: v for k, v in details.items() if k != "type"}
    return found


def _http(old: Data, new: Data) -> Iterator[Evolved]:
    path: Path = ("spec", "http")
    if not old or not new:
        if old or new:
            yield Evolved(Level.breaking, path, "added" if new else "removed")
        return
    if old["url"] != new["url"]:
        yield Evolved(Level.breaking, (*path, "url"), _was(old["url"], new["url"]))
    yield from _rest(old, new, path, {"url"})


# --- streams ---------------------------------------------------------------------------------------------------------


def _streams(old: Data, new: Data) -> Iterator[Evolved]:
    for name in sorted({*old, *new}):
        path: Path = ("spec", "streams", name)
        if name not in new:
            yield Evolved(Level.breaking, path, "stream removed")
        elif name not in old:
            yield Evolved(Level.additive, path, "stream added")
        else:
            yield from _stream(old[name], new[name], path)


def _stream(old: Data, new: Data, path: Path) -> Iterator[Evolved]:
    if old["key"] != new["key"]:
        level = Level.breaking if old["key"] else Level.additive
        yield Evolved(level, (*path, "key"), _was(old["key"], new["key"]))
    for part in ("cursor", "write", "for"):
        if bool(old.get(part)) != bool(new.get(part)):
            # Records of a stream for each record of a parent are others than those of a stream without one.
            added = bool(new.get(part)) and part != "for"
            event = _event(old.get(part), new.get(part))
            yield Evolved(Level.additive if added else Level.breaking, (*path, part), event)
    if old["cursor"] and new["cursor"]:
        yield from _cursor(old["cursor"], new["cursor"], (*path, "cursor"))
    if old.get("write") and new.get("write"):
        yield from _writes(old["write"], new["write"], (*path, "write"))
    if old.get("for") and new.get("for") and old["for"] != new["for"]:
        yield Evolved(Level.breaking, (*path, "for"), _was(old["for"], new["for"]))
    yield from _schema(old["schema"], new["schema"], (*path, "schema"))
    known = {"key", "cursor", "write", "erase", "for", "schema"}
    if not old["schema"] and not new["schema"]:
        # Without a schema, what comes of these is all that mappings know of the records.
        for part in ("fields", "flatten"):
            if old.get(part) != new.get(part):
                yield Evolved(Level.breaking, (*path, part), _event(old.get(part), new.get(part)))
        known |= {"fields", "flatten"}
    yield from _offered(old, new, path, ("erase",))
    yield from _rest(old, new, path, known)


def _cursor(old: Data, new: Data, path: Path) -> Iterator[Evolved]:
    for part in sorted({*old, *new}):
        was, now = old.get(part), new.get(part)
        if was == now:
            continue
        match part:
            case "field" | "type" | "marker":
                level = Level.breaking
            case "windows":
                # Their columns are fields of the records, and their edges say which records there are.
                parts = ("every", "columns", "timeZone")
                same = was and now and all(was[name] == now[name] for name in parts)
                level = Level.fix if same else Level.breaking
            case _:
                level = Level.fix
        yield Evolved(level, (*path, part), _was(was, now))


def _writes(old: Data, new: Data, path: Path) -> Iterator[Evolved]:
    yield from _offered(old, new, path, tuple(sorted({*old, *new})))


def _schema(old: Data | None, new: Data | None, path: Path) -> Iterator[Evolved]:
    if not old or not new:
        if old or new:
            # What has no schema is JSON text to mappings: with one, types change under them.
            yield Evolved(Level.breaking, path, "schema added" if new else "schema removed")
        return
    yield from _properties(
        old["properties"], new["properties"], (*path, "properties"), old["required"], new["required"]
    )


def _properties(
    old: Data, new: Data, path: Path, had: tuple[str, ...] | list[str] = (), must: tuple[str, ...] | list[str] = ()
) -> Iterator[Evolved]:
    for name in sorted({*old, *new}):
        was: Any = old.get(name)
        now: Any = new.get(name)
        if was is None:
            needed = name in must or not now["nullable"]
            what = "field added; records without it are rejected" if needed else "field added"
            yield Evolved(Level.breaking if needed else Level.additive, (*path, name), what)
        elif now is None:
            yield Evolved(Level.breaking, (*path, name), "field removed")
        else:
            could, can = was["nullable"] and name not in had, now["nullable"] and name not in must
            if could != can:
                what = "may be null now" if can else "may no longer be null: such records are rejected"
                yield Evolved(Level.breaking, (*path, name), what)
            yield from _property(was, now, (*path, name))


def _property(old: Data, new: Data, path: Path) -> Iterator[Evolved]:
    if old["type"] != new["type"]:
        yield Evolved(Level.breaking, (*path, "type"), _was(old["type"], new["type"]))
        return
    if old["x-class"] != new["x-class"]:
        # Policy follows a class: without it, what it denied may flow.
        level = Level.breaking if old["x-class"] else Level.additive
        yield Evolved(level, (*path, "x-class"), _was(old["x-class"], new["x-class"]))
    if bool(old["properties"]) != bool(new["properties"]):
        yield Evolved(
            Level.breaking, (*path, "properties"), "fields of the object added" if new["properties"] else "removed"
        )
    else:
        yield from _properties(old["properties"], new["properties"], (*path, "properties"))
    if old["items"] and new["items"]:
        yield from _property(old["items"], new["items"], (*path, "items"))
    elif old["items"] != new["items"]:
        yield Evolved(Level.breaking, (*path, "items"), _event(old["items"], new["items"]))
    known = {"type", "x-class", "properties", "items", "nullable"}
    yield from _rest(old, new, path, known)


# --- shared ----------------------------------------------------------------------------------------------------------


def _offered(old: Data, new: Data, path: Path, names: tuple[str, ...]) -> Iterator[Evolved]:
    """Parts that others may use as they are there."""
    for name in names:
        was, now = old.get(name), new.get(name)
        if was != now:
            level = Level.fix if was and now else Level.additive if now else Level.breaking
            yield Evolved(level, (*path, name), _event(was, now))


def _rest(old: Data, new: Data, path: Path, known: set[str]) -> Iterator[Evolved]:
    """Parts that nobody outside depends on."""
    for name in sorted({*old, *new} - known):
        if old.get(name) != new.get(name):
            yield Evolved(Level.fix, (*path, name), _event(old.get(name), new.get(name)))


def _event(old: Any, new: Any) -> str:
    if not old:
        return "added"
    return "changed" if new else "removed"


def _was(old: Any, new: Any) -> str:
    return f"was {_text(old)}, is {_text(new)}"


def _text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
