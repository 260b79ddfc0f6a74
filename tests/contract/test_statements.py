"""Statements that are given to libpq itself are what psycopg's cursors would run: values, errors, plans that are kept."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from syncline.connectors.sql.postgresql.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Iterator

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    factory = psycopg.RawCursor
    with psycopg.connect(postgres_url, autocommit=True, cursor_factory=factory, prepare_threshold=None) as made:
        yield made


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", "a 'b' \\ ü\n"),
        ("bigint", 2**63 - 1),
        ("smallint", -1),
        ("numeric", Decimal("1234567890.123456789")),
        ("float8", 0.1),
        ("boolean", True),
        ("bytea", b"\x00\xff"),
        ("date", dt.date(2026, 2, 28)),
        ("timestamptz", dt.datetime(2026, 1, 5, 8, 0, 0, 1, tzinfo=dt.UTC)),
        ("text[]", ["a", None, "b,c"]),
        ("integer", None),
    ],
)
def test_values_go_and_come_as_by_a_cursor(connection: Connection, type_: str, value: object):
    """Each time, before and after a statement is prepared, and beside it in one row with others."""
    statements, query = Statements(connection), f"SELECT $1::{type_}, $2::text, $1::{type_} IS NULL"
    by_cursor = connection.execute(query.encode(), (value, "x")).fetchall()
    for _ in range(8):
        assert statements.run_with(query, (value, "x")) == by_cursor == [(value, "x", value is None)]


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("SELECT 1/$1::integer", (0,)),
        ("SELECT * FROM nowhere_at_all WHERE $1", (True,)),
        ("SELECT $1::integer", ("x",)),
    ],
)
def test_errors_are_those_of_a_cursor(connection: Connection, query: str, parameters: tuple[object, ...]):
    """Of the same class, state and words."""
    with pytest.raises(psycopg.Error) as by_cursor:
        connection.execute(query.encode(), parameters)
    with pytest.raises(type(by_cursor.value)) as found:
        Statements(connection).run_with(query, parameters)
    assert found.value.sqlstate == by_cursor.value.sqlstate
    assert found.value.diag.message_primary == by_cursor.value.diag.message_primary


def test_what_has_parameters_is_one_statement(connection: Connection):
    """Of several, none is run; without parameters several are, and the last one's rows are given."""
    statements = Statements(connection)
    with pytest.raises(psycopg.errors.SyntaxError):
        statements.run_with("CREATE TEMP TABLE made (a int); SELECT 1", ())
    assert statements.run("CREATE TEMP TABLE made (a int); SELECT 2") == [(2,)]


def prepared(connection: Connection) -> int:
    row = connection.execute(b"SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert row is not None
    return int(row[0])


def test_what_comes_often_is_planned_once(connection: Connection):
    """From the sixth time on; of very many that come often, no more than a hundred are kept at a time."""
    statements = Statements(connection)
    for _ in range(5):
        statements.run_with("SELECT $1::text", ("a",))
    assert prepared(connection) == 0
    statements.run_with("SELECT $1::text", ("a",))
    assert prepared(connection) == 1
    for number in range(250):
        for _ in range(6):
            assert statements.run_with(f"SELECT $1::integer + {number}", (1,)) == [(1 + number,)]
    assert 0 < prepared(connection) <= 100


@pytest.mark.parametrize("change", ["DROP TABLE {0}; CREATE TABLE {0} (a text)", "ALTER TABLE {0} ALTER a TYPE text"])
def test_a_table_that_changes_is_seen(connection: Connection, change: str):
    """A plan of a table that was made anew, or that has another type now, isn't used any more."""
    statements, table = Statements(connection), "pg_temp.seen"
    statements.run(f"CREATE TABLE {table} (a integer); INSERT INTO {table} VALUES (1)")
    for _ in range(8):
        assert statements.run_with(f"SELECT a FROM {table} WHERE a::text <> $1", ("x",)) == [(1,)]
    for statement in change.format(table).split("; "):
        statements.run(statement)
    found = statements.run_with(f"SELECT a FROM {table} WHERE a::text <> $1", ("x",))
    assert found == ([] if "DROP" in change else [("1",)])


def test_a_transaction_that_failed_is_rolled_back_and_gone_on_after(connection: Connection):
    """Statements that are prepared stand it, and so does what is prepared in it."""
    statements = Statements(connection)
    for _ in range(7):
        statements.run_with("SELECT $1::text", ("a",))
    statements.run("BEGIN")
    with pytest.raises(psycopg.errors.DivisionByZero):
        statements.run("SELECT 1/0")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        statements.run_with("SELECT $1::text", ("a",))
    statements.run("ROLLBACK")
    assert statements.run_with("SELECT $1::text", ("a",)) == [("a",)]


def test_a_connection_that_is_lost_is_said_as_such(connection: Connection):
    """It has no SQLSTATE, as of a cursor: whoever translates it knows by that."""
    statements = Statements(connection)
    ((process,),) = statements.run("SELECT pg_backend_pid()")
    with psycopg.connect(connection.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (process,))
    states = set()
    for _ in range(2):
        with pytest.raises(psycopg.Error) as found:
            statements.run("SELECT 1")
        states.add(found.value.sqlstate)
    assert states <= {None, "57P01"}
