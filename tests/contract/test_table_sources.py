"""The contract of tables and queries as sources, the same for every database."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl
import pytest
from msgspec import structs

from syncline.connectors.sql.opening import open_reading
from syncline.connectors.sql.runtime import open_rows, open_source
from syncline.executor.previews.fingerprints import DIFFERENT, MISSING, SAME, Fingerprints
from syncline.kinds.integration import IntegrationSpec
from syncline.model.errors import Invalid, Stalled
from syncline.model.schema import Field, Schema
from syncline.sdk import conformance
from syncline.sdk.conformance_destination import EVERY_TYPE, sample
from syncline.sdk.source import SourceRequest
from tests.contract.sql_places import DIALECTS, Place, frame_of, place_of, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.connectors.sql.source import SqlSource

VISITS = schema_of({"shop": "string", "number": "integer", "at": "timestamp", "note": "string"}, "shop", "number")
T = [datetime(2024, 1, 1, hour, 0, 0, 7, tzinfo=UTC) for hour in range(24)]


@pytest.fixture(params=DIALECTS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of its own, of each dialect."""
    made = place_of(request.param, request, tmp_path)
    yield made
    made.close()


def fill(place: Place, schema: Schema, *rows: tuple, stream: str = "visits") -> None:
    """Writes rows to a table by a flow, as another one may have."""
    destination = place.open()
    destination.open(target_of(schema, stream=stream)).write(frame_of(schema, *rows), "x")
    destination.close()
    place.opened.clear()


def visits(place: Place, *numbers: int, at: int = 0) -> None:
    fill(place, VISITS, *(("a" if n % 2 else "B", n, T[at], f"note {n}") for n in numbers))


def declared(tables: dict[str, Any]) -> IntegrationSpec:
    """An integration with these streams."""
    return IntegrationSpec.model_validate_json(json.dumps({"connector": "any", "tables": tables}))


def source(place: Place, table: dict[str, Any], rows: int = 3, **more: Any) -> SqlSource:
    """A source of a declared stream `s`, with batches of so many rows."""
    spec = declared({"s": table})
    request = SourceRequest("s", None, (), batch_rows=rows)
    return open_source(replace(place.instance, integration=spec), structs.replace(request, **more))  # type: ignore[return-value]


def found(place: Place, table: dict[str, Any], position: Any = None, **more: Any) -> tuple[list[tuple], Any]:
    """The rows of a read, and where it ended."""
    opened = source(place, table, **more)
    try:
        batches = list(opened.read(position))
        return [row for batch in batches for row in batch.frame.rows()], batches[-1].position if batches else position
    finally:
        opened.close()


CASES: dict[str, dict[str, Any]] = {
    "a table by its key": {"table": "visits"},
    "a query": {"query": 'SELECT "shop", "number" + 1 AS "n", "note" FROM "visits" WHERE "number" > 2', "key": ["n"]},
    "by a cursor": {"table": "visits", "cursor": {"field": "at"}},
    "by a text": {"table": "visits", "key": ["note"]},
}


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES)
def test_promises(check, case: str, place: Place):
    """Tables and queries pass every check of the shipped suite, read by a key or a cursor, in batches of three."""
    visits(place, *range(1, 6), at=1)
    visits(place, *range(6, 12))
    check(lambda: source(place, CASES[case], incremental="cursor" in CASES[case]))


