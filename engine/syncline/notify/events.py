"""What happened as data: `event` in filters, messages and bodies of webhooks. See `model/notice.py` for the fields."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from syncline.model.codes import CODES
from syncline.model.condition import Occurrence
from syncline.model.event import rfc3339
from syncline.model.key import FIRST
from syncline.model.notice import INCIDENT, SEVERITIES
from syncline.model.run import TRANSITIONS, RunState

if TYPE_CHECKING:
    from syncline.notify.incidents import Incident
    from syncline.state.store import RunRecord

#: Objects and causes that are named in an event; the others are counted.
NAMED: Final = 20
#: What events of runs, and of steps of applies, are called in the state.
_RUNS: Final = {f"Run{state}": "run.finish" for state in RunState if not TRANSITIONS[state]} | {
    "RunStarted": "run.start"
}
_STEPS: Final = frozenset({"Applied", "Moved", "Retired", "PositionReset"})


def of_incidents(incidents: Sequence[Incident], now: float) -> dict[str, Any]:
    """Incidents that are told together: the fields of one where there is one, and all causes where there are more."""
    first = incidents[0]
    waiting = sorted({key for incident in incidents for key in incident.waiting})
    together = len(incidents) > 1
    tenants = {incident.key.tenant for incident in incidents}
    return {
        "type": INCIDENT,
        "phase": "open",
        "severity": max((incident.severity for incident in incidents), key=SEVERITIES.index),
        "time": time_of(now),
        "id": "",
        "since": min(incident.since for incident in incidents),
        "tenant": first.key.tenant if len(tenants) == 1 else "",
        "kind": "" if together else first.key.kind,
        "name": "" if together else first.key.name,
        "object": "" if together else str(first.key),
        "reason": "Several" if together else first.reason,
        "code": "" if together else first.code,
        "title": f"{len(incidents)} objects are in trouble" if together else first.title,
        "help": "" if together else first.help,
        "revision": first.revision,
        "count": len(waiting),
        "objects": [str(key) for key in waiting[:NAMED]],
        "causes": [
            {"object": str(i.key), "reason": i.reason, "code": i.code, "title": i.title} for i in incidents[:NAMED]
        ]
        if together
        else [],
        "cause": "",
    }


def type_of(occurrence: Occurrence) -> str:
    """The type of event that a row of the state is; '' for none of them."""
    if occurrence.key.kind == "Source":
        return "apply.finish" if occurrence.mood == "Normal" and occurrence.revision else ""
    found = _RUNS.get(occurrence.reason, "") if occurrence.run else ""
    return found or ("apply.step" if occurrence.reason in _STEPS else "")


def of_occurrence(occurrence: Occurrence, run: RunRecord | None, tenant: str) -> dict[str, Any]:
    """An event of the state; `run` is the one that it is of. `tenant` is whose subscription is told."""
    kind, key = type_of(occurrence), occurrence.key
    common = {"type": kind, "severity": "info", "time": occurrence.time, "tenant": key.tenant or tenant}
    if kind == "apply.finish":
        return {**common, "source": key.name, "revision": occurrence.revision}
    named = {**common, "kind": key.kind, "name": key.name, "object": str(key), "revision": occurrence.revision}
    if kind == "apply.step":
        return {**named, "reason": occurrence.reason}
    state = RunState.running if kind == "run.start" else _state(occurrence)
    failed = state is RunState.failed
    counts = run.counts if run is not None and kind == "run.finish" else None
    return {
        **named,
        "severity": "error" if failed else "warning" if state is RunState.partial else "info",
        "run": occurrence.run,
        "state": str(state),
        "outcome": "failure" if failed else "success",
        "code": run.error_code if run is not None and failed else "",
        "trigger": run.trigger if run is not None else "",
        "read": counts.read if counts else 0,
        "written": counts.written if counts else 0,
        "rejected": counts.rejected if counts else 0,
        "skipped": counts.skipped if counts else 0,
    }


def line_of(event: Mapping[str, Any]) -> str:
    """An event in a few words."""
    match event["type"]:
        case "run.start":
            return f"a run of {event['object']} started"
        case "run.finish":
            code = event["code"]
            title = CODES[code].title if code in CODES else ""
            why = f": {title} ({code})" if title else f": {code}" if code else ""
            return f"a run of {event['object']} ended, {event['state']}{why}"
        case "apply.step":
            return f"{event['object']}: {event['reason']}"
        case "apply.finish":
            source = event.get("source", FIRST)  # messages of earlier versions don't have it
            of = "" if source == FIRST else f" of {source}"
            return f"commit {event['revision'][:12]}{of} is applied"
        case other:
            return str(other)


def time_of(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC."""
    return rfc3339(dt.datetime.fromtimestamp(seconds, dt.UTC))


def at_least(severity: str, least: str | None) -> bool:
    """Whether a severity is as urgent as another; None: any is."""
    return least is None or SEVERITIES.index(severity) >= SEVERITIES.index(least)


def _state(occurrence: Occurrence) -> RunState:
    return RunState(occurrence.reason.removeprefix("Run"))
