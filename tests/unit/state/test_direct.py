"""Statements that go past SQLAlchemy on SQLite do there what they do by it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.event import listen

from syncline.model.errors import Bug
from syncline.model.key import ObjectKey
from syncline.model.run import Counts, RunState
from syncline.state.direct import Direct
from syncline.state.open import open_store
from syncline.state.store import RunRecord
from syncline.state.tables import metrics, runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.state.database import Database
    from syncline.state.sql import SqlStore

KEY = ObjectKey("acme", "Sync", "orders")
RUN = RunRecord("run-1", KEY, RunState.running, "manual", "", "", "2026-11-28T00:00:00Z", counts=Counts(read=3))
METER = {"tenant": "acme", "kind": "Sync", "name": "orders", "period": "2026-11-28T00:00:00Z"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A state in SQLite."""
    found = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    yield found
    found.close()


@pytest.fixture
def database(store: SqlStore) -> Database:
    """Its database."""
    return store._database


def test_rows_are_those_that_sqlalchemy_gives(store, database):
    """Values have their types, also those that are kept as JSON; null is None, and columns have their names."""
    store.put_run(RUN)
    query = select(runs).where(runs.c.id == bindparam("run"), runs.c.state == "Running")
    with database.read() as connection:
        (expected,) = connection.execute(query, {"run": "run-1"}).all()
        found = Direct(query).first(connection, {"run": "run-1"})
        assert Direct(query).first(connection, {"run": "another"}) is None
    assert found == tuple(expected)
    assert (found.counts, found.receipt, found.trigger) == (expected.counts, None, "manual")


def test_values_are_kept_as_sqlalchemy_keeps_them(store, database):
    """JSON is written as JSON, and None as null; which columns are written, the names of the values say."""
    store.put_run(RUN)
    change = update(runs).where(runs.c.id == bindparam("run"))
    direct = Direct(change)
    for values in ({"receipt": {"rows": 2}, "wait": None}, {"counts": {"read": 4}}, {"receipt": None}):
        kept: list[Any] = []
        for run in (direct.run, lambda *given: given[0].execute(change, given[1])):
            with database.write() as connection:
                run(connection, {**values, "run": "run-1"})
                kept.append(connection.exec_driver_sql("SELECT receipt, wait, counts, state FROM runs").all())
        assert kept[0] == kept[1], values


def test_it_says_how_many_rows_it_changed(database):
    """Many are written at once."""
    rows = [{**METER, "counter": name, "value": 1.0} for name in ("read", "written")]
    with database.write() as connection:
        Direct(insert(metrics)).run_many(connection, rows)
        removing = Direct(delete(metrics).where(metrics.c.counter == bindparam("which")))
        assert removing.run(connection, {"which": "read"}) == 1
        assert removing.run(connection, {"which": "read"}) == 0


def test_what_it_writes_is_undone_with_its_transaction(database):
    """It is of the transaction of its connection."""
    row = {**METER, "counter": "read", "value": 1.0}
    with suppress(ZeroDivisionError), database.write() as connection:
        Direct(insert(metrics)).run(connection, row)
        raise ZeroDivisionError
    with database.read() as connection:
        assert connection.execute(select(metrics)).all() == []


def test_errors_are_those_of_the_state(database):
    """A row that is there already is an error of ours, and tells no values."""
    row = {**METER, "counter": "read", "value": 1.0}
    with database.write() as connection:
        Direct(insert(metrics)).run(connection, row)
    with pytest.raises(Bug, match="refused a statement: UNIQUE constraint failed"), database.write() as connection:
        Direct(insert(metrics)).run(connection, row)


def test_a_run_says_little_by_sqlalchemy(store, database):
    """What a run writes goes to the driver, under a lease and with its metrics."""
    said: list[str] = []

    def heard(connection: Connection, cursor: Any, statement: str, *more: Any) -> None:
        del connection, cursor, more
        said.append(statement)

    with store.lease("run/a"):  # its row is made
        pass
    listen(database.engine, "before_cursor_execute", heard)
    with store.lease("run/a") as lease:
        fenced = store.fenced(lease)
        fenced.standing(KEY)
        fenced.put_run(RUN)
        fenced.finish_run(RunRecord(**{**_fields(RUN), "state": RunState.succeeded}), "{}", {"runs": 1.0})
    store.statuses([KEY])
    assert said == []


def _fields(run: RunRecord) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__struct_fields__}
