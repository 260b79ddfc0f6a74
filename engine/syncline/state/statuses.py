"""How objects stand, and what happened to them: rows of `statuses` and `events`.

A status is one row, so that what belongs together changes together. Events are written in the transaction of what they
tell of: none is lost by a kill, and none is told twice. Only the newest are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, cast, delete, insert, or_, select

from syncline.model.condition import Condition, ConditionType, Mood, Occurrence, Status, Truth
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.state import tables
from syncline.state.direct import Direct
from syncline.state.rows import is_key, key_columns, now, storable
from syncline.state.store import RunRecord, StatusChange
from syncline.state.upserts import replacing

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row, Table
    from sqlalchemy.dialects import postgresql, sqlite

    from syncline.state.database import Database

#: Events that are kept, the newest; older ones go when as many as `_PRUNED` of them have piled up.
KEPT_EVENTS = 10_000
_PRUNED = 100
#: Keys in one statement; both databases take several times as many.
_CHUNK = 100
#: What a run's new state is called, where the state's own name wouldn't say what happened.
_WORDS = {RunState.running: "Started"}
#: Longest message of a condition or an event, in characters.
MAX_MESSAGE = 2_000

_TROUBLE = (
    (ConditionType.ready, Truth.false),
    (ConditionType.drifted, Truth.true),
    (ConditionType.rotation_due, Truth.true),
)
_STATUSES, _EVENTS = tables.statuses, tables.events
# Conditions are read as the text that they are kept as: to compare it costs far less than to compare what it says.
_TEXT = cast(_STATUSES.c.conditions, Text)
_READ = tuple(_TEXT.label(c.name) if c.name == "conditions" else c for c in _STATUSES.c)
# Made once, as those below: composing a statement costs more than running it.
_INSERT_EVENT = Direct(insert(_EVENTS).returning(_EVENTS.c.number))
_DUE = Direct(
    select(_STATUSES.c.tenant, _STATUSES.c.kind, _STATUSES.c.name)
    .where(_STATUSES.c.retry != "", _STATUSES.c.retry <= bindparam("now"))
    .order_by(_STATUSES.c.retry)
)


def read(connection: Connection, keys: Sequence[ObjectKey] | None) -> dict[ObjectKey, Status]:
    """The statuses of these objects, or of all, in key order."""
    return _statuses(_rows(connection, keys))


def _rows(connection: Connection, keys: Sequence[ObjectKey] | None, *, lock: bool = False) -> list[Row[Any]]:
    """What is kept of these objects, or of all, in key order. `lock`: nobody else changes it in this transaction."""
    if keys is None:
        return list(_reading(None, lock=lock).rows(connection, {}))
    found: list[Row[Any]] = []
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        found += _reading(len(some), lock=lock).rows(connection, _numbered(some))
    return sorted(found, key=lambda row: (row.tenant, row.kind, row.name))


def due(database: Database, now: str) -> tuple[ObjectKey, ...]:
    """Objects whose next attempt is due, the longest overdue first."""
    with database.read() as connection:
        rows = _DUE.rows(connection, {"now": now})
    return tuple(ObjectKey(*row) for row in rows)


def change(database: Database, keys: Sequence[ObjectKey] | None, make: StatusChange) -> None:
    """Lets `make` decide from the statuses of these objects (None: of all), and keeps what it says, in one transaction.

    What it leaves as it is isn't written, and a status without conditions is forgotten. `make` may be asked twice:
    where it changes nothing, as after most runs, nothing is locked and no transaction is written.
    """
    with database.read() as connection:
        rows = _rows(connection, keys)
    before = _statuses(rows)
    statuses, occurrences = make(before)
    statuses, occurrences = tuple(statuses), tuple(occurrences)
    if not occurrences and not any(before.get(status.key) != status for status in statuses):
        return
    with database.write() as connection:
        locked = _rows(connection, keys, lock=True)
        if locked != rows:  # somebody was quicker by a moment
            before = _statuses(locked)
            statuses, occurrences = make(before)
        changed = [status for status in statuses if before.get(status.key) != status]
        gone = [status.key for status in changed if not status.conditions]
        for start in range(0, len(gone), _CHUNK):
            connection.execute(delete(_STATUSES).where(_any_of(_STATUSES, gone[start : start + _CHUNK])))
        kept = [_columns(status) for status in sorted(changed, key=lambda s: s.key) if status.conditions]
        if kept:
            _upsert(database.insert(_STATUSES)).run_many(connection, kept)
        tell(connection, *occurrences)


@cache
def _upsert(new: sqlite.Insert | postgresql.Insert) -> Direct:
    """Made once for each database, as the statements above."""
    return Direct(replacing(new, "tenant", "kind", "name"))


def tell(connection: Connection, *occurrences: Occurrence) -> None:
    """Keeps events, in the caller's transaction, and forgets those that are too old."""
    for occurrence in occurrences:
        values = {
            "time": occurrence.time or now(),
            **key_columns(occurrence.key),
            "mood": str(occurrence.mood),
            "reason": occurrence.reason,
            "message": storable(occurrence.message[:MAX_MESSAGE]),
            "revision": occurrence.revision,
            "run": occurrence.run,
        }
        number = int(_INSERT_EVENT.first(connection, values).number)
        if number % _PRUNED == 0:
            connection.execute(delete(_EVENTS).where(_EVENTS.c.number <= number - KEPT_EVENTS))


