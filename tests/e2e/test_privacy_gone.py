"""What a flow wrote and isn't there any more: a request about a person is open at it, unless nothing was ever written there."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import duckdb
import psycopg
import pytest

from syncline import drift, privacy, workflow
from syncline.executor.progress import Silent
from syncline.model.errors import SynclineError
from tests.e2e import house
from tests.e2e.subjects import ADA, DATA, MAPPING
from tests.e2e.test_undoing import placed

PLACES = ("sqlite", "postgresql", "mariadb", "duckdb", "parquet")


def built(root, scenario, data=DATA):
    """A house whose import is applied and hasn't run."""
    settings = house.build(root, scenario.texts | {"mapping.yaml": MAPPING})
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text(data)
    workflow.apply(settings)
    return settings


def renamed(root, scenario, before, after):
    """The table, or the folder, gets another name."""
    statement = f"ALTER TABLE {before} RENAME TO {after}"
    match scenario.destination:
        case "sqlite":
            with closing(sqlite3.connect(root / "warehouse.db")) as file:
                file.execute(statement)
        case "duckdb":
            with closing(duckdb.connect(root / "warehouse.duckdb")) as file:
                file.execute(statement)
        case "parquet":
            (root / "lake" / before).rename(root / "lake" / after)
        case url if url.startswith("mariadb:"):
            with closing(house.mariadb(url)) as connection, connection.cursor() as cursor:
                cursor.execute(statement)
        case url:
            with psycopg.connect(url, autocommit=True, options=f"-c search_path={scenario.schema}") as connection:
                connection.execute(statement)


def looked(settings):
    """The one place of a preview and of a request, which say the same, and whether the request is complete."""
    (expected,) = privacy.expect(settings, "acme", ADA).places
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    (place,) = done.places
    assert expected.state.replace("begun", "erased") == place.state
    return place, done


@pytest.mark.parametrize("kind", PLACES)
def test_a_table_that_was_renamed_is_open(tmp_path, request, kind):
    """Nobody is said to be erased of a table that isn't there; the same request erases them once it is back."""
    with placed(kind, "append", request) as scenario:
        settings = built(tmp_path, scenario)
        workflow.run(settings, scenario.key, progress=Silent())
        renamed(tmp_path, scenario, "customers", "former")
        (held,) = privacy.export(settings, "acme", ADA)
        assert "what its runs wrote isn't there" in held.problem
        place, done = looked(settings)
        assert (place.state, place.rows, place.rejects, done.complete) == ("open", 0, 1, False)
        certified = privacy.verify(privacy.certificate(settings, done.id), privacy.certificate_key(settings))
        assert certified["complete"] is False
        assert "dropped, renamed or moved" in certified["places"][0]["message"]

        renamed(tmp_path, scenario, "former", "customers")
        place, again = looked(settings)
        assert (again.id, place.state, place.rows, again.complete) == (done.id, "erased", 1, True)


@pytest.mark.parametrize(
    ("kind", "file"), [("sqlite", "warehouse.db"), ("duckdb", "warehouse.duckdb"), ("parquet", "lake")]
)
def test_a_file_that_is_elsewhere_is_open(tmp_path, kind, file):
    """The same goes for the file of a database, and for the folder of all streams; looking for them makes neither."""
    scenario = house.Scenario("append", kind, kind="Import")
    settings = built(tmp_path, scenario)
    workflow.run(settings, scenario.key, progress=Silent())
    (tmp_path / file).rename(tmp_path / "elsewhere")
    place, done = looked(settings)
    assert (place.state, done.complete) == ("open", False)
    drift.look(settings, [scenario.key])
    assert not (tmp_path / file).exists()
    assert privacy.acknowledge(settings, done.id, scenario.key, "Eva", "the disk was shredded").complete

    (tmp_path / "elsewhere").rename(tmp_path / file)
    place, _ = looked(settings)
    assert (place.state, place.rows) == ("erased", 1)


def remade(root, scenario):
    """The database, or the folder, is made anew under the old name, with nothing in it."""
    match scenario.destination:
        case "sqlite":
            (root / "warehouse.db").unlink()
            with closing(sqlite3.connect(root / "warehouse.db")) as file:
                file.execute("VACUUM")
        case "duckdb":
            (root / "warehouse.duckdb").unlink()
            duckdb.connect(root / "warehouse.duckdb").close()
        case "parquet":
            shutil.rmtree(root / "lake")
            (root / "lake").mkdir()
        case url if url.startswith("mariadb:"):
            with closing(house.mariadb(url)) as connection, connection.cursor() as cursor:
                name = url.rpartition("/")[2]
                cursor.execute(f"DROP DATABASE `{name}`")
                cursor.execute(f"CREATE DATABASE `{name}`")
        case url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"DROP SCHEMA {scenario.schema} CASCADE")
                connection.execute(f"CREATE SCHEMA {scenario.schema}")


@pytest.mark.parametrize("kind", PLACES)
def test_a_database_that_was_made_anew_is_open(tmp_path, request, kind):
    """Of an empty one under the old name nobody says that the person was erased there; what has a table now is searched."""
    with placed(kind, "append", request) as scenario:
        settings = built(tmp_path, scenario)
        workflow.run(settings, scenario.key, progress=Silent())
        remade(tmp_path, scenario)
        place, done = looked(settings)
        assert (place.state, done.complete) == ("open", False)
        assert "another database or folder" in place.message
        workflow.run(settings, scenario.key, full_refresh=True, progress=Silent())
        place, again = looked(settings)
        assert (again.id, place.state, again.complete) == (done.id, "erased", True)


@pytest.mark.parametrize("kind", PLACES)
def test_where_nothing_was_ever_written_nobody_is_left(tmp_path, request, kind):
    """A flow that hasn't run yet, and one whose runs failed before a row was written, have written nobody."""
    with placed(kind, "append", request) as scenario:
        settings = built(tmp_path, scenario, data="id,name\n1,Ada\n")
        place, done = looked(settings)
        assert (place.state, place.message, done.complete) == ("erased", "", True)
        with pytest.raises(SynclineError):
            workflow.run(settings, scenario.key, progress=Silent())
        assert house.rows(tmp_path, scenario) in (None, [])
        place, done = looked(settings)
        assert (place.state, place.message, done.complete) == ("erased", "", True)
