"""What windows of a calendar demand of a stream: a time, requests that ask for each, columns that tell them apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from syncline.manifests.demands.partitions import VARIABLES
from syncline.manifests.demands.texts import names_in, texts_in, texts_of
from syncline.manifests.demands.zone import check_zone
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed

if TYPE_CHECKING:
    from syncline.kinds.reading import Cursor, DateWindows
    from syncline.kinds.rest_stream import RestStream
    from syncline.model.manifest import Path

#: What a cursor with windows has no use for, and why.
_OTHERS: Final = {
    "window": "`every` of windows is their length",
    "lookback": "`lookback` of windows is how many are read again",
    "formats": "it is about times in records",
}


def check_windows(stream: RestStream, path: Path) -> Iterator[Problem]:
    """Everything that is wrong with the windows that a stream is read for; nothing where it has none."""
    cursor = stream.cursor
    if cursor is None or cursor.windows is None:
        return
    yield from _cursor(cursor, cursor.windows, (*path, "cursor"))
    yield from check_zone(cursor.windows.time_zone, (*path, "cursor", "windows", "timeZone"))
    yield from _columns(stream, cursor.windows, path)
    yield from _asked(stream, cursor, cursor.windows, path)


def _cursor(cursor: Cursor, windows: DateWindows, path: Path) -> Iterator[Problem]:
    if cursor.type not in {"date", "timestamp"}:
        message = f"windows of a calendar have no edges of type {cursor.type}"
        yield Problem("SYN574", (*path, "type"), message, "date or timestamp")
    if windows.every.endswith("h") and cursor.type == "date":
        message = "windows of hours have no edges that are dates"
        yield Problem("SYN574", (*path, "windows", "every"), message, "type: timestamp, or days, weeks or months")
    if cursor.start is None:
        yield Problem(
            "SYN574",
            (*path, "windows"),
            "windows need `start`, where the first one begins",
            expected='start: "2026-01-01", or config.NAME for a setting',
            at_key=True,
        )
    elif not cursor.start.startswith("config.") and not _is_date(cursor.start):
        yield Problem("SYN574", (*path, "start"), f"{cursor.start[:80]!r} is no date", "a date such as 2026-01-01")
    for field, why in _OTHERS.items():
        if getattr(cursor, field):
            message = f"a cursor with windows has no {field!r}: {why}"
            yield Problem("SYN574", (*path, field), message, at_key=True)
    if cursor.order != "any":
        yield Problem("SYN574", (*path, "order"), "records have no order by a window", at_key=True)


def _is_date(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _columns(stream: RestStream, windows: DateWindows, path: Path) -> Iterator[Problem]:
    """What is wrong with the names of the columns, and a warning where the key can't tell one window from another."""
    at = (*path, "cursor", "windows", "columns")
    own = stream.record_schema.properties if stream.record_schema else {}
    taken = {name for item in stream.read_for for name in (item.name, *(times.name for times in item.times))}
    for name in windows.columns:
        if name in VARIABLES:
            message = f"{name!r} means something else in templates"
            yield Problem("SYN205", (*at, name), message, "another name", at_key=True)
        elif name in own:
            message = f"the records have a field {name!r} of their own"
            yield Problem("SYN205", (*at, name), message, "a name that is no field of the schema", at_key=True)
        elif name in taken:
            message = f"{name!r} is a name of `for` already"
            yield Problem("SYN205", (*at, name), message, "another name", at_key=True)
    if stream.key and not {key.split(".")[0] for key in stream.key} & set(windows.columns):
        yield Problem(
            "SYN576",
            (*path, "key"),
            f"the key doesn't tell one window from another: {listed(windows.columns)} isn't in it",
            help="Add it, also to the mapping's key: else a row of one window replaces that of the window before.",
            warning=True,
        )


def _asked(stream: RestStream, cursor: Cursor, windows: DateWindows, path: Path) -> Iterator[Problem]:
    """A finding where requests don't depend on the window."""
    if "start" in cursor.into.values() or "end" in cursor.into.values():
        return
    texts = [text for _, text in texts_of(stream, ())]
    if stream.job is not None:
        texts += [text for _, text in texts_of(stream.job.create, ())]
    if stream.file is not None:
        texts += [text for _, text in texts_in(stream.file.url, ())]
    read = {name for text in texts for name in names_in(text)}
    if not read & {"start", "end", "cursor", *windows.columns}:
        yield Problem(
            "SYN575",
            (*path, "cursor", "windows"),
            "no request says which window it asks for",
            expected=f"into: {{query.from: start}}, or a template that reads {next(iter(windows.columns))}",
            at_key=True,
        )
