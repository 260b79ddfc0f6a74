"""The contract of SQL destinations, the same for every database."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

import polars as pl
import pytest

from syncline.connectors.sql.runtime import check
from syncline.model.errors import Again, Bug, Denied, Invalid, Waiting
from syncline.sdk.destination import Alike, Refusal, Written, refusals
from tests.contract.sql_places import DIALECTS, FLOW, Place, frame_of, place_of, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")
EVERY_TYPE = schema_of(
    {
        "id": "integer",
        "string": "string",
        "int32": "int32",
        "decimal": "decimal(38,9)",
        "float": "float",
        "boolean": "boolean",
        "date": "date",
        "time": "time",
        "timestamp": "timestamp",
        "datetime": "datetime",
        "json": "json",
        "binary": "binary",
    },
    "id",
)


@pytest.fixture(params=DIALECTS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of its own, of each dialect."""
    made = place_of(request.param, request, tmp_path)
    yield made
    made.close()


def rows(*ids: int, name: str = "n", total: str = "1.00") -> pl.DataFrame:
    return frame_of(ORDERS, *((i, name, Decimal(total)) for i in ids))


def ids(place: Place, table: str = "orders") -> list[int]:
    return [row[0] for row in place.read(table, ORDERS)]


class TestValues:
    def test_every_type(self, place: Place):
        """A value of every type at the edges of its range is read back as it was given, and null stays null."""
        low = (
            *(-(2**63), "", -(2**31), Decimal("-99999999999999999999999999999.999999999"), -1.5e308, False),
            *(
                date(1, 1, 1),
                time(0),
                datetime(1, 1, 1, tzinfo=UTC),
                datetime.fromisoformat("0001-01-01T00:00:00.000001"),
                None,
                b"",
            ),
        )
        nulls = (0, *[None] * 11)
        high = (
            *(2**63 - 1, 'q"uo,te\n\r\tünï😀\\.', 2**31 - 1, Decimal("0.000000001"), 5e-324, True),
            *(date(9999, 12, 31), time(23, 59, 59, 999999), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
            *(datetime.fromisoformat("1969-12-31T23:59:59.999999"), '{"a": [1, "é", null]}', bytes(range(256))),
        )
        writer = place.open().open(target_of(EVERY_TYPE))

        assert writer.write(frame_of(EVERY_TYPE, low, nulls, high), "1") == Written(3)

        parsed = (*high[:10], json.loads(high[10]), high[11])
        assert place.read("orders", EVERY_TYPE) == [low, nulls, parsed]

    def test_every_type_again_is_unchanged(self, place: Place):
        """Values of every type compare equal to themselves, so that writing them again changes nothing."""
        row = (
            *(1, "x", 2, Decimal("0.10"), 0.1, True, date(2024, 2, 29), time(1, 2, 3, 4)),
            *(datetime(2024, 1, 1, tzinfo=UTC), datetime.fromisoformat("2024-01-01"), '{"a": 1}', b"\0\1"),
        )
        writer = place.open().open(target_of(EVERY_TYPE))
        frame = frame_of(EVERY_TYPE, row, (2, *[None] * 11))
        writer.write(frame, "1")

        assert writer.write(frame, "2") == Written(0, 0, 2)

    @pytest.mark.parametrize("text", ["\\.", "", " ", "\\N", "NULL", '"', "a\nb", "\r", "'"])
    def test_one_column_of_text(self, place: Place, text: str):
        """A table of one column holds texts that mean something to a loader, and null beside them."""
        schema = schema_of({"note": "string"})
        writer = place.open().open(target_of(schema, "append"))
        writer.write(frame_of(schema, (text,), (None,), (text,)), "1")

        assert sorted(place.read("orders", schema), key=str) == sorted([(text,), (None,), (text,)], key=str)

    def test_beyond_the_range(self, place: Place):
        """Values that can't be held are refused as a whole batch, named by row, and the rest can be written."""
        schema = schema_of({"id": "integer", "day": "date", "at": "time"}, "id")
        frame = frame_of(schema, (1, date(2024, 1, 1), None), (2, None, None), (3, date(9999, 12, 31), None))
        frame = frame.with_columns(day=frame["day"] + pl.Series([timedelta(0), timedelta(0), timedelta(1)]))
        writer = place.open().open(target_of(schema))

        with pytest.raises(Invalid, match="'day' has a year outside 1 to 9999") as caught:
            writer.write(frame, "1")

        assert caught.value.code == "SYN485"
        assert refusals(writer, frame) == [Refusal(2, "day", "a year outside 1 to 9999 can't be held")]
        assert writer.write(frame.head(2), "1") == Written(2)


class TestCounts:
    def test_upsert(self, place: Place):
        """An upsert counts what it inserted, changed and left alone, exactly."""
        writer = place.open().open(target_of(ORDERS))
        writer.write(rows(1, 2, 3, 4), "1")
        changed = frame_of(ORDERS, (3, "n", None), (4, "other", Decimal("1.00")), (5, "n", None), (1, "n", Decimal(1)))

        assert writer.write(changed, "2") == Written(1, 2, 1)
        assert place.read("orders", ORDERS) == [
            (1, "n", Decimal("1.00")),
            (2, "n", Decimal("1.00")),
            (3, "n", None),
            (4, "other", Decimal("1.00")),
            (5, "n", None),
        ]

    def test_upsert_of_keys_only(self, place: Place):
        """A table that is all key has rows inserted once."""
        schema = schema_of({"a": "integer", "b": "string"}, "a", "b")
        writer = place.open().open(target_of(schema))
        writer.write(frame_of(schema, (1, "x"), (1, "y")), "1")

        assert writer.write(frame_of(schema, (1, "x"), (2, "x")), "2") == Written(1, 0, 1)

    def test_null_to_empty_is_a_change(self, place: Place):
        """Null and the empty text are two values, in both directions."""
        writer = place.open().open(target_of(ORDERS))
        writer.write(frame_of(ORDERS, (1, None, None), (2, "", None)), "1")

        assert writer.write(frame_of(ORDERS, (1, "", None), (2, None, None)), "2") == Written(0, 2)
        assert [row[1] for row in place.read("orders", ORDERS)] == ["", None]

    def test_append(self, place: Place):
        """Appending adds every row, also of a key that is there."""
        writer = place.open().open(target_of(ORDERS, "append"))
        writer.write(rows(1, 2), "1")

        assert writer.write(rows(2), "2") == Written(1)
        assert ids(place) == [1, 2, 2]


class TestCheckpoints:
    def test_of_a_fresh_database(self, place: Place):
        """A database that nothing was written to has no checkpoint, and asking leaves no trace."""
        destination = place.open()

        assert destination.checkpoint(FLOW) is None
        destination.forget(FLOW)
        destination.move(FLOW, "acme/Sync/other")
        assert place.tables() == set()

    def test_with_the_batch(self, place: Place):
        """Each batch, also an empty one, and the end of a run leave their checkpoint for another connection."""
        writer = place.open().open(target_of(ORDERS))
        seen = []
        for frame, checkpoint in ((rows(1), "one"), (rows(), "two")):
            writer.write(frame, checkpoint)
            seen.append(place.open().checkpoint(FLOW))
        writer.finish("three")
        seen.append(place.open().checkpoint(FLOW))

        assert seen == ["one", "two", "three"]

    def test_forget(self, place: Place):
        """A forgotten checkpoint is gone; the rows and other flows' checkpoints are not."""
        destination = place.open()
        destination.open(target_of(ORDERS)).write(rows(1), "1")
        destination.open(target_of(ORDERS, flow="acme/Sync/other")).write(rows(2), "2")
        destination.forget(FLOW)

        assert (destination.checkpoint(FLOW), destination.checkpoint("acme/Sync/other")) == (None, "2")
        assert ids(place) == [1, 2]

    def test_move(self, place: Place):
        """A moved checkpoint replaces the one under the new name; moving what isn't there changes nothing."""
        destination = place.open()
        destination.open(target_of(ORDERS)).write(rows(1), "1")
        destination.open(target_of(ORDERS, flow="acme/Sync/other")).write(rows(2), "2")
        destination.move("acme/Sync/none", FLOW)
        destination.move(FLOW, "acme/Sync/other")

        assert (destination.checkpoint(FLOW), destination.checkpoint("acme/Sync/other")) == (None, "1")

    def test_a_failed_batch_moves_nothing(self, place: Place):
        """A batch that the database refuses leaves rows and checkpoint as they were."""
        writer = place.open().open(target_of(ORDERS))
        writer.write(rows(1), "1")
        with pytest.raises(Invalid):
            writer.write(frame_of(ORDERS, (2, "x", None), (None, "x", None)), "2")

        assert (place.open().checkpoint(FLOW), ids(place)) == ("1", [1])
        assert writer.write(rows(2), "2") == Written(1)


class TestTables:
    def test_names(self, place: Place):
        """Reserved words, mixed case, quotes, spaces, percent signs and other scripts are names like any other."""
        schema = schema_of(
            {"Select": "integer", 'a"b': "string", "a b%s": "string", "größe?": "string", "$1": "date"}, "Select"
        )
        writer = place.open().open(target_of(schema, stream='Order "%"'))
        writer.write(frame_of(schema, (1, "x", "y", "z", None)), "1")
        writer.write(frame_of(schema, (1, "x", "y", "Z", date(2024, 1, 1))), "2")

        names = ", ".join('"' + name.replace('"', '""') + '"' for name in schema.names)
        assert [row[:4] for row in place.execute(f'SELECT {names} FROM "Order ""%"""')] == [(1, "x", "y", "Z")]

    @pytest.mark.parametrize(
        ("stream", "column"),
        [("", "a"), ("t", ""), ("t", "a\0"), ("_syncline_x", "a"), ("t" * 129, "a"), ("t", "ü" * 65)],
    )
    def test_impossible_names(self, place: Place, stream: str, column: str):
        """Names that a database would cut, refuse or confuse with ours are invalid before anything is made."""
        schema = schema_of({"id": "integer", column: "string"}, "id")
        with pytest.raises(Invalid) as caught:
            place.open().open(target_of(schema, stream=stream))

        assert (caught.value.code, place.tables()) == ("SYN483", set())

    def test_columns_are_added(self, place: Place):
        """A column that is new in the schema is added, null in old rows; one that has gone is left alone."""
        destination = place.open()
        destination.open(target_of(ORDERS)).write(rows(1), "1")
        wider = schema_of({"id": "integer", "total": "decimal(14,2)", "paid": "boolean", "at": "timestamp"}, "id")
        at = datetime(2024, 1, 1, tzinfo=UTC)
        destination.open(target_of(wider, run="run-2")).write(frame_of(wider, (2, None, True, at)), "2")

        assert place.read("orders", wider) == [(1, Decimal("1.00"), None, None), (2, None, True, at)]
        assert ids(place) == [1, 2]

    @pytest.mark.parametrize(
        "declared", ["string", "decimal(14,3)", "decimal(15,2)", "integer", "timestamp", "boolean"]
    )
    def test_types_that_do_not_fit(self, place: Place, declared: str):
        """A column of another type is refused, naming what is there and what was declared; the table stays."""
        place.open().open(target_of(ORDERS)).write(rows(1), "1")
        other = schema_of({"id": "integer", "total": declared, "more": "string"}, "id")
        with pytest.raises(Invalid) as caught:
            place.open().open(target_of(other))

        assert caught.value.code == "SYN484"
        assert "'total' of table 'orders'" in caught.value.message
        assert declared in caught.value.message
        assert "(14,2)" in caught.value.message
        assert ids(place) == [1]

    def test_narrower_types_fit(self, place: Place):
        """A column holds every type that is narrower than its own."""
        place.open().open(target_of(ORDERS)).write(rows(1), "1")
        narrower = schema_of({"id": "int32", "total": "decimal(10,2)"}, "id")
        place.open().open(target_of(narrower)).write(frame_of(narrower, (2, Decimal("-0.01"))), "2")

        assert place.read("orders", narrower) == [(1, Decimal("1.00")), (2, Decimal("-0.01"))]

    def test_a_table_without_the_key(self, place: Place):
        """An upsert into a table that isn't unique by the key is refused when it is opened."""
        place.open().open(target_of(ORDERS, "append"))
        with pytest.raises(Invalid, match=r"no primary key or unique index on \(id\)"):
            place.open().open(target_of(ORDERS))

    def test_a_table_of_others(self, place: Place):
        """A table that someone else made is used if it fits, by a unique index as well as by a primary key."""
        place.open().open(target_of(ORDERS, stream="first"))
        integer = "integer" if place.dialect == "sqlite" else "bigint"
        text = "longtext CHARACTER SET utf8mb4" if place.dialect == "mariadb" else "text"
        place.execute(f"CREATE TABLE orders (id {integer}, name {text}, extra {text} DEFAULT 'd')")
        place.execute("CREATE UNIQUE INDEX by_id ON orders (id)")
        place.open().open(target_of(ORDERS)).write(rows(1), "1")

        assert place.execute("SELECT id, name, extra FROM orders") == [(1, "n", "d")]

    def test_a_view_is_not_a_table(self, place: Place):
        """A name that belongs to a view is refused."""
        place.open().open(target_of(ORDERS, stream="base"))
        place.execute("CREATE VIEW orders AS SELECT * FROM base")
        with pytest.raises(Invalid, match="not a table"):
            place.open().open(target_of(ORDERS))

    def test_check(self, place: Place):
        """The check names the system that answered."""
        assert check(place.instance).system.lower().startswith(place.dialect)


class TestReplace:
    def replaced(self, place: Place, *batches: pl.DataFrame, run: str = "run-1", **more: object) -> None:
        writer = place.open().open(target_of(ORDERS, "replace", run, **more))
        for number, frame in enumerate(batches):
            writer.write(frame, f"{run}/{number}")
        writer.finish(f"{run}/end")

    def test_swap(self, place: Place):
        """Readers see the old rows until the end and the new ones after it; nothing is left beside the table."""
        self.replaced(place, rows(1, 2))
        writer = place.open().open(target_of(ORDERS, "replace", "run-2"))
        writer.write(rows(2, 3), "a")
        before = ids(place)
        writer.write(rows(4), "b")
        writer.finish("end")

        assert (before, ids(place)) == ([1, 2], [2, 3, 4])
        assert "orders__syncline_new" not in place.tables()
        assert place.open().checkpoint(FLOW) == "end"

    def test_the_key_is_kept(self, place: Place):
        """A replaced table still has its primary key and its indexes, so that upserts into it go on."""
        self.replaced(place, rows(1))
        place.execute(f"CREATE INDEX by_name ON orders (name{'(20)' if place.dialect == 'mariadb' else ''})")
        for run in ("run-2", "run-3"):
            self.replaced(place, rows(1, 2), run=run)

        assert place.open().open(target_of(ORDERS)).write(rows(2, 3), "x") == Written(1, 0, 1)
        if place.dialect == "sqlite":
            assert place.execute("SELECT 1 FROM sqlite_schema WHERE name = 'by_name'") == [(1,)]
        elif place.dialect == "duckdb":
            assert place.execute("SELECT index_name FROM duckdb_indexes()") == [("by_name",)]
        elif place.dialect == "mariadb":
            assert [row[2] for row in place.execute("SHOW INDEX FROM orders")] == ["PRIMARY", "by_name"]
        else:
            (found,) = place.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'")
            assert found == (2,)

    def test_a_repeated_key_is_updated(self, place: Place):
        """With a key, the last of two batches that name it wins, as in an upsert."""
        self.replaced(place, rows(1, 2), rows(2, name="later"))

        assert [row[1] for row in place.read("orders", ORDERS)] == ["n", "later"]

    def test_a_key_repeated_in_a_batch(self, place: Place):
        """The last row of a key wins inside a batch too, and each row given is counted once."""
        writer = place.open().open(target_of(ORDERS, "replace"))
        frame = frame_of(ORDERS, (1, "a", None), (2, "b", None), (1, "c", None))

        assert writer.write(frame, "1") == Written(2, 1)
        writer.finish("end")
        assert place.read("orders", ORDERS) == [(1, "c", None), (2, "b", None)]

    def test_extra_columns_are_kept(self, place: Place):
        """Columns that only the old table has are there in the new one, without values."""
        self.replaced(place, rows(1))
        place.execute("ALTER TABLE orders ADD COLUMN extra text")
        self.replaced(place, rows(2), run="run-2")

        assert place.execute("SELECT id, extra FROM orders") == [(2, None)]

    def test_shrinking_is_denied(self, place: Place):
        """A table that would shrink by more than is allowed stays, and the numbers are named."""
        self.replaced(place, rows(*range(10)))
        with pytest.raises(Denied, match="from 10 rows to 6; at most 30.0% may go") as caught:
            self.replaced(place, rows(*range(6)), run="run-2", max_shrink=0.3)

        assert caught.value.code == "SYN487"
        assert len(ids(place)) == 10
        self.replaced(place, rows(*range(7)), run="run-3", max_shrink=0.3)
        assert len(ids(place)) == 7

    def test_a_floor_of_anonymity(self, place: Place):
        """Rows that are alike with fewer than so many keep a table from being replaced, wherever they were written;
        letter case makes another value, and NULL is one.
        """
        schema = schema_of({"id": "integer", "zip": "string", "sex": "string"}, "id")

        def replaced(run: str, *people: tuple[str | None, str]) -> None:
            told = target_of(schema, "replace", run, alike=Alike(("zip", "sex"), 2))
            writer = place.open().open(told)
            for number, (code, sex) in enumerate(people):
                writer.write(frame_of(schema, (number, code, sex)), f"{run}/{number}")
            writer.finish(f"{run}/end")

        replaced("run-1", ("941", "f"), (None, "m"), ("941", "f"), (None, "m"))
        rare: dict[str, list[tuple[str | None, str]]] = {
            "run-2": [("941", "f"), ("941", "f"), ("100", "f")],
            "run-3": [("941", "f"), ("941", "F")],
            "run-4": [("941", "f"), ("941", "f"), (None, "m")],
        }
        for run, people in rare.items():
            with pytest.raises(Denied, match="2-anonymous by zip, sex") as caught:
                replaced(run, *people)
            assert caught.value.code == "SYN517"
            assert place.open().count("orders") == 4
        replaced("run-5", ("941", "f"), ("941", "f"))
        assert place.open().count("orders") == 2

    def test_an_aborted_run(self, place: Place):
        """Without an end, the old table stays; a run of another id begins anew."""
        self.replaced(place, rows(1))
        writer = place.open().open(target_of(ORDERS, "replace", "run-2"))
        writer.write(rows(8, 9), "half")
        writer.abort()
        assert ids(place) == [1]

        self.replaced(place, rows(2), run="run-3")
        assert ids(place) == [2]

    def test_a_new_run_takes_the_half_checkpoint_away(self, place: Place):
        """When another run begins anew, the checkpoint of the rows that it dropped is gone with them."""
        place.open().open(target_of(ORDERS, "replace", "run-1")).write(rows(8, 9), "half")
        place.open().open(target_of(ORDERS, "replace", "run-2"))

        assert place.open().checkpoint(FLOW) is None

    def test_two_runs_at_once(self, place: Place):
        """Of two runs that replace one table, the earlier is told at its next write, and mixes nothing in."""
        earlier = place.open().open(target_of(ORDERS, "replace", "run-1"))
        earlier.write(rows(1), "a")
        later = place.open().open(target_of(ORDERS, "replace", "run-2", flow="acme/Sync/other"))
        later.write(rows(2), "b")
        for act in (lambda: earlier.write(rows(3), "c"), lambda: earlier.finish("c")):
            with pytest.raises(Waiting, match="being replaced by acme/Sync/other run-2"):
                act()
        later.finish("end")

        assert ids(place) == [2]

    def test_the_end_repeated(self, place: Place):
        """A run whose end is repeated, as after an unknown outcome, leaves the table as it is."""
        self.replaced(place, rows(1))
        again = place.open().open(target_of(ORDERS, "replace", "run-1"))
        with pytest.raises(Bug, match="already replaced"):
            again.write(rows(2), "x")
        again.finish("run-1/end")

        assert ids(place) == [1]

    def test_gathered_rows_that_are_gone(self, place: Place):
        """If someone drops what a run gathered, the run doesn't go on after its checkpoint: it begins anew."""
        place.open().open(target_of(ORDERS, "replace")).write(rows(8), "half")
        place.execute('DROP TABLE "orders__syncline_new"')
        with pytest.raises(Again, match="begins anew"):
            place.open().open(target_of(ORDERS, "replace"))

        assert place.open().checkpoint(FLOW) is None
        self.replaced(place, rows(1))
        assert ids(place) == [1]


def insisting(work: Callable[[], T]) -> T:
    """What it gives, however often it is to be tried again."""
    while True:
        try:
            return work()
        except Again:
            continue


class TestConcurrency:
    def test_two_flows_on_one_table(self, place: Place):
        """Two flows that upsert the same keys at once, from making the table on, lose no row and no checkpoint."""
        problems: list[BaseException] = []

        def run(flow: str) -> None:
            try:
                destination = insisting(place.open)
                writer = insisting(lambda: destination.open(target_of(ORDERS, flow=flow)))
                for number in range(5):
                    frame = rows(*range(number * 10, number * 10 + 40), name=flow)
                    insisting(partial(writer.write, frame, f"{number}"))
                insisting(lambda: writer.finish("end"))
            except BaseException as problem:
                problems.append(problem)

        threads = [Thread(target=run, args=(f"acme/Sync/{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert problems == []
        assert ids(place) == list(range(80))
        assert {place.open().checkpoint(f"acme/Sync/{n}") for n in range(3)} == {"end"}
