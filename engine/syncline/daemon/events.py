"""What has happened since a schedule by event last looked: ends of runs, applies that changed something, and webhooks.

All are read from the state, where they are recorded in the transaction that makes them so. There is no queue of events
that could lose one: what a schedule has dealt with is its cursor, and all that came after it is still to be dealt with.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from syncline.kinds.schedule import OnEvent, OnWebhook, flows_of
from syncline.model import units
from syncline.model.event import rfc3339
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS, RunState
from syncline.policy.cel import ERRORS, Condition

if TYPE_CHECKING:
    from syncline.state.store import RunRecord, StateStore

#: Runs of a flow that are looked at; of more that ended since the last look, the older ones are passed over.
LOOKED_AT = 50
#: What an apply's serial is kept under.
_APPLY = "apply"
#: What the number of a delivery is kept under, and when runs were last started for one.
_DELIVERY, _STARTED = "delivery", "started"


class Happened(Struct, frozen=True):
    """
    What came since a cursor: the cursor after it, and when each event was that passed the filter. Runs start for it at
    `earliest`, or as soon as they may.
    """

    cursor: str
    times: tuple[dt.datetime, ...]
    earliest: dt.datetime | None = None


class Look(Struct, frozen=True):
    """A look for events of a schedule, `now`. One that has no cursor yet looks for those that came after `since`."""

    store: StateStore
    schedule: ObjectKey
    on: OnEvent
    since: dt.datetime
    now: dt.datetime

    def after(self, cursor: str | None) -> Happened:
        """What the schedule hasn't dealt with yet."""
        known = _loaded(cursor)
        if self.on.webhook is not None:
            return self._delivered(self.on.webhook, known)
        moved = dict(known)
        times = []
        for event, name, mark, at in self._events(known):
            moved[name] = mark
            if _counts(self.on.filter, event):
                times.append(at)
        return Happened(_dumped(moved), tuple(times))

    def _events(self, known: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, Any, dt.datetime]]:
        """New events, oldest first of each flow, with the place in the cursor that says that they were dealt with."""
        if self.on.event == "apply.finish":
            serial = self.store.serial()
            if serial != known.get(_APPLY) and not self.store.unfinished_apply():
                event = applied(self.schedule, self.store.applied_under()[0], serial)
                yield event, _APPLY, serial, self.now  # when it was isn't kept with the serial
            return
        for name, flow in zip(self.on.of, flows_of(self.schedule.tenant, self.on.of), strict=True):
            for record in self._ended(flow, known.get(name)):
                yield finished(record), name, record.finished, dt.datetime.fromisoformat(record.finished)

    def _delivered(self, webhook: OnWebhook, known: dict[str, Any]) -> Happened:
        """Whether anything was delivered: however much, it starts runs once, and not before the pause is over."""
        newest = self.store.deliveries().newest(self.schedule)
        if newest is None or newest.number <= known.get(_DELIVERY, 0):
            return Happened(_dumped(known), ())
        moved = {_DELIVERY: newest.number, _STARTED: rfc3339(self.now)}
        started = known.get(_STARTED)
        earliest = None
        if started is not None:  # a clock that was ahead then doesn't put it off for longer than the pause
            pause = dt.timedelta(seconds=units.duration(webhook.pause))
            earliest = min(dt.datetime.fromisoformat(started), self.now) + pause
        return Happened(_dumped(moved), (min(dt.datetime.fromisoformat(newest.received), self.now),), earliest)

    def _ended(self, flow: ObjectKey, last: str | None) -> list[RunRecord]:
        """Runs of a flow that ended after a moment, in that order: one that was resumed ends after later ones."""
        after = last or rfc3339(self.since)
        ended = (record for record in self.store.runs(flow, LOOKED_AT) if not TRANSITIONS[record.state])
        return sorted((r for r in ended if r.finished > after), key=lambda record: record.finished)


def finished(record: RunRecord) -> dict[str, Any]:
    """The end of a run, as conditions see it (`model/trigger.py`)."""
    key, counts = record.key, record.counts
    return {
        "type": "run.finish",
        "time": record.finished,
        "tenant": key.tenant,
        "kind": key.kind,
        "name": key.name,
        "object": str(key),
        "run": record.id,
        "state": str(record.state),
        "outcome": "failure" if record.state is RunState.failed else "success",
        "code": record.error_code,
        "trigger": record.trigger,
        "revision": record.revision,
        "read": counts.read,
        "written": counts.written,
        "rejected": counts.rejected,
        "skipped": counts.skipped,
    }


def applied(schedule: ObjectKey, revision: str, serial: int) -> dict[str, Any]:
    """An apply, as conditions see it."""
    return {"type": "apply.finish", "tenant": schedule.tenant, "revision": revision, "serial": serial}


def _counts(condition: str | None, event: dict[str, Any]) -> bool:
    """Whether an event passes the filter. One that can't be evaluated on it says no."""
    if condition is None:
        return True
    try:
        return Condition(condition)({"event": event}) is True
    except ERRORS:
        return False


def _dumped(cursor: dict[str, Any]) -> str:
    return json.dumps(cursor, sort_keys=True)


def _loaded(cursor: str | None) -> dict[str, Any]:
    """A cursor that a look gave; one of another schedule that was by time says nothing."""
    if cursor is None or not cursor.startswith("{"):
        return {}
    found = json.loads(cursor)
    return found if isinstance(found, dict) else {}
