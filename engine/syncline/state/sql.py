"""The state store in a database: every change is one transaction.

A change of an object checks the lease's token, takes effect, raises the serial and marks its step done together, so
that after a crash at any point the journal says exactly what is left. The serial rises with the change and not at the
end of the apply: a plan made before an apply that died half-way is stale, and is refused.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from sqlalchemy import bindparam, delete, func, insert, select, update

from syncline.model.condition import Mood, Occurrence
from syncline.model.errors import Bug
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS, RunState
from syncline.state import credentials, ledger, left, positions, retired_flows, statuses, tables, tokens
from syncline.state import lease as leases
from syncline.state.budgets import SqlBudgets
from syncline.state.deliveries import SqlDeliveries
from syncline.state.direct import Direct
from syncline.state.erasures import SqlErasures
from syncline.state.ledger import SqlLedger
from syncline.state.outbox import SqlOutbox
from syncline.state.proposals import SqlProposals
from syncline.state.reader import SqlReader, run_columns
from syncline.state.retired_flows import SqlRetiredFlows
from syncline.state.rows import key_columns, now, of_object, storable
from syncline.state.statistics import SqlStatistics
from syncline.state.store import (
    AppliedObject,
    ApprovalUse,
    Author,
    Lease,
    RunRecord,
    SealedRejects,
    SeenCredential,
    StatusChange,
    TokenKey,
    Wait,
)
from syncline.state.suppressions import SqlSuppressions
from syncline.state.tenants import SqlTenants
from syncline.state.upserts import upserts

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

    from syncline.state.database import Database


#: What is kept of an object under its name, and goes with it.
_OF_OBJECTS = (
    tables.cursors,
    tables.metrics,
    tables.statuses,
    tables.credentials,
    tables.subscriptions,
    tables.outbox,
    tables.deliveries,
    tables.proposals,
)
#: Steps hold whole declarations; those of older applies are dropped, and only the applies themselves stay.
KEPT_JOURNALS = 20


def _its(table: Table) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a row that is changed is of the object whose `_named` columns are given."""
    return tuple(table.c[name] == bindparam(f"its_{name}") for name in ("tenant", "kind", "name"))


def _named(key: ObjectKey) -> dict[str, str]:
    return {f"its_{name}": value for name, value in key_columns(key).items()}


# What each run of a flow writes. These are made once: composing a statement costs more than running it.
_MINE = tables.runs.c.id == bindparam("run")
_LOCKED_STATE = Direct(select(tables.runs.c.state).where(_MINE).with_for_update())
_CHANGING_RUN = update(tables.runs).where(_MINE)
_CHANGE_RUN = Direct(_CHANGING_RUN)
_CHANGE_RUNNING = Direct(_CHANGING_RUN.where(tables.runs.c.state == str(RunState.running)))
_DROP_REJECTS = Direct(
    delete(tables.rejects).where(
        tables.rejects.c.run == bindparam("of"), tables.rejects.c.sequence >= bindparam("first")
    )
)

# What each step of an apply does.
_THIS_STEP = (tables.steps.c.apply == bindparam("of"), tables.steps.c.index == bindparam("at"))
_STEP = Direct(
    select(tables.steps.c.done, tables.applies.c.finished, tables.applies.c.revision)
    .join(tables.applies, tables.applies.c.id == tables.steps.c.apply)
    .where(*_THIS_STEP)
)
_STEP_DONE = Direct(update(tables.steps).where(*_THIS_STEP).values(done=True))
_RISE = Direct(update(tables.meta).values(serial=tables.meta.c.serial + 1))
_OBJECT = Direct(
    select(tables.objects.c.digest, tables.objects.c.generation, tables.objects.c.source).where(
        *of_object(tables.objects)
    )
)
_NEW_OBJECT = Direct(insert(tables.objects))
_CHANGE_OBJECT = Direct(update(tables.objects).where(*_its(tables.objects)))
_THERE = Direct(select(tables.objects.c.name).where(*of_object(tables.objects)))
_DOCUMENT = Direct(select(tables.objects.c.document).where(*of_object(tables.objects)))
_FORGET = {table: Direct(delete(table).where(*of_object(table))) for table in (tables.objects, *_OF_OBJECTS)}
_RENAME = {table: Direct(update(table).where(*_its(table))) for table in (tables.objects, tables.runs, *_OF_OBJECTS)}

