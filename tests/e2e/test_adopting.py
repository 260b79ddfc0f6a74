"""First runs into tables that are there already: others' rows are left alone, unless it is declared that they aren't."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from uuid import uuid4

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Denied, Invalid
from syncline.model.key import ObjectKey
from tests.e2e.house import FLOW, Scenario, build, customers

MADE = "CREATE TABLE {} (id bigint NOT NULL PRIMARY KEY, name text, email text, balance numeric(12,2), born date)"
OTHER = ObjectKey("acme", "Sync", "other")


class Warehouse:
    """A database of either kind, with the house that writes to it."""

    def __init__(self, root, scenario):
        self.root, self.scenario = root, scenario
        self.table = f'"{scenario.schema}".customers' if scenario.schema else "customers"

    def execute(self, statement):
        if not self.scenario.schema:
            with closing(sqlite3.connect(self.root / "warehouse.db")) as connection:
                found = connection.execute(statement).fetchall()
                connection.commit()
                return found
        import psycopg

        with psycopg.connect(self.scenario.destination, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def theirs(self, columns=MADE):
        """A table that others made, with a row of theirs, one of which has the id of a customer."""
        if self.scenario.schema:
            self.execute(f'CREATE SCHEMA "{self.scenario.schema}"')
        else:  # of tables of others, SQLite's storage classes are what counts
            columns = columns.replace("bigint", "integer").replace("numeric(12,2)", "text").replace("date", "text")
        self.execute(columns.format(self.table))
        self.execute(f"INSERT INTO {self.table} (id, name) VALUES (1, 'theirs'), (900, 'theirs')")

    def settings(self, existing="", write="upsert", more=None):
        texts = dict(self.scenario.texts)
        extra = f"write: {write}{existing and f', existing: {existing}'}"
        texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", extra)
        settings = build(self.root, texts | (more or {}))
        workflow.apply(settings)
        return settings

    def rows(self):
        return dict(self.execute(f"SELECT id, name FROM {self.table}"))

    def tables(self):
        if self.scenario.schema:
            found = self.execute(f"SELECT tablename FROM pg_tables WHERE schemaname = '{self.scenario.schema}'")
        else:
            found = self.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {name for (name,) in found}


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request, tmp_path, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "postgres")
    customers(tmp_path, 6)
    if request.param == "sqlite":
        return Warehouse(tmp_path, Scenario("upsert"))
    url = request.getfixturevalue("postgres_url")
    return Warehouse(tmp_path, Scenario("upsert", url, schema=f"w_{uuid4().hex[:10]}"))


def run(settings, key=FLOW, **how):
    return workflow.run(settings, key, progress=Silent(), **how).record.counts


@pytest.mark.parametrize("write", ["upsert", "append", "replace"])
def test_rows_of_others_are_left_alone(warehouse, write):
    """By default the first run into a table of others stops before it changes anything there, in every mode."""
    columns = MADE if write != "append" else MADE.replace(" NOT NULL PRIMARY KEY", "")
    warehouse.theirs(columns)
    settings = warehouse.settings(write=write)
    for full_refresh in (False, write != "append"):
        with pytest.raises(Denied) as caught:
            run(settings, full_refresh=full_refresh)
        assert caught.value.code == "SYN751"
        assert "there with 2 rows" in caught.value.message
    assert warehouse.rows() == {1: "theirs", 900: "theirs"}
    assert warehouse.tables() == {"customers"}


def test_a_table_is_adopted_where_that_is_declared(warehouse):
    """Rows with the keys of records are updated, the others stay; from then on the table is ours."""
    warehouse.theirs()
    settings = warehouse.settings("adopt")
    run(settings)
    assert warehouse.rows()[900] == "theirs"
    assert warehouse.rows()[1].startswith("Name 1")

    settings = warehouse.settings()  # what was adopted stays so
    assert run(settings, full_refresh=True).read == 8


def test_what_does_not_fit_is_not_adopted(warehouse):
    """A table without the columns' types or the key is refused with every finding, and stays as it is."""
    warehouse.theirs("CREATE TABLE {} (id integer, name text)")
    settings = warehouse.settings("adopt")
    with pytest.raises(Invalid) as caught:
        run(settings)
    assert {d.code for d in caught.value.diagnostics} >= {"SYN486"}
    assert warehouse.rows() == {1: "theirs", 900: "theirs"}


def test_an_empty_table_is_nobodys(warehouse):
    """A table that somebody prepared and left empty is written to, and is ours from then on."""
    warehouse.theirs()
    warehouse.execute(f"DELETE FROM {warehouse.table}")
    settings = warehouse.settings()
    run(settings)
    assert run(settings, full_refresh=True).written


def test_flows_share_a_table_that_one_of_them_made(warehouse):
    """A second flow into a table of ours needs no leave, nor does one that was retired and is declared again."""
    settings = warehouse.settings()
    run(settings)
    text = warehouse.scenario.texts["sync.yaml"].replace("name: customers,", "name: other,")
    settings = warehouse.settings(more={"other.yaml": text})
    assert run(settings, OTHER).written

    (warehouse.root / "other.yaml").unlink()
    workflow.apply(settings)
    settings = warehouse.settings(more={"other.yaml": text})
    assert run(settings, OTHER).written


def test_tables_of_earlier_versions_are_ours(warehouse):
    """Where it wasn't written down yet whose a table is, the state knows which flows wrote to it."""
    settings = warehouse.settings()
    run(settings)
    place = f'"{warehouse.scenario.schema}".' if warehouse.scenario.schema else ""
    warehouse.execute(f"DROP TABLE {place}_syncline_tables")
    warehouse.execute(f"DELETE FROM {place}_syncline_checkpoints")
    assert run(settings).written
    text = warehouse.scenario.texts["sync.yaml"].replace("name: customers,", "name: other,")
    settings = warehouse.settings(more={"other.yaml": text})
    assert run(settings, OTHER).written

    warehouse.execute(f"CREATE TABLE {place}elsewhere AS SELECT * FROM {warehouse.table}")
    third = text.replace("name: other,", "name: third,").replace("warehouse/customers", "warehouse/elsewhere")
    settings = warehouse.settings(more={"other.yaml": text, "third.yaml": third})
    with pytest.raises(Denied):
        run(settings, ObjectKey("acme", "Sync", "third"))


def test_the_plan_that_looks_at_data_says_whose_the_table_is(warehouse):
    """A plan with a look at the data says that the table is somebody else's, and what becomes of it."""
    warehouse.theirs()
    texts = dict(warehouse.scenario.texts)
    settings = build(warehouse.root, texts)
    assert "the run stops (SYN751)" in workflow.plan(settings, data=100).data[0].note
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", "write: upsert, existing: adopt")
    plan = workflow.plan(build(warehouse.root, texts), data=100)
    assert plan.data[0].note == "the table is there with 2 rows, and no flow of ours made it: it is adopted"
    told = {str(e.kind): e.message for c in plan.changes for e in c.effects}
    assert told["table-adopted"].endswith("rows with the keys of records are updated, and the others stay")