class TestValues:
    def test_every_type(self, place: Place):
        """What a flow has written is read with the same types and values, at their edges, and nulls."""
        frame = sample(range(6))
        destination = place.open()
        destination.open(target_of(EVERY_TYPE, stream="t")).write(frame, "1")
        destination.close()
        place.opened.clear()
        opened = source(place, {"table": "t"}, rows=100)
        (batch,) = opened.read(None)
        opened.close()

        read = {field.name: str(field.type) for field in opened.schema.fields}
        assert read == {field.name: str(field.type) for field in EVERY_TYPE.fields}
        assert batch.frame.drop("extra").equals(frame.drop("extra"))
        texts = zip(batch.frame["extra"], frame["extra"], strict=True)
        assert all((one and json.loads(one)) == (other and json.loads(other)) for one, other in texts)
        assert batch.malformed == ()

    def test_rows_are_recognised(self, place: Place):
        """What a flow has written is the same when it is read back, whatever form the database keeps it in."""
        frame = sample(range(6))
        destination = place.open()
        destination.open(target_of(EVERY_TYPE, stream="t")).write(frame, "1")
        destination.close()
        place.opened.clear()
        opened = open_rows(place.instance, "t", EVERY_TYPE.names, EVERY_TYPE.key)
        with Fingerprints(EVERY_TYPE) as rows:
            for batch in opened.read(None):
                rows.note(batch.frame)
            other = frame.with_columns(name=pl.lit("other"))
            assert rows.meet(frame) == [(SAME, ())] * 6
            assert rows.meet(other.head(1)) == [(DIFFERENT, (0,))]
            assert rows.meet(sample([9])) == [(MISSING, ())]
            assert rows.counts() == {SAME: 5, DIFFERENT: 1, MISSING: 1}
        opened.close()

    def test_as_declared(self, place: Place):
        """With a schema, its columns are read as it declares them: digits, ISO 8601 texts, JSON."""
        schema = schema_of({"id": "integer", "total": "decimal(14,2)", "at": "timestamp", "day": "date"}, "id")
        fill(place, schema, (1, Decimal("10.50"), T[1], date(2024, 2, 29)), stream="t")
        wanted = schema_of({"id": "number", "total": "number", "at": "string", "day": "string"})
        rows, _ = found(place, {"table": "t"}, schema=wanted)

        assert rows == [("1", "10.50", "2024-01-01T01:00:00.000007Z", "2024-02-29")]

    def test_declared_otherwise(self, place: Place):
        """A column that can't be what is declared is an error that names both; so is one that isn't there."""
        visits(place, 1)
        with pytest.raises(Invalid, match="'note' of s is .* declared as boolean") as caught:
            source(
                place, {"table": "visits"}, schema=Schema((Field("note", schema_of({"x": "boolean"}).fields[0].type),))
            )
        assert caught.value.code == "SYN548"
        with pytest.raises(Invalid, match="no column 'none'") as caught:
            source(place, {"table": "visits"}, schema=schema_of({"none": "string"}))
        assert caught.value.code == "SYN546"

    def test_what_is_used(self, place: Place):
        """Without a schema only the columns that a mapping reads are read; the order needs no column of them."""
        visits(place, 2, 1)

        assert found(place, {"table": "visits"}, paths=("note", "none.of.it"))[0] == [("note 2",), ("note 1",)]

    @pytest.mark.parametrize("place", ["postgresql"], indirect=True)
    def test_values_without_a_counterpart(self, place: Place):
        """A value that no type of ours has is set aside with its place; the others are read."""
        place.execute(f"CREATE SCHEMA {place.instance.config['schema']}")
        place.execute("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, n numeric(6,2), tags text[], u uuid)")
        place.execute(
            "INSERT INTO t VALUES (1, 'infinity', 1, '{a,b}', NULL), (2, '2024-01-01 00:00+00', 'NaN', NULL, NULL),"
            " (3, '2024-01-01 00:00+02', 1.5, '{}', '00000000-0000-0000-0000-000000000001')"
        )
        opened = source(place, {"table": "t"}, rows=9)
        (batch,) = opened.read(None)
        opened.close()

        at = datetime(2023, 12, 31, 22, tzinfo=UTC)
        assert batch.frame.rows() == [(3, at, Decimal("1.50"), "[]", "00000000-0000-0000-0000-000000000001")]
        assert [(bad.place, bad.field) for bad in batch.malformed] == [("s#1", "at"), ("s#2", "n")]
        assert batch.places([0]) == ["s#3"]

    @pytest.mark.parametrize("place", ["mariadb"], indirect=True)
    def test_types_of_mariadb(self, place: Place):
        """Unsigned and short numbers, bits, sets, years and times that are no time of day."""
        place.execute(
            "CREATE TABLE t (id int unsigned PRIMARY KEY, b bigint unsigned, f float, bits bit(9), y year,"
            " s set('x', 'y'), d datetime(3), stamp timestamp, t time)"
        )
        place.execute(
            "INSERT INTO t VALUES (4294967295, 18446744073709551615, 0.1, 257, 2024, 'x,y', '2024-01-01 00:00:00.123',"
            " '2024-01-01 00:00:00', '12:00:00'), (1, 0, 0, 0, 2024, '', NULL, '2024-01-01', '99:00:00')"
        )
        opened = source(place, {"table": "t"}, rows=9)
        (batch,) = opened.read(None)
        opened.close()

        moment = datetime.fromisoformat("2024-01-01T00:00:00.123")
        assert batch.frame.rows() == [
            (
                *(4294967295, Decimal(18446744073709551615), 0.10000000149011612, Decimal(257), 2024, "x,y", moment),
                *(datetime(2024, 1, 1, tzinfo=UTC), time(12)),
            )
        ]
        assert [(bad.place, bad.field) for bad in batch.malformed] == [("s#1", "t")]

    @pytest.mark.parametrize("place", ["sqlite"], indirect=True)
    def test_any_value_in_any_column_of_sqlite(self, place: Place):
        """In a table of others, a value that isn't of its column's type is set aside, and none is changed."""
        fill(place, VISITS, stream="other")
        place.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, x, d DECIMAL(10,5))")
        place.execute("INSERT INTO t VALUES (1, 'seven', 1, 'a', 0.1), (2, 7, 0.1, 9223372036854775807, 1.5)")
        opened = source(place, {"table": "t"}, rows=9)
        (batch,) = opened.read(None)
        opened.close()

        assert batch.frame.rows() == [(2, 7, 0.1, "9223372036854775807", "1.5")]
        assert [(bad.place, bad.field) for bad in batch.malformed] == [("s#1", "n")]

    @pytest.mark.parametrize("place", ["sqlite"], indirect=True)
    def test_bytes_among_texts_of_sqlite(self, place: Place):
        """Bytes in a column of texts end the read with an error that says so."""
        fill(place, VISITS, stream="other")
        place.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
        place.execute("INSERT INTO t VALUES (1, 'a'), (2, x'ff00')")
        with pytest.raises(Invalid) as caught:
            found(place, {"table": "t"})

        assert caught.value.code == "SYN548"


