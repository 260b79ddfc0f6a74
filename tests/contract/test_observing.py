"""Looking at a table that was written before, in SQLite and PostgreSQL: what is gone, what no longer fits, what is extra."""

from __future__ import annotations

import pytest

from syncline.sdk.observation import Observing
from tests.contract.sql_places import DIALECTS, frame_of, place_of, schema_of, target_of

ORDERS = schema_of({"id": "integer", "title": "string"}, "id")


@pytest.fixture(params=DIALECTS)
def place(request, tmp_path):
    """A database of each kind, with a table of one row."""
    found = place_of(request.param, request, tmp_path)
    destination = found.open()
    destination.open(target_of(ORDERS)).write(frame_of(ORDERS, (1, "one")), "c1")
    destination.close()
    yield found
    found.close()


def observed(place):
    destination = place.open()
    assert isinstance(destination, Observing)
    seen = destination.observe(target_of(ORDERS))
    return [(d.change, d.place) for d in seen.differences], seen.empty


def test_what_a_run_left_is_as_declared(place):
    """Nothing differs after a write, and looking changes nothing."""
    before = place.tables()
    assert observed(place) == ([], False)
    assert place.tables() == before


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DROP TABLE orders", ([("gone", "table orders")], False)),
        ("DELETE FROM orders", ([], True)),
        ("ALTER TABLE orders DROP COLUMN title", ([("gone", "column title")], False)),
        (
            "ALTER TABLE orders RENAME COLUMN title TO name",
            ([("gone", "column title"), ("extra", "column name")], False),
        ),
        ("ALTER TABLE orders ADD COLUMN note text", ([("extra", "column note")], False)),
    ],
)
def test_what_somebody_did(place, statement, expected):
    """A dropped table or column is gone, a new column is extra, and an empty table is told as such."""
    place.execute(statement)
    assert observed(place) == expected


def test_a_table_that_no_longer_fits(place):
    """A table without the key that an upsert needs is unfit, and nothing of it is gone."""
    place.execute("DROP TABLE orders")
    place.execute("CREATE TABLE orders (id integer, title date)")
    differences, _ = observed(place)
    assert {change for change, _ in differences} == {"unfit"}


@pytest.mark.parametrize(
    ("declared", "fits"),
    [
        ({"sqlite": "INTEGER", "postgresql": "bigint", "mariadb": "bigint", "duckdb": "BIGINT"}, "integer"),
        ({"postgresql": "integer", "mariadb": "int", "duckdb": "INTEGER"}, "int32"),
        ({"sqlite": "REAL", "postgresql": "double precision", "mariadb": "double", "duckdb": "DOUBLE"}, "float"),
        ({"postgresql": "numeric(9,2)", "mariadb": "decimal(9,2)", "duckdb": "DECIMAL(9,2)"}, "decimal(9,2)"),
        ({"sqlite": "BLOB", "postgresql": "bytea", "mariadb": "longblob", "duckdb": "BLOB"}, "binary"),
        ({"postgresql": "timestamp", "mariadb": "datetime(6)", "duckdb": "TIMESTAMP"}, "datetime"),
        ({"postgresql": "timestamptz", "duckdb": "TIMESTAMPTZ"}, "timestamp"),
        ({"postgresql": "date", "mariadb": "date", "duckdb": "DATE"}, "date"),
        ({"postgresql": "text[]", "mariadb": "varchar(10) CHARACTER SET latin1", "duckdb": "VARCHAR[]"}, ""),
        ({"postgresql": "numeric", "mariadb": "time(3)", "duckdb": "HUGEINT"}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_column_of_another_type(place, declared, fits):
    """A column that can't hold what is declared is unfit, with the type that a mapping would declare for it, if any."""
    kind = place.dialect
    if kind not in declared:
        pytest.skip(f"{kind} has no such type")
    place.execute("ALTER TABLE orders DROP COLUMN title")
    place.execute(f"ALTER TABLE orders ADD COLUMN title {declared[kind]}")
    destination = place.open()
    (difference,) = destination.observe(target_of(ORDERS)).differences
    assert (difference.change, difference.place, difference.fits) == ("unfit", "column title", fits)
    assert difference.message.endswith("which can't hold string")
