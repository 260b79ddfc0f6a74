"""Schedules against the clock: a position that keeps one from starting anything, and starts that nobody began."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from syncline.model.drift import Finding, ObjectDrift
from syncline.model.event import Action

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey
    from syncline.state.store import StateStore

#: How far a position may be ahead of this machine's clock: as clocks of machines differ.
TOLERANCE: Final = dt.timedelta(minutes=5)
_EVENTS: Final = "{"  # the positions of schedules by event begin with this


def observe_schedule(engine: Engine, key: ObjectKey, now: dt.datetime) -> ObjectDrift:
    """Looks at a schedule's position. Positions of events aren't times, and are read by whoever starts."""
    known = engine.applied().objects.get(key)
    # One that has never started anything begins after it was applied.
    cursor = engine.facilities.store.cursor(key) or (known.applied if known is not None else None)
    found = position_finding(cursor, now)
    return ObjectDrift(key, findings=(found,) if found is not None else ())


def heal_schedule(engine: Engine, store: StateStore, key: ObjectKey, now: dt.datetime) -> None:
    """Has a schedule go on from now. What it started before, it doesn't start again: its starts lie after that."""
    recorder = engine.facilities.recorder
    recorder.record([recorder.event(Action.drift_heal, key=key, position=now.isoformat())])
    store.put_cursor(key, now.isoformat())


def position_finding(cursor: str | None, now: dt.datetime) -> Finding | None:
    """What is wrong with a position.

    >>> position_finding("2027-01-01T00:00:00+00:00", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).message
    'it is at 2027-01-01 00:00 UTC, ahead of the clock: nothing starts before that'
    """
    if cursor is None or cursor.startswith(_EVENTS):
        return None
    at = read_position(cursor)
    if at is None:
        return Finding("actor", "position", "it can't be read, so that nothing starts", lost=True)
    if at > now + TOLERANCE:
        shown = at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
        return Finding(
            "actor", "position", f"it is at {shown}, ahead of the clock: nothing starts before that", lost=True
        )
    return None


def read_position(cursor: str) -> dt.datetime | None:
    """The instant that a schedule by time has come to; None where nobody can read it."""
    try:
        found = dt.datetime.fromisoformat(cursor)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