class TestOrder:
    def test_rows_without_a_key(self, place: Place):
        """A table without a key is refused, until one is declared that identifies its rows."""
        schema = schema_of({"a": "integer", "b": "string"})
        destination = place.open()
        destination.open(target_of(schema, "append", stream="t")).write(frame_of(schema, (2, "x"), (1, "x")), "1")
        destination.close()
        place.opened.clear()
        with pytest.raises(Invalid, match="no primary key") as caught:
            source(place, {"table": "t"})

        assert caught.value.code == "SYN547"
        assert found(place, {"table": "t", "key": ["a"]})[0] == [(1, "x"), (2, "x")]
        with pytest.raises(Invalid, match="several rows with the same b") as caught:
            found(place, {"table": "t", "key": ["b"]}, rows=1)
        assert caught.value.code == "SYN547"

    def test_a_key_that_is_null(self, place: Place):
        """Rows that a read by this column would never come to are refused, and not left out."""
        fill(place, VISITS, ("a", 1, T[0], None), ("a", 2, None, "x"))
        for table in ({"table": "visits", "key": ["note"]}, {"table": "visits", "cursor": {"field": "at"}}):
            with pytest.raises(Invalid, match="rows with a null in") as caught:
                found(place, table, incremental=True)
            assert caught.value.code == "SYN547"

    def test_one_moment(self, place: Place):
        """Rows that are written while a read is under way belong to the next one."""
        if place.dialect == "duckdb":
            pytest.skip("the reader has the file")
        visits(place, *range(1, 7))
        opened = source(place, {"table": "visits"}, rows=2)
        batches = opened.read(None)
        first = next(batches)
        place.execute("DELETE FROM visits WHERE number > 4")
        rest = [row[1] for batch in batches for row in batch.frame.rows()]
        opened.close()

        assert len(first.frame) + len(rest) == 6
        assert len(found(place, {"table": "visits"})[0]) == 4

    def test_nothing_is_written(self, place: Place):
        """A query that writes is refused."""
        if place.dialect == "duckdb":
            pytest.skip("a query in parentheses can't write there")
        visits(place, 1)
        before = place.tables()
        with pytest.raises((Invalid, Stalled)):
            found(place, {"query": 'DELETE FROM "visits" RETURNING "number"', "key": ["number"]})

        assert len(found(place, {"table": "visits"})[0]) == 1
        assert place.tables() == before


