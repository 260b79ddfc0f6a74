"""How objects stand and what happened to them, for people and for programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncline.cli.output.table import render_table
from syncline.cli.output.text import duration, number, plural, visible
from syncline.model.condition import ConditionType, Mood, Occurrence, Status, Truth
from syncline.model.key import FIRST

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.state.store import AppliedRevision

VERSION = "syncline/status/v1"


def ago(time: str, now: dt.datetime) -> str:
    """How long ago a time was; '' for none."""
    return duration(max(1, int((now - dt.datetime.fromisoformat(time)).total_seconds()))) if time else ""


def ahead(time: str, now: dt.datetime) -> str:
    """When a time comes: `in 32.0 s`, or `now`."""
    seconds = int((dt.datetime.fromisoformat(time) - now).total_seconds())
    return f"in {duration(seconds)}" if seconds > 0 else "now"


def condition_cells(status: Status, now: dt.datetime) -> tuple[str, str, str, str]:
    """Whether it is ready, why in a word, for how long, and why in a sentence; what is suspended, has drifted, or has
    a credential to replace says so.
    """
    ready = status.condition(ConditionType.ready)
    suspended = status.condition(ConditionType.suspended)
    due = status.condition(ConditionType.rotation_due)
    drifted = status.condition(ConditionType.drifted)
    if due is not None and due.status is Truth.true and not status.failing:
        shown = f"Rotation{due.reason}", due.changed, due.message
    elif drifted is not None and drifted.status is Truth.true and not status.failing:
        shown = "Drifted", drifted.changed, drifted.message
    elif suspended is not None and suspended.status is Truth.true and not status.failing:
        shown = "Suspended", suspended.changed, suspended.message
    elif ready is None:
        shown = "", "", ""
    else:
        shown = ready.reason, ready.changed, ready.message
    reason, changed, message = shown
    return str(ready.status if ready else Truth.unknown), reason, ago(changed, now), message


def render_statuses(statuses: Sequence[Status], sources: Sequence[Status], now: dt.datetime, paint: Paint) -> str:
    """The sources, the objects in a table, and a line that counts them."""
    lines = []
    for source in sources:
        truth, reason, age, message = condition_cells(source, now)
        ready = source.condition(ConditionType.ready)
        commit = ready.revision[:12] if ready is not None and ready.revision else "no commit"
        word = paint.red("not ready") if source.failing else paint.green("ready") if truth == "True" else "unknown"
        said = ": ".join(filter(None, (reason, visible(message))))
        lines.append(f"{paint.bold(str(source.key))} is {word} at {commit} for {age or 'no time'}: {said}\n")
    if statuses:
        head = ["OBJECT", "READY", "REASON", "FOR", "NEXT TRY", "MESSAGE"]
        rows = []
        for status in statuses:
            truth, reason, age, message = condition_cells(status, now)
            retry = ahead(status.retry, now) if status.retry and status.failing else ""
            rows.append([str(status.key), truth, reason, age, retry, message])
        for column in (5, 4):
            if not any(row[column] for row in rows):
                for row in (head, *rows):
                    del row[column]
        lines.append(render_table(head, rows, paint, cells=76))
    return "\n".join([*lines, _counted(statuses, paint)])


def _counted(statuses: Sequence[Status], paint: Paint) -> str:
    failing = [s for s in statuses if s.failing]
    stalled = sum(s.holds(ConditionType.stalled) for s in failing)
    suspended = sum(s.holds(ConditionType.suspended) for s in statuses)
    parts = [f"{len(statuses) - len(failing)} ready"]
    if failing:
        parts.append(paint.red(f"{len(failing)} not ready"))
    if stalled:
        parts.append(f"{stalled} of them {'needs' if stalled == 1 else 'need'} a person")
    if rotate := sum(s.holds(ConditionType.rotation_due) for s in statuses):
        parts.append(paint.yellow(f"{rotate} to replace"))
    if suspended:
        parts.append(f"{suspended} suspended")
    return f"{plural(len(statuses), 'object')}: {', '.join(parts)}.\n"


def status_data(status: Status) -> dict[str, Any]:
    """A status as plain data, with Kubernetes' names."""
    ready = status.condition(ConditionType.ready)
    return {
        "object": str(status.key),
        "ready": str(ready.status if ready is not None else Truth.unknown),
        "conditions": [
            {
                "type": str(c.type),
                "status": str(c.status),
                "reason": c.reason,
                "message": c.message,
                "observedRevision": c.revision,
                "lastTransitionTime": c.changed,
            }
            for c in status.conditions
        ],
        "attempts": status.attempts,
        "nextAttempt": status.retry or None,
    }


def render_history(revisions: Sequence[AppliedRevision], paint: Paint) -> str:
    """What was applied, newest first."""
    if not revisions:
        return "Nothing is applied yet.\n"
    head = ("APPLIED (UTC)", "REVISION", "SERIAL", "OBJECTS", "PLAN", "AUTHOR", "SUBJECT")
    several = any(r.source for r in revisions)
    rows = [
        (
            r.finished[:19].replace("T", " "),
            (f"{r.source or FIRST} " if several else "") + (r.revision[:12] or "no commit"),
            number(r.serial),
            number(r.objects),
            r.plan[:12],
            r.author.name,
            r.author.subject,
        )
        for r in revisions
    ]
    return render_table(head, rows, paint, right=frozenset({2, 3}))


def render_events(events: Sequence[Occurrence], paint: Paint, *, head: bool = True) -> str:
    """Events, newest last, one a line."""
    if not events:
        return "Nothing has happened yet.\n" if head else ""
    lines = []
    for event in events:
        word = paint.yellow(event.reason) if event.mood is Mood.warning else event.reason
        name = paint.bold(visible(str(event.key)))
        at = f" at {event.revision[:12]}" if event.revision and not event.run else ""
        message = f": {visible(event.message)}" if event.message else ""
        lines.append(f"{event.time[:19].replace('T', ' ')}  {name}  {word}{at}{message}")
    return "\n".join(lines) + "\n"


def event_data(event: Occurrence) -> dict[str, Any]:
    """An event as plain data."""
    return {
        "number": event.number,
        "time": event.time,
        "object": str(event.key),
        "type": str(event.mood),
        "reason": event.reason,
        "message": event.message,
        "revision": event.revision,
        "run": event.run or None,
    }
