"""Why an object stands as it does, for people: the blocking chain, the cause, what comes next."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from syncline.cli.output.runs import record_data
from syncline.cli.output.statuses import ahead, condition_cells, event_data, render_events, status_data
from syncline.cli.output.text import plural, visible
from syncline.model.codes import CODES
from syncline.model.condition import ConditionType
from syncline.model.event import rfc3339

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.cli.output.schedules import Shown
    from syncline.reconciler.explain import Explained, Link

VERSION = "syncline/explained/v1"
_CODE = re.compile(r"^\[(SYN\d+)\] ")


def render_explained(found: Explained, starts: Sequence[Shown], now: dt.datetime, paint: Paint) -> str:
    """The chain, one object a line; what to do about its end; attempts and starts to come; what happened last."""
    parts = ["".join(_link(link, now, paint) for link in found.chain)]
    parts += [advice for link in found.chain if (link.root or not link.depth) and (advice := _advice(link, paint))]
    facts = [*_next(found, starts, now), *_facts(found, now)]
    width = max(len(name) for name, _ in facts)
    parts.append("".join(f"  {name.ljust(width)}  {visible(text)}\n" for name, text in facts))
    if found.events:
        parts.append(paint.cyan("Lately") + "\n" + render_events(found.events, paint))
    return "\n".join(parts)


def _link(link: Link, now: dt.datetime, paint: Paint) -> str:
    status = link.status
    truth, reason, age, message = condition_cells(status, now)
    indent = "  " * (link.depth - 1) + "└ " if link.depth else ""
    word = (
        paint.red("is not ready") if status.failing else paint.green("is ready") if truth == "True" else "may be ready"
    )
    since = f" for {age}" if age else ""
    end = f"\n{'  ' * (link.depth + 1)}{visible(message)}" if message else ""
    cause = f"  {paint.yellow('← the cause')}" if link.root and link.depth else ""
    return f"{indent}{paint.bold(visible(str(status.key)))} {word}{since}: {reason or 'Unknown'}{cause}{end}\n"


def _advice(link: Link, paint: Paint) -> str:
    """What the code of the cause says is to be done."""
    what = ConditionType.ready if link.status.failing else ConditionType.drifted
    said = link.status.condition(what) if link.root or link.status.holds(ConditionType.drifted) else None
    code = _CODE.match(said.message) if said is not None else None
    known = CODES.get(code[1]) if code else None
    return f"{paint.cyan('What to do')}\n  {known.remedy}\n" if known is not None else ""


def _next(found: Explained, starts: Sequence[Shown], now: dt.datetime) -> list[tuple[str, str]]:
    """When it, or what it waits for, is tried again; and when schedules start it next."""
    lines = []
    for link in found.chain:
        status = link.status
        looked_at = not status.failing and status.condition(ConditionType.rotation_due) is not None
        if status.retry and not looked_at and (link.root or not link.depth):
            what = "" if not link.depth else f" of {status.key}"
            lines.append(
                (f"next attempt{what}", f"{ahead(status.retry, now)}, after {plural(status.attempts, 'failure')}")
            )
    for shown in starts:
        zone = ZoneInfo(shown.spec.time_zone)
        when = "".join(f"{fire.starts.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}" for fire in shown.starts[:1])
        said = f"{when or shown.rule} by {shown.name}" if when or not shown.note else f"{shown.name}: {shown.note}"
        lines.append(("next start", said))
    if found.status.key.is_flow and not starts:
        lines.append(("next start", "no schedule starts it"))
    return lines


def _facts(found: Explained, now: dt.datetime) -> list[tuple[str, str]]:
    run, applied = found.last_run, found.applied
    lines = []
    if run is not None:
        counts = run.counts
        ended = f"[{run.error_code}] {run.error}" if run.error else f"{counts.read:,} read, {counts.written:,} written"
        lines.append(("last run", f"{run.id}, {run.state}: {ended}"))
    if applied is not None:
        lines.append(("declared", f"{applied.place} at {applied.revision[:12] or 'no commit'}"))
    else:
        lines.append(("declared", "not applied yet"))
    for source in found.sources:
        _, reason, age, message = condition_cells(source, now)
        said = f" for {age}: {message}" if message else f" for {age}"
        lines.append(("source", f"{source.key}: {reason}{said}"))
    return lines


def explained_data(found: Explained, starts: Sequence[Shown]) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "version": VERSION,
        "object": str(found.status.key),
        "applied": found.applied is not None,
        "chain": [{**status_data(link.status), "depth": link.depth, "cause": link.root} for link in found.chain],
        "nextStarts": [
            {"schedule": shown.name, "starts": rfc3339(fire.starts)} for shown in starts for fire in shown.starts[:1]
        ],
        "lastRun": record_data(found.last_run) if found.last_run is not None else None,
        "sources": [status_data(source) for source in found.sources],
        "events": [event_data(event) for event in found.events],
    }