class TestIncremental:
    STREAM: ClassVar = {"table": "visits", "cursor": {"field": "at"}}

    def test_past_the_cursor(self, place: Place):
        """A read begins after the last row of the one before; nothing new gives nothing."""
        visits(place, 1, 2, at=1)
        first, position = found(place, self.STREAM, incremental=True)
        again, position = found(place, self.STREAM, position, incremental=True)
        visits(place, 2, at=2)
        visits(place, 3, at=3)
        later, position = found(place, self.STREAM, position, incremental=True)

        assert ([row[1] for row in first], again, [row[1] for row in later]) == ([2, 1], [], [2, 3])

    def test_looking_back(self, place: Place):
        """With a lookback, rows of the time before the last value are read again, and with them those that came late."""
        stream = {"table": "visits", "cursor": {"field": "at", "lookback": "2h"}}
        visits(place, 1, at=5)
        visits(place, 2, at=9)
        _, position = found(place, stream, incremental=True, rows=1)
        visits(place, 3, at=8)
        visits(place, 4, at=6)
        rows, _ = found(place, stream, position, incremental=True)

        assert [row[1] for row in rows] == [3, 2]


class TestDollars:
    def test_what_only_looks_like_a_parameter(self, place: Place):
        """Dollars, percent signs and quotes in a query's literals, names and comments are the query's own."""
        fill(place, VISITS, ("a", 1, T[1], "US$1 100%"), ("a", 2, T[2], "US$1 50%"), ("b", 3, T[3], "it's US$9"))
        query = """
            SELECT shop, number, note AS price$1, 'US$5' AS "$2" -- it's 5 % of $3
            FROM visits WHERE note LIKE 'US$1%' OR /* isn't $4 */ note = 'it''s US$9'
        """
        rows, _ = found(place, {"query": query, "key": ["shop", "number"]}, rows=1)

        assert [row[1:] for row in rows] == [
            (1, "US$1 100%", "US$5"),
            (2, "US$1 50%", "US$5"),
            (3, "it's US$9", "US$5"),
        ]


class TestOneStatement:
    @pytest.mark.parametrize("close", [") AS t", ") AS t) AS q"])
    def test_a_query_that_ends_its_parenthesis(self, place: Place, close: str):
        """A query that brings a second statement along is refused when its columns are asked for, and changes nothing."""
        visits(place, 1, 2)
        opened = "SELECT * FROM (" * close.count(")")
        query = f"SELECT * FROM visits{close}; DELETE FROM visits; {opened}SELECT * FROM visits"
        with pytest.raises((Invalid, Stalled)):
            source(place, {"query": query, "key": ["shop", "number"]})

        assert len(place.read("visits", VISITS)) == 2

    def test_rows_are_of_one_statement(self, place: Place):
        """A second statement can't end the transaction that doesn't write, with parameters or without."""
        visits(place, 1, 2)
        reading = open_reading(place.instance)
        try:
            reading.begin()
            with pytest.raises(Invalid) as caught:
                reading.fetch("SELECT 1; COMMIT; DELETE FROM visits", ())
        finally:
            reading.close()

        assert caught.value.code == "SYN550"
        assert len(place.read("visits", VISITS)) == 2

    def test_a_query_that_the_database_does_not_understand(self, place: Place):
        """A slip in a query is an error about the query, or the database's own words."""
        visits(place, 1)
        with pytest.raises((Invalid, Stalled), match="(?i)syntax"):
            source(place, {"query": "SELEC * FROM visits", "key": ["number"]})


def test_a_stream_that_is_not_declared(place: Place):
    """An unknown stream is an error that names the known ones; a file that isn't there is one to mend."""
    visits(place, 1)
    spec = declared({"s": {"table": "visits"}})
    with pytest.raises(Invalid, match="no stream 'other'") as caught:
        open_source(replace(place.instance, integration=spec), SourceRequest("other", None, ()))

    assert caught.value.code == "SYN546"
    assert "s" in caught.value.help
    with pytest.raises((Invalid, Stalled)):
        source(place, {"table": "none", "key": ["id"]})