# What each apply does at its beginning and at its end.
_APPLY = tables.applies.c.id == bindparam("of")
_BEGUN = Direct(select(tables.applies.c.number, tables.applies.c.finished).where(_APPLY))
_STEPS = Direct(
    select(tables.steps.c.step).where(tables.steps.c.apply == bindparam("of")).order_by(tables.steps.c.index)
)
_OPEN = update(tables.applies).where(tables.applies.c.finished == "")
_GIVE_UP, _FINISH = Direct(_OPEN), Direct(_OPEN.where(_APPLY))
_LAST_APPLY = Direct(select(func.max(tables.applies.c.number)))
_BEGIN = Direct(insert(tables.applies).returning(tables.applies.c.number))
_NEW_STEP = Direct(insert(tables.steps))
_DROP_STEPS = Direct(
    delete(tables.steps).where(
        tables.steps.c.apply.in_(
            select(tables.applies.c.id).order_by(tables.applies.c.number.desc()).offset(KEPT_JOURNALS)
        )
    )
)
_DROP_BASE = Direct(delete(tables.approval_bases).where(tables.approval_bases.c.source == bindparam("of")))
_NEW_BASE = Direct(insert(tables.approval_bases))
_SERIAL = Direct(select(tables.meta.c.serial))
_AUDIT_HEAD = Direct(select(tables.audit_heads.c.size, tables.audit_heads.c.root))


