"""What messages say unless a subscription says otherwise: since when, what waits, what to do, which commands help.

Only names, codes, times and texts of this program are in them. What a system answered stays in the state, where
`syncline explain` shows it to who may see it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from syncline.model.notice import INCIDENT, Phase
from syncline.notify.events import line_of

#: Names in a sentence; the others are counted.
SHOWN: Final = 5


class Text(Struct, frozen=True):
    """A message: its first line, and the rest, in lines."""

    title: str
    body: str


def default(phase: Phase, event: Mapping[str, Any]) -> Text:
    """The message about an event."""
    if phase is Phase.test:
        return Text("A test of this subscription", "If you can read this, its messages arrive. Nothing has happened.")
    if phase is Phase.digest:
        return Text(f"{event['count']} events", "\n".join([*event["lines"], *_more(event["count"], event["lines"])]))
    if event["type"] != INCIDENT:
        return Text(_capital(line_of(event)), "\n".join(_commands(event)))
    return _incident(phase, event)


def subject(event: Mapping[str, Any], title: str) -> str:
    """What a message is about, the same in all of a thread; of a single event its title."""
    if event["type"] != INCIDENT:
        return f"[Syncline] {title}"
    return f"[Syncline] {event['object'] or event['title']}"


def _incident(phase: Phase, event: Mapping[str, Any]) -> Text:
    subject = event["object"] or event["title"]
    why = f"{event['title']}" + (f" ({event['code']})" if event["code"] else "")
    since = f"Since {_minute(event['since'])}."
    if phase is Phase.resolve:
        lasted = f"It lasted {_lasted(event)}."
        if event["cause"]:
            return Text(
                f"{subject}: part of another incident", f"Its cause is {event['cause']}, which is told of by itself."
            )
        if event["causes"]:
            return Text("Resolved: all of these are well again", "\n".join([*_causes(event), lasted]))
        return Text(f"Resolved: {subject} is well again", f"It was: {why}. {lasted}")
    title = {
        Phase.update: f"Changed: {subject}: {why}",
        Phase.reminder: f"Still not resolved after {_lasted(event)}: {subject}: {why}",
    }.get(phase, f"{subject}: {why}")
    if event["causes"]:
        title = {Phase.reminder: f"Still not resolved after {_lasted(event)}: {subject}"}.get(phase, _capital(subject))
    acts = "Nobody is needed yet: it is tried again by itself." if event["severity"] == "warning" else ""
    waits = ""
    if event["count"]:
        who = f"{event['count']:,} fail" if event["reason"] == "FlowsFail" else f"{_objects(event['count'])} for it"
        waits = f"{who}: {_listed(event['objects'], event['count'])}."
    todo = f"What to do: {event['help']}" if event["help"] else ""
    parts = [*_causes(event), " ".join(filter(None, (since, acts))), waits, todo, *_commands(event)]
    return Text(title, "\n".join(filter(None, parts)))


def _causes(event: Mapping[str, Any]) -> list[str]:
    return [f"- {c['object']}: {c['title']}" + (f" ({c['code']})" if c["code"] else "") for c in event["causes"]]


def _commands(event: Mapping[str, Any]) -> list[str]:
    """Commands that show more."""
    match event:
        case {"type": "incident", "causes": [_, *_]}:
            return ["See: syncline status --failing"]
        case {"type": "incident", "kind": "Source"}:
            return ["See: syncline status"]
        case {"type": "incident", "reason": "FlowsFail", "objects": [str(name), *_]}:
            return [f"See: syncline explain {name}"]
        case {"type": "incident", "object": str(name)}:
            return [f"See: syncline explain {name}"]
        case {"run": str(run), "state": "SucceededWithRejects"}:
            return [f"See: syncline runs rejects {run}"]
        case {"run": str(run)}:
            return [f"See: syncline runs show {run}"]
        case _:
            return []


def _objects(count: int) -> str:
    return "1 object waits" if count == 1 else f"{count:,} objects wait"


def _listed(names: Sequence[str], count: int) -> str:
    shown = ", ".join(names[:SHOWN])
    rest = count - min(len(names), SHOWN)
    return f"{shown} and {rest:,} more" if rest else shown


def _more(count: int, lines: Sequence[str]) -> list[str]:
    return [f"and {count - len(lines):,} more: syncline events"] if count > len(lines) else []


def _minute(time: str) -> str:
    return f"{time[:10]} {time[11:16]} UTC"


def _lasted(event: Mapping[str, Any]) -> str:
    """How long it has lasted, in its two greatest units."""
    span = dt.datetime.fromisoformat(event["time"]) - dt.datetime.fromisoformat(event["since"])
    seconds = max(0, int(span.total_seconds()))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