def of_run(run: RunRecord) -> Occurrence:
    """What there is to tell of a run's new state."""
    counts = run.counts
    figures = f"{counts.read:,} read, {counts.written:,} written, {counts.rejected:,} rejected"
    match run.state:
        case RunState.failed | RunState.interrupted:
            mood, message = Mood.warning, f"[{run.error_code}] {run.error}" if run.error else ""
        case RunState.running | RunState.pending:
            mood, message = Mood.normal, f"{run.trigger} run {run.id}"
        case _:
            mood, message = Mood.normal, figures
    return Occurrence(run.key, mood, f"Run{_WORDS.get(run.state, run.state)}", message, run.revision, run.id)


def events(
    database: Database, key: ObjectKey | None, tenant: str | None, after: int, limit: int
) -> tuple[Occurrence, ...]:
    """The newest events after a number, oldest first."""
    query = select(_EVENTS).where(_EVENTS.c.number > after).order_by(_EVENTS.c.number.desc()).limit(limit)
    if key is not None:
        query = query.where(_any_of(_EVENTS, [key]))
    if tenant is not None:
        query = query.where(_EVENTS.c.tenant == tenant)
    with database.read() as connection:
        rows = connection.execute(query).all()
    return tuple(map(_occurrence, reversed(rows)))


@lru_cache(maxsize=_CHUNK)
def _reading(count: int | None, *, lock: bool) -> Direct:
    """Reads the statuses of so many objects, or of all; made once, as composing it costs more than running it."""
    columns = _STATUSES.c
    query = select(*_READ).order_by(columns.tenant, columns.kind, columns.name)
    if count is not None:
        names: list[list[Any]] = [
            [bindparam(f"{name}{i}") for name in ("tenant", "kind", "name")] for i in range(count)
        ]
        query = query.where(
            or_(*((columns.tenant == t) & (columns.kind == k) & (columns.name == n) for t, k, n in names))
        )
    return Direct(query.with_for_update() if lock else query)


def _numbered(keys: Sequence[ObjectKey]) -> dict[str, str]:
    return {f"{name}{i}": value for i, key in enumerate(keys) for name, value in key_columns(key).items()}


def events_after(database: Database, after: int, limit: int) -> tuple[Occurrence, ...]:
    """The oldest events after a number, in their order."""
    query = select(_EVENTS).where(_EVENTS.c.number > after).order_by(_EVENTS.c.number).limit(limit)
    with database.read() as connection:
        return tuple(map(_occurrence, connection.execute(query).all()))


def troubled(database: Database) -> dict[ObjectKey, Status]:
    """The statuses of objects with something wrong: found in the text, as of thousands few are."""
    wrong = or_(*(_TEXT.like(f'%"type": "{kind}", "status": "{truth}"%') for kind, truth in _TROUBLE))
    query = select(*_READ).where(wrong).order_by(_STATUSES.c.tenant, _STATUSES.c.kind, _STATUSES.c.name)
    with database.read() as connection:
        return _statuses(connection.execute(query))


def _any_of(table: Table, keys: Sequence[ObjectKey]) -> ColumnElement[bool]:
    return or_(*(is_key(table, key) for key in keys))


def _columns(status: Status) -> dict[str, Any]:
    return {
        **key_columns(status.key),
        "conditions": [
            {
                "type": str(c.type),
                "status": str(c.status),
                "reason": c.reason,
                "message": storable(c.message[:MAX_MESSAGE]),
                "revision": c.revision,
                "changed": c.changed,
            }
            for c in status.conditions
        ],
        "generation": status.generation,
        "attempts": status.attempts,
        "retry": status.retry,
    }


def _statuses(rows: Iterable[Row[Any]]) -> dict[ObjectKey, Status]:
    found: dict[ObjectKey, Status] = {}
    for row in rows:
        key = ObjectKey(row.tenant, row.kind, row.name)
        found[key] = Status(key, _conditions(row.conditions), row.generation, row.attempts, row.retry)
    return found


# Of thousands of objects most say the same, of one commit and one moment; looked at again, they say it again.
@lru_cache(maxsize=256)
def _conditions(text: str) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            ConditionType(c["type"]),
            Truth(c["status"]),
            intern(c["reason"]),
            intern(c["message"]),
            intern(c["revision"]),
            intern(c["changed"]),
        )
        for c in json.loads(text)
    )


def _occurrence(row: Row[Any]) -> Occurrence:
    key = ObjectKey(row.tenant, row.kind, row.name)
    return Occurrence(key, Mood(row.mood), row.reason, row.message, row.revision, row.run, row.number, row.time)
