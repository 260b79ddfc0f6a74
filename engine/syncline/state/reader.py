"""Reading the state from a database: rows of `tables.py` to the values of `store.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from sys import intern
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from sqlalchemy import bindparam, func, or_, select

from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.model.requests import requests_from_json
from syncline.model.run import TRANSITIONS, Counts, RunState
from syncline.model.tally import RUNS, Tally, tally
from syncline.state import credentials, left, outbox, positions, statuses, tables, tokens
from syncline.state.direct import Direct
from syncline.state.rows import key_columns, of_object, storable
from syncline.state.store import (
    AppliedObject,
    AppliedRevision,
    Author,
    JournalEntry,
    KeptPosition,
    LogLine,
    MetricsPeriod,
    RunRecord,
    SealedRejects,
    SealedToken,
    SeenCredential,
    Standing,
    TokenKey,
    Wait,
)
from syncline.state.suppressions import SqlSuppressions

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from syncline.model.condition import Occurrence, Status
    from syncline.model.outbox import Message
    from syncline.model.suppression import Suppression
    from syncline.state.database import Database

#: The fewest characters of a run's id that may stand for it.
PREFIX_LENGTH = 6

#: How many runs a message lists when it asks which is meant.
CANDIDATES = 10

#: Sealed rejects are fetched so many at a time: a run may have more of them than fit in memory.
REJECTS_PAGE = 16

HOUR = timedelta(hours=1)


# What a run of a flow, a look of a daemon and a plan ask. These are made once: composing a statement costs more than
# running it.
_SERIAL = Direct(select(tables.meta.c.serial))
_CHECKPOINT = select(tables.cursors.c.checkpoint).where(*of_object(tables.cursors))
_CURSOR = Direct(_CHECKPOINT)
_RUN = Direct(select(tables.runs).where(tables.runs.c.id == bindparam("run")))
_RUN_STATE = Direct(select(tables.runs.c.state).where(tables.runs.c.id == bindparam("run")))
_NEWEST_RUNS = (
    select(tables.runs.c.id)
    .where(*of_object(tables.runs))
    .order_by(tables.runs.c.started.desc(), tables.runs.c.id.desc())
    .limit(bindparam("among"))
)
# The alternatives are spelt out: a list of values would be expanded anew at each call.
_OPEN = or_(*(tables.runs.c.state == str(state) for state in RunState if TRANSITIONS[state]))
_OPEN_RUNS = Direct(
    select(tables.runs)
    .where(tables.runs.c.id.in_(_NEWEST_RUNS), _OPEN)
    .order_by(tables.runs.c.started.desc(), tables.runs.c.id.desc())
)
_STANDING = Direct(
    select(tables.runs, _CHECKPOINT.scalar_subquery().label("checkpoint"))
    .where(
        tables.runs.c.id.in_(_NEWEST_RUNS),
        or_(_OPEN, tables.runs.c.id == _NEWEST_RUNS.limit(1).scalar_subquery()),
    )
    .order_by(tables.runs.c.started.desc(), tables.runs.c.id.desc())
)
_KEY_OF = (tables.objects.c.tenant, tables.objects.c.kind, tables.objects.c.name)
_OBJECTS = Direct(select(tables.objects).order_by(*_KEY_OF))
_OBJECTS_OF = Direct(select(tables.objects).where(tables.objects.c.tenant == bindparam("tenant")).order_by(*_KEY_OF))
_GENERATIONS = Direct(select(*_KEY_OF, tables.objects.c.generation, tables.objects.c.revision))
_OBJECT = Direct(select(tables.objects).where(*of_object(tables.objects)))
_NEWEST_FIRST = (
    select(tables.runs).order_by(tables.runs.c.started.desc(), tables.runs.c.id.desc()).limit(bindparam("limit"))
)
_NEWEST = Direct(_NEWEST_FIRST)
_NEWEST_OF = Direct(_NEWEST_FIRST.where(*of_object(tables.runs)))
_ENDED = Direct(
    select(tables.runs.c.id, tables.runs.c.counts, tables.runs.c.parent, tables.runs.c.finished)
    .where(*of_object(tables.runs), tables.runs.c.receipt.is_not(None))
    .order_by(tables.runs.c.started.desc(), tables.runs.c.id.desc())
    .limit(bindparam("limit"))
)
_RECEIPT = Direct(select(tables.runs.c.receipt).where(tables.runs.c.id == bindparam("run")))
_PERIODS = (
    select(tables.metrics.c.period)
    .where(*of_object(tables.metrics))
    .distinct()
    .order_by(tables.metrics.c.period.desc())
    .limit(bindparam("limit"))
)
_METRICS = Direct(
    select(tables.metrics.c.period, tables.metrics.c.counter, tables.metrics.c.value)
    .where(*of_object(tables.metrics), tables.metrics.c.period.in_(_PERIODS))
    .order_by(tables.metrics.c.period.desc(), tables.metrics.c.counter)
)
_ENVIRONMENT = Direct(select(tables.applies.c.environment).order_by(tables.applies.c.number.desc()).limit(1))
_NEWEST_FINISHED = (
    select(tables.applies.c.revision, tables.applies.c.plan)
    .where(tables.applies.c.finished != "")
    .order_by(tables.applies.c.number.desc())
    .limit(1)
)
_LAST_FINISHED = Direct(_NEWEST_FINISHED)
_LAST_FINISHED_OF = Direct(_NEWEST_FINISHED.where(tables.applies.c.source == bindparam("source")))
_APPLIED_BEFORE = Direct(
    select(tables.applies.c.revision)
    .where(
        tables.applies.c.outcome == "finished",
        tables.applies.c.revision != bindparam("revision"),
        tables.applies.c.source == bindparam("source"),
    )
    .order_by(tables.applies.c.number.desc())
    .limit(1)
)
_APPROVAL_BASE = Direct(
    select(tables.approval_bases.c.revision).where(tables.approval_bases.c.source == bindparam("source"))
)
_LINEAGE = Direct(select(tables.meta.c.lineage))
_CURSORS = Direct(select(tables.cursors))
_UNFINISHED = Direct(
    select(tables.steps)
    .join(tables.applies, tables.applies.c.id == tables.steps.c.apply)
    .where(tables.applies.c.finished == "")
    .order_by(tables.steps.c.index)
)


class SqlReader:
    """A `StateReader` of a database whose tables are at the program's version."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.read() as connection:
            self._lineage = str(_LINEAGE.value(connection, {}))

    @property
    def lineage(self) -> str:
        return self._lineage

    def serial(self) -> int:
        with self._database.read() as connection:
            return int(_SERIAL.value(connection, {}))

    def objects(self, tenant: str | None = None) -> tuple[AppliedObject, ...]:
        with self._database.read() as connection:
            if tenant is None:
                return tuple(map(applied_object, _OBJECTS.each(connection, {})))
            return tuple(map(applied_object, _OBJECTS_OF.each(connection, {"tenant": tenant})))

    def generations(self) -> dict[ObjectKey, tuple[int, str]]:
        with self._database.read() as connection:
            return {_key(row): (row.generation, intern(row.revision)) for row in _GENERATIONS.each(connection, {})}

    def object(self, key: ObjectKey) -> AppliedObject | None:
        with self._database.read() as connection:
            row = _OBJECT.first(connection, key_columns(key))
        return None if row is None else applied_object(row)

    def cursor(self, key: ObjectKey) -> str | None:
        with self._database.read() as connection:
            return _cursor(connection, key)

    def cursors(self) -> dict[ObjectKey, str]:
        with self._database.read() as connection:
            rows = _CURSORS.rows(connection, {})
        return dict(sorted((_key(row), row.checkpoint) for row in rows))

    def runs(self, key: ObjectKey | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        with self._database.read() as connection:
            if key is None:
                rows = _NEWEST.rows(connection, {"limit": limit})
            else:
                rows = _NEWEST_OF.rows(connection, key_columns(key) | {"limit": limit})
        return tuple(map(_run, rows))

    def tally(self, key: ObjectKey) -> Tally | None:
        with self._database.read() as connection:
            ended = _ENDED.rows(connection, key_columns(key) | {"limit": RUNS + 1})
            receipt = _RECEIPT.value(connection, {"run": ended[0].id}) if ended else None
        runs = [(Counts(**row.counts), not row.parent) for row in ended]
        return tally(runs, ended[0].finished if ended else "", (receipt or {}).get("rows"))

    def open_runs(self, key: ObjectKey, among: int = 50) -> tuple[RunRecord, ...]:
        with self._database.read() as connection:
            return tuple(map(_run, _OPEN_RUNS.rows(connection, key_columns(key) | {"among": among})))

    def standing(self, key: ObjectKey, among: int = 50) -> Standing:
        with self._database.read() as connection:
            rows = _STANDING.rows(connection, key_columns(key) | {"among": among})
            checkpoint = rows[0].checkpoint if rows else _cursor(connection, key)
        return Standing(checkpoint, tuple(map(_run, rows)))

    def run_state(self, run_id: str) -> RunState | None:
        with self._database.read() as connection:
            state = _RUN_STATE.value(connection, {"run": run_id})
        return None if state is None else RunState(state)

    def run(self, run_id: str) -> RunRecord | None:
        runs = tables.runs
        with self._database.read() as connection:
            row = _RUN.first(connection, {"run": run_id})
            if row is not None:
                return _run(row)
            like = runs.c.id.startswith(run_id, autoescape=True)
            rows = connection.execute(select(runs).where(like).order_by(runs.c.id.desc()).limit(CANDIDATES + 1)).all()
        if not rows:
            return None
        if len(rows) > 1 or len(run_id) < PREFIX_LENGTH:
            candidates = ", ".join(row.id for row in rows[:CANDIDATES]) + (", …" if len(rows) > CANDIDATES else "")
            raise Invalid(
                f"{run_id!r} is too little to tell which run is meant: {candidates}",
                code="SYN616",
                help=f"Give more of the run's id, at least {PREFIX_LENGTH} characters.",
            )
        return _run(rows[0])

    def rejects(self, run_id: str) -> Iterator[SealedRejects]:
        rejects = tables.rejects
        after = -1
        while True:
            query = select(rejects).where(rejects.c.run == run_id, rejects.c.sequence > after)
            with self._database.read() as connection:
                page = connection.execute(query.order_by(rejects.c.sequence).limit(REJECTS_PAGE)).all()
            # The columns are in the order of the value's fields; `row.count` would be the tuple's method.
            yield from (SealedRejects(*row) for row in page)
            if len(page) < REJECTS_PAGE:
                return
            after = page[-1].sequence

    def logs(self, run_id: str) -> tuple[LogLine, ...]:
        lines = tables.run_log
        with self._database.read() as connection:
            rows = connection.execute(select(lines).where(lines.c.run == run_id).order_by(lines.c.number)).all()
        return tuple(LogLine(r.run, r.time, r.level, r.message, r.operation, r.details) for r in rows)

    def rows_since(self, tenant: str, hour: str) -> int:
        metrics = tables.metrics
        mine = (metrics.c.tenant == tenant, metrics.c.counter == "written", metrics.c.period >= hour)
        with self._database.read() as connection:
            return int(
                connection.execute(select(func.coalesce(func.sum(metrics.c.value), 0)).where(*mine)).scalar_one()
            )

    def rejects_size(self, tenant: str) -> int:
        sealed = select(func.coalesce(func.sum(func.length(tables.rejects.c.blob)), 0))
        mine = sealed.join(tables.runs, tables.runs.c.id == tables.rejects.c.run).where(tables.runs.c.tenant == tenant)
        with self._database.read() as connection:
            return int(connection.execute(mine).scalar_one())

    def metrics(self, key: ObjectKey, limit: int = 168) -> tuple[MetricsPeriod, ...]:
        values: dict[str, dict[str, float]] = {}
        with self._database.read() as connection:
            for row in _METRICS.rows(connection, key_columns(key) | {"limit": limit}):
                values.setdefault(row.period, {})[row.counter] = row.value
        return tuple(MetricsPeriod(key, start, _hour_after(start), counters) for start, counters in values.items())

    def applied_under(self, source: str | None = None) -> tuple[str, str]:
        with self._database.read() as connection:
            if source is None:
                row = _LAST_FINISHED.first(connection, {})
            else:
                row = _LAST_FINISHED_OF.first(connection, {"source": source})
        return (row.revision, row.plan) if row else ("", "")

    def applied_before(self, revision: str, source: str = "") -> str:
        with self._database.read() as connection:
            return _APPLIED_BEFORE.value(connection, {"revision": revision, "source": source}) or ""

    def kept_revisions(self) -> tuple[str, ...]:
        with self._database.read() as connection:
            return positions.revisions(connection)

    def positions(self, revision: str) -> dict[ObjectKey, KeptPosition]:
        with self._database.read() as connection:
            return positions.under(connection, revision)

    def history(self, limit: int = 20) -> tuple[AppliedRevision, ...]:
        applies, history = tables.applies, tables.history
        query = select(applies, history).join(history, history.c.apply == applies.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(applies.c.number.desc()).limit(limit)).all()
        return tuple(
            AppliedRevision(
                r.id, r.finished, r.revision, r.plan, Author(r.author, r.subject), r.serial, r.objects, r.source
            )
            for r in rows
        )

    def environment(self) -> str:
        with self._database.read() as connection:
            return _ENVIRONMENT.value(connection, {}) or ""

    def approval_base(self, source: str) -> str:
        with self._database.read() as connection:
            return _APPROVAL_BASE.value(connection, {"source": source}) or ""

    def approval_uses(self, approvals: Sequence[str]) -> dict[tuple[str, ObjectKey], str]:
        uses = tables.approval_uses
        query = select(uses).where(uses.c.approval.in_(list(approvals)))
        if not approvals:
            return {}
        with self._database.read() as connection:
            return {(row.approval, _key(row)): row.revision for row in connection.execute(query)}

    def unfinished_apply(self) -> tuple[JournalEntry, ...]:
        with self._database.read() as connection:
            rows = _UNFINISHED.rows(connection, {})
        return tuple(JournalEntry(*row) for row in rows)

    def statuses(self, keys: Sequence[ObjectKey] | None = None) -> dict[ObjectKey, Status]:
        with self._database.read() as connection:
            return statuses.read(connection, keys)

    def due(self, now: str) -> tuple[ObjectKey, ...]:
        return statuses.due(self._database, now)

    def events(
        self, key: ObjectKey | None = None, tenant: str | None = None, after: int = 0, limit: int = 50
    ) -> tuple[Occurrence, ...]:
        return statuses.events(self._database, key, tenant, after, limit)

    def messages(self, key: ObjectKey | None = None, tenant: str | None = None, limit: int = 50) -> tuple[Message, ...]:
        return outbox.messages(self._database, key, tenant, limit)

    def token(self, key: TokenKey) -> SealedToken | None:
        return tokens.read(self._database, key)

    def tokens(self) -> tuple[SealedToken, ...]:
        return tokens.read_all(self._database)

    def credentials(self) -> dict[ObjectKey, SeenCredential]:
        return credentials.read_all(self._database)

    def left_before(self, tenant: str, what: left.Left, before: str, but: Sequence[ObjectKey] = ()) -> int:
        with self._database.read() as connection:
            return left.count(connection, tenant, what, before, but)

    def left_runs(self, tenant: str, before: str, but: Sequence[ObjectKey] = ()) -> tuple[RunRecord, ...]:
        with self._database.read() as connection:
            return tuple(_run(row) for row in connection.execute(left.runs_with_rejects(tenant, before, but)))

    def suppressed(self, tenant: str, kinds: Sequence[str]) -> tuple[Suppression, ...]:
        return SqlSuppressions(self._database).active(tenant, kinds)

    def close(self) -> None:
        self._database.close()


def run_columns(run: RunRecord) -> dict[str, Any]:
    """A run as columns, but for its id and its object, which stay."""
    return {
        "state": str(run.state),
        "trigger": run.trigger,
        "revision": run.revision,
        "plan": run.plan,
        "started": run.started,
        "finished": run.finished,
        "counts": run.counts.to_json(),
        "error": storable(run.error),
        "error_code": run.error_code,
        "parent": run.parent,
        "receipt": run.receipt,
        "requests": [to_builtins(each) for each in run.requests] or None,
    }


def applied_object(row: Row[Any]) -> AppliedObject:
    """A row of `objects`. Thousands are of one commit: its texts are there once."""
    return AppliedObject(
        _key(row),
        row.digest,
        row.document,
        row.place,
        intern(row.revision),
        intern(row.plan),
        row.generation,
        intern(row.applied),
        intern(row.source),
    )


def _run(row: Row[Any]) -> RunRecord:
    return RunRecord(
        id=row.id,
        key=_key(row),
        state=RunState(row.state),
        trigger=row.trigger,
        revision=row.revision,
        plan=row.plan,
        started=row.started,
        finished=row.finished,
        counts=Counts(**row.counts),
        error=row.error,
        error_code=row.error_code,
        parent=row.parent,
        receipt=row.receipt,
        wait=Wait(**row.wait) if row.wait else None,
        requests=requests_from_json(row.requests or ()),
    )


def _cursor(connection: Connection, key: ObjectKey) -> str | None:
    row = _CURSOR.first(connection, key_columns(key))
    return None if row is None else row.checkpoint


def _key(row: Row[Any]) -> ObjectKey:
    return ObjectKey(intern(row.tenant), intern(row.kind), row.name)


def _hour_after(start: str) -> str:
    return (datetime.fromisoformat(start) + HOUR).strftime("%Y-%m-%dT%H:00:00Z")
