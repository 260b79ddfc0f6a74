"""The migrations, the constants that stand for them, and the tables that the program reads agree."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from syncline.model.key import ObjectKey
from syncline.state import schema as versions
from syncline.state.database import Database, open_postgresql, open_sqlite
from syncline.state.open import open_store
from syncline.state.schema import HEAD, REVISIONS, SCRIPTS, migrate, ready
from syncline.state.sql import SqlStore
from syncline.state.tables import metadata
from tests.recorded_migrations import Recorder


@pytest.fixture(autouse=True)
def _migrated(monkeypatch) -> None:
    """Here the migrations run themselves, not their record."""
    if isinstance(versions._upgrade, Recorder):
        monkeypatch.setattr(versions, "_upgrade", versions._upgrade.upgrade)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path) -> Iterator[Database]:
    """An empty database of either sort."""
    if request.param == "sqlite":
        made = open_sqlite(tmp_path / "state.db")
    else:
        made = open_postgresql(request.getfixturevalue("postgres_url"), f"s{uuid.uuid4().hex[:12]}")
    yield made
    made.close()


def test_revisions_are_those_of_the_scripts():
    """`REVISIONS` lists the scripts from the oldest to the newest, in one line without branches."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [HEAD]
    assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == REVISIONS


def test_scripts_have_no_second_copy_of_the_tables():
    """A migration stands on its own: it doesn't import what changes after it."""
    for script in SCRIPTS.glob("versions/*.py"):
        assert "syncline" not in script.read_text()
        assert importlib.util.spec_from_file_location(script.stem, script) is not None


def test_migrating_from_nothing_gives_the_tables(database):
    """The migrations make exactly the tables, columns, types, keys and indexes of `tables.py`."""
    assert not ready(database)
    migrate(database)
    assert ready(database)
    options = {
        "compare_type": True,
        "include_schemas": database.schema is not None,
        "include_name": lambda name, kind, _: kind != "schema" or name == database.schema,
        "version_table_schema": database.schema,
    }
    expected = metadata
    if database.schema is not None:
        expected = type(metadata)()
        for table in metadata.tables.values():
            table.to_metadata(expected, schema=database.schema)
    with database.engine.connect().execution_options(schema_translate_map=None) as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, expected) == []


def test_migrating_again_changes_nothing(database):
    """The second migration finds the work done."""
    migrate(database)
    with database.read() as connection:
        first = connection.exec_driver_sql(f"SELECT lineage FROM {_table(database, 'meta')}").all()
    migrate(database)
    with database.read() as connection:
        assert connection.exec_driver_sql(f"SELECT lineage FROM {_table(database, 'meta')}").all() == first
        assert len(first) == 1


def test_a_migration_that_fails_leaves_nothing(database, monkeypatch):
    """A migration is one transaction: when it fails at its end, there is no table and no version."""

    def fail(*_: object) -> None:
        raise RuntimeError("power gone")

    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", fail)
    with pytest.raises(RuntimeError, match="power gone"):
        migrate(database)
    monkeypatch.undo()
    assert not ready(database)
    migrate(database)
    assert ready(database)


def _table(database: Database, name: str) -> str:
    return name if database.schema is None else f'"{database.schema}".{name}'


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_state_of_every_earlier_version_is_brought_up_to_date(tmp_path, revision):
    """What an older program wrote (a run, a cursor, an object) is there after the migration, and can be read."""
    database = open_sqlite(tmp_path / "state.db")
    _upgraded(database, revision)
    key = {"tenant": "acme", "kind": "Sync", "name": "orders"}
    with database.write() as connection:
        _insert(connection, "cursors", key | {"checkpoint": "{}"})
        _insert(connection, "runs", key | {"id": "r1", "state": "Succeeded", "started": "2026-01-01T00:00:00Z"})
        _insert(connection, "objects", key | {"digest": "d", "document": "{}"})
    database.close()

    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    known = ObjectKey("acme", "Sync", "orders")
    assert store.cursor(known) == "{}"
    assert [run.id for run in store.runs(known)] == ["r1"]
    assert [found.key for found in store.objects()] == [known]
    store.close()


_TOLD = "ada@example.com is locked"


def test_what_errors_said_of_records_is_cut_out_of_an_earlier_state(database, tmp_path):
    """
    Runs, events and conditions keep the codes of what an earlier version told whole, nothing of that is in the file of
    the state, and what is our own words, or no error, stays.
    """
    _upgraded(database, "0029")
    key = {"tenant": "acme", "kind": "Sync", "name": "orders"}
    told = [("Failed", "SYN403"), ("Interrupted", "SYN999"), ("Failed", "SYN710"), ("Succeeded", "")]
    reasons = ("RunFailed", "SourceChanged", "PolicyDenied")
    conditions = [
        {"type": "Ready", "status": "False", "reason": "RunFailed", "message": f"[SYN403] {_TOLD}"},
        {"type": "Drifted", "status": "True", "reason": "SourceChanged", "message": _TOLD},
        {"type": "PolicyCompliant", "status": "False", "reason": "Denied", "message": "residency"},
    ]
    with database.write() as connection:
        for number, (state, code) in enumerate(told):
            said = {"state": state, "error": f"status 423: {_TOLD}" if number < 2 else "ours", "error_code": code}
            values = {"trigger": "", "revision": "", "plan": "", "started": "", "finished": "", "parent": ""}
            connection.execute(
                metadata.tables["runs"].insert().values(**key, id=f"r{number}", counts={}, **values, **said)
            )
        for reason in reasons:
            message = "residency" if reason == "PolicyDenied" else f"[SYN403] {_TOLD}"
            values = {"time": "", "mood": "Warning", "revision": "", "run": ""}
            connection.execute(
                metadata.tables["events"].insert().values(**key, reason=reason, message=message, **values)
            )
        more = {"revision": "", "changed": ""}
        connection.execute(
            metadata.tables["statuses"]
            .insert()
            .values(**key, conditions=[one | more for one in conditions], generation=1, attempts=1, retry="")
        )

    migrate(database)
    store = SqlStore(database)
    orders = ObjectKey("acme", "Sync", "orders")
    assert sorted((run.id, run.error_code, run.error) for run in store.runs(orders)) == [
        ("r0", "SYN403", "…"),
        ("r1", "SYN999", "…"),
        ("r2", "SYN710", "ours"),
        ("r3", "", "ours"),
    ]
    assert [one.message for one in store.events(orders)] == ["[SYN403] …", "[SYN403] …", "residency"]
    (status,) = store.statuses([orders]).values()
    assert [one.message for one in status.conditions] == ["[SYN403] …", "…", "residency"]
    if database.schema is None:
        database.close()
        assert not any(_TOLD.encode() in path.read_bytes() for path in tmp_path.glob("state.db*"))


def _upgraded(database, revision):
    """The tables of an earlier version."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        if database.schema is not None:
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"')
        config.attributes |= {"connection": connection, "schema": database.schema}
        command.upgrade(config, revision)


def _insert(connection, table, values):
    """A row with these values, and something in every other column that must have a value."""
    for _, name, kind, needed, default, _ in connection.exec_driver_sql(f"PRAGMA table_info({table})").all():
        if needed and default is None and name not in values:
            values[name] = "{}" if kind == "JSON" else 0 if kind in {"INTEGER", "BIGINT", "FLOAT", "BOOLEAN"} else ""
    names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" for _ in values)
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