class SqlStore(SqlReader):
    """A `StateStore` in a database whose tables are at the program's version; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._renewals = leases.Renewals(database)
        self._upserts = upserts(database)

    def close(self) -> None:
        self._renewals.close()
        super().close()

    # --- Evidence -----------------------------------------------------------------------------------------------------

    def audit_head(self) -> tuple[int, str]:
        with self._database.read() as connection:
            row = _AUDIT_HEAD.first(connection, {})
            return (int(row.size), str(row.root)) if row is not None else (0, "")

    def note_audit_head(self, size: int, root: str, *, anew: bool = False) -> None:
        with self._database.write() as connection:
            self._upserts.head[anew].run(connection, {"id": 1, "size": size, "root": root})

    # --- Applies ------------------------------------------------------------------------------------------------------

    def lease(self, name: str, holder: str = "", ttl: float = 30.0) -> AbstractContextManager[Lease]:
        # Renewed and given back past the fences of this store: that must be done even when they refuse everything else.
        return leases.hold(self._renewals, self._database, name, holder, ttl)

    def holds(self, lease: Lease) -> bool:
        return self._renewals.holds(lease)

    def fenced(self, lease: Lease) -> SqlStore:
        fenced = copy.copy(self)
        fenced._database = self._database.fenced(partial(leases.check, lease=lease))  # noqa: SLF001 - our own class
        return fenced

    def prove(self, lease: Lease) -> None:
        with self._database.write() as connection:
            leases.check(connection, lease)

    def use_approvals(self, lease: Lease, revision: str, uses: Sequence[ApprovalUse], base: str, source: str) -> None:
        with self._database.write(durable=True) as connection:
            leases.check(connection, lease)
            _DROP_BASE.run(connection, {"of": source})
            if base:
                _NEW_BASE.run(connection, {"source": source, "revision": base})
            for use in uses:
                about = {"approval": use.approval, "effects": use.effects, "signers": list(use.signers)}
                rows = [{**about, **key_columns(key), "revision": revision, "used": now()} for key in use.keys]
                new = self._database.insert(tables.approval_uses).values(rows)
                connection.execute(new.on_conflict_do_nothing())

    def begin_apply(
        self,
        lease: Lease,
        apply: str,
        plan: str,
        revision: str,
        steps: Sequence[str],
        environment: str = "",
        source: str = "",
    ) -> None:
        with self._database.write(durable=True) as connection:
            leases.check(connection, lease)
            if (known := _steps(connection, apply)) is not None:
                if known != tuple(steps):
                    raise Bug(f"apply {apply} was begun before with other steps, or is finished")
                return
            _GIVE_UP.run(connection, {"finished": now(), "outcome": "given up"})
            before = _LAST_APPLY.value(connection, {}) or 0
            values = {"id": apply, "plan": plan, "revision": revision, "environment": environment, "source": source}
            number = _BEGIN.value(connection, values | {"started": now(), "finished": "", "outcome": ""})
            positions.keep(connection, before, number, KEPT_JOURNALS)
            _DROP_STEPS.run(connection, {})
            if steps:
                rows = [{"apply": apply, "index": i, "step": step, "done": False} for i, step in enumerate(steps)]
                _NEW_STEP.run_many(connection, rows)

    def put_object(self, lease: Lease, apply: str, index: int, applied: AppliedObject) -> None:
        def change(connection: Connection) -> bool:
            key = key_columns(applied.key)
            before = _OBJECT.first(connection, key)
            changed = before is None or before.digest != applied.digest
            values = {
                "digest": applied.digest,
                "document": applied.document,
                "place": applied.place,
                "revision": applied.revision,
                "plan": applied.plan,
                "generation": (0 if before is None else before.generation) + changed,
                "applied": applied.applied,
                "source": applied.source,
            }
            if before is None:
                _NEW_OBJECT.run(connection, key | values)
            else:
                _CHANGE_OBJECT.run(connection, _named(applied.key) | values)
            return changed or bool(before and before.source != applied.source)

        self._take(
            lease,
            apply,
            index,
            change,
            Occurrence(applied.key, Mood.normal, "Applied", f"recorded at {applied.digest[:12]}"),
        )

    def move_object(self, lease: Lease, apply: str, index: int, previous: ObjectKey, key: ObjectKey) -> None:
        def change(connection: Connection) -> bool:
            for missing, name in ((True, previous), (False, key)):
                if (_THERE.first(connection, key_columns(name)) is None) is missing:
                    raise Bug(
                        f"{previous} can't be moved to {key}: {name} {'is not' if missing else 'is already'} there"
                    )
            document = _DOCUMENT.value(connection, key_columns(previous))
            # The declaration goes with its name, so that what is applied is whole after this step, too. Its digest
            # stays the old one: the step that records the new declaration is still to come.
            mine = _named(previous)
            _CHANGE_OBJECT.run(connection, mine | {"document": _renamed(document, key)})
            # What a former object of the new name left behind would be mixed up with what is moved there.
            for table in _OF_OBJECTS:
                _FORGET[table].run(connection, key_columns(key))
            for rename in _RENAME.values():
                rename.run(connection, mine | key_columns(key))
            if key.kind == "Integration":
                ledger.rename(connection, key.tenant, previous.name, key.name)
                retired_flows.move_integration(
                    self._database, connection, previous, key, lambda text: _renamed(text, key)
                )
            retired_flows.move(self._database, connection, previous, key, lambda text: _renamed(text, key))
            return True

        self._take(lease, apply, index, change, Occurrence(key, Mood.normal, "Moved", f"was {previous}"))

    def delete_object(self, lease: Lease, apply: str, index: int, key: ObjectKey) -> None:
        def change(connection: Connection) -> bool:
            mine = key_columns(key)
            forgotten = [tables.statuses, tables.credentials, tables.proposals]
            if key.kind != "Integration":  # what it registered at its system is there until somebody deletes it
                forgotten.append(tables.cursors)
            for table in forgotten:
                _FORGET[table].run(connection, mine)
            if key.kind == "AuthConfig":
                its = (tables.tokens.c.tenant == key.tenant) & (tables.tokens.c.name == key.name)
                connection.execute(delete(tables.tokens).where(its))
            if key.kind == "Tenant" and (document := _DOCUMENT.value(connection, mine)) is not None:
                # What is left of it is for those who had a role in it.
                self._put_cursor(connection, key, document)
            return _FORGET[tables.objects].run(connection, mine) > 0

        self._take(lease, apply, index, change, Occurrence(key, Mood.normal, "Retired"))

    def note_dropped(self, lease: Lease, apply: str, index: int, key: ObjectKey, *, kept: str = "") -> None:
        told = Occurrence(key, Mood.warning, "TableDropped", "the table was dropped with all its rows")
        if kept:
            told = Occurrence(key, Mood.warning, "TableKept", f"the table stays with its rows: {kept}")
        self._take(lease, apply, index, lambda _: False, told)

    def reset_cursor(self, lease: Lease, apply: str, index: int, key: ObjectKey) -> None:
        def change(connection: Connection) -> bool:
            _FORGET[tables.cursors].run(connection, key_columns(key))
            # Even without a copy here: the flow starts anew, and the plan that says so must not be applied twice.
            return True

        self._take(
            lease,
            apply,
            index,
            change,
            Occurrence(key, Mood.normal, "PositionReset", "the next run reads from the start"),
        )

    def restore_cursor(self, lease: Lease, apply: str, index: int, key: ObjectKey, revision: str) -> None:
        def change(connection: Connection) -> bool:
            if (checkpoint := positions.restored(connection, revision, key)) is not None:
                self._put_cursor(connection, key, checkpoint)
            return True

        message = f"the next run reads on from where it was under {revision[:12]}"
        self._take(lease, apply, index, change, Occurrence(key, Mood.normal, "PositionRestored", message))

    def claim_token(self, key: TokenKey, version: int, seconds: float) -> bool:
        return tokens.claim(self._database, key, version, seconds)

    def unclaim_token(self, key: TokenKey, version: int) -> None:
        tokens.unclaim(self._database, key, version)

    def swap_token(self, key: TokenKey, version: int, sealed: bytes | None, expires: float) -> bool:
        return tokens.swap(self._database, key, version, sealed, expires)

    def finish_apply(self, lease: Lease, apply: str, author: Author | None = None, objects: int = 0) -> int:
        with self._database.write(durable=True) as connection:
            leases.check(connection, lease)
            mine = {"of": apply}
            if _BEGUN.first(connection, mine) is None:
                raise Bug(f"apply {apply} was never begun")
            _FINISH.run(connection, mine | {"finished": now(), "outcome": "finished"})
            serial = int(_SERIAL.value(connection, {}))
            if objects:
                who = author or Author()
                values = {"apply": apply, "author": storable(who.name), "subject": storable(who.subject)}
                self._upserts.history.run(connection, values | {"serial": serial, "objects": objects})
            return serial

    def _take(
        self, lease: Lease, apply: str, index: int, change: Callable[[Connection], bool], told: Occurrence
    ) -> None:
        """Makes the change of a step (True: the serial rises), tells of it and marks it done, all once."""
        mine = {"of": apply, "at": index}
        with self._database.write(durable=True) as connection:
            leases.check(connection, lease)
            found = _STEP.first(connection, mine)
            if found is None:
                raise Bug(f"apply {apply} has no step {index}")
            if found.done:
                return
            if found.finished:
                raise Bug(f"apply {apply} ended before its step {index}")
            if change(connection):
                _RISE.run(connection, {})
            statuses.tell(connection, replace(told, revision=found.revision))
            _STEP_DONE.run(connection, mine)

    def change_statuses(self, keys: Sequence[ObjectKey] | None, make: StatusChange) -> None:
        statuses.change(self._database, keys, make)

    def see_credential(self, key: ObjectKey, digest: str, time: str) -> SeenCredential:
        return credentials.see(self._database, key, digest, time)

    # --- Runs ---------------------------------------------------------------------------------------------------------

    def put_cursor(self, key: ObjectKey, checkpoint: str) -> None:
        with self._database.write() as connection:
            self._put_cursor(connection, key, checkpoint)

    def put_run(self, run: RunRecord, checkpoint: str | None = None) -> None:
        with self._database.write(durable=not TRANSITIONS[run.state]) as connection:
            if checkpoint is not None:
                self._put_cursor(connection, run.key, checkpoint)
            self._put_run(connection, run)

    def note_wait(self, run_id: str, wait: Wait) -> None:
        with self._database.write() as connection:
            _CHANGE_RUN.run(connection, {"run": run_id, "wait": {"until": wait.until, "why": storable(wait.why)}})

    def finish_run(self, run: RunRecord, checkpoint: str | None, values: Mapping[str, float]) -> None:
        if TRANSITIONS[run.state]:
            raise Bug(f"run {run.id} is not finished: it is {run.state}")
        with self._database.write(durable=True) as connection:
            if checkpoint is not None:
                self._put_cursor(connection, run.key, checkpoint)
            self._put_run(connection, run)
            self._add_metrics(connection, run.key, values)

    def put_rejects(self, rejects: SealedRejects) -> None:
        values = {
            "run": rejects.run,
            "sequence": rejects.sequence,
            "count": rejects.count,
            "rules": rejects.rules,
            "blob": rejects.blob,
            "retried": rejects.retried,
        }
        with self._database.write(durable=True) as connection:
            self._upserts.rejects.run(connection, values)

    def drop_rejects(self, run_id: str, from_sequence: int) -> None:
        with self._database.write() as connection:
            _DROP_REJECTS.run(connection, {"of": run_id, "first": from_sequence})

    def mark_retried(self, run_id: str, by: str) -> None:
        with self._database.write(durable=True) as connection:
            connection.execute(update(tables.rejects).where(tables.rejects.c.run == run_id).values(retried=by))

    def log(
        self, run_id: str, level: str, message: str, *, operation: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        values = {
            "run": run_id,
            "time": now(),
            "level": level,
            "operation": operation,
            "message": storable(message),
            "details": dict(details or {}),
        }
        with self._database.write() as connection:
            connection.execute(insert(tables.run_log), values)

    def budgets(self) -> SqlBudgets:
        return SqlBudgets(self._database)

    def ledger(self, tenant: str, integration: str) -> SqlLedger:
        return SqlLedger(self._database, tenant, integration)

    def erasures(self) -> SqlErasures:
        return SqlErasures(self._database)

    def expire_left(self, tenant: str, what: left.Left, before: str, but: Sequence[ObjectKey] = ()) -> int:
        with self._database.write(durable=True) as connection:
            return left.expire(connection, tenant, what, before, but)

    def suppressions(self) -> SqlSuppressions:
        return SqlSuppressions(self._database)

    def tenants(self) -> SqlTenants:
        return SqlTenants(self._database)

    def statistics(self) -> SqlStatistics:
        return SqlStatistics(self._database)

    def deliveries(self) -> SqlDeliveries:
        return SqlDeliveries(self._database)

    def proposals(self) -> SqlProposals:
        return SqlProposals(self._database)

    def retired_flows(self) -> SqlRetiredFlows:
        return SqlRetiredFlows(self._database)

    def outbox(self) -> SqlOutbox:
        return SqlOutbox(self._database)

    def add_metrics(self, key: ObjectKey, values: Mapping[str, float]) -> None:
        if values:
            with self._database.write() as connection:
                self._add_metrics(connection, key, values)

    def _put_cursor(self, connection: Connection, key: ObjectKey, checkpoint: str) -> None:
        self._upserts.cursor.run(connection, key_columns(key) | {"checkpoint": checkpoint})

    def _put_run(self, connection: Connection, run: RunRecord) -> None:
        columns, mine = run_columns(run), {"run": run.id}
        over = {} if run.state is RunState.running else {"wait": None}
        before: RunState | None = None
        # Most that begin are new, and most that end were running: that is tried without asking first.
        if run.state in {RunState.pending, RunState.running}:
            changed = self._insert_run(connection, run, columns)
        elif changed := bool(_CHANGE_RUNNING.run(connection, columns | over | mine)):
            before = RunState.running
        if not changed:
            before = _state(connection, run.id)
            _check_transition(run, before or RunState.pending)
            if before is None and not (changed := self._insert_run(connection, run, columns)):
                # Another process was quicker by a moment.
                _check_transition(run, _state(connection, run.id) or RunState.pending)
        if run.state is not before and run.state is not RunState.pending:
            statuses.tell(connection, statuses.of_run(run))
        if not changed:
            _CHANGE_RUN.run(connection, columns | over | mine)

    def _insert_run(self, connection: Connection, run: RunRecord, columns: Mapping[str, Any]) -> bool:
        """Whether it was new."""
        new = {**columns, **key_columns(run.key), "id": run.id}
        return bool(self._upserts.run.run(connection, new))

    def _add_metrics(self, connection: Connection, key: ObjectKey, values: Mapping[str, float]) -> None:
        period = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
        # In one order everywhere, so that two transactions never wait for each other's counters.
        rows = [key_columns(key) | {"period": period, "counter": c, "value": values[c]} for c in sorted(values)]
        if rows:
            self._upserts.counters.run_many(connection, rows)


def _renamed(document: str, key: ObjectKey) -> str:
    """A declaration under another name of the same tenant."""
    declared = json.loads(document)
    if metadata := declared.get("metadata"):
        metadata["name"] = key.base
    return json.dumps(declared, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _steps(connection: Connection, apply: str) -> tuple[str, ...] | None:
    """The steps of an apply that is open; empty if it is closed or has none, None if it was never begun."""
    mine = {"of": apply}
    found = _BEGUN.first(connection, mine)
    if found is None:
        return None
    return () if found.finished else tuple(row.step for row in _STEPS.rows(connection, mine))


def _state(connection: Connection, run_id: str) -> RunState | None:
    state = _LOCKED_STATE.value(connection, {"run": run_id})
    return None if state is None else RunState(state)


def _check_transition(run: RunRecord, before: RunState) -> None:
    if run.state is not before and run.state not in TRANSITIONS[before].values():
        raise Bug(f"run {run.id} is {before} and can't become {run.state}")
