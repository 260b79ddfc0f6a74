"""Batches that are sent to PostgreSQL before their turn: nobody sees them earlier, and what comes of them is the same."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import psycopg
import pytest
from msgspec.structs import replace

from syncline.connectors.sql.straight import WORTHWHILE
from syncline.model.errors import Again, Denied
from syncline.sdk.destination import Fence, Written
from syncline.sdk.reversal import Keeping, Undoing, Undone
from tests.contract.sql_places import FLOW, Place, postgres_place, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.connectors.sql.writer import SqlWriter
    from syncline.sdk.destination import Rendered

ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")
MANY = 2 * WORTHWHILE

#: Transactions of ours that wait for their turn with rows.
_OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'syncline' AND datname = current_database() AND state = 'idle in transaction' AND backend_xid IS NOT NULL
"""


@pytest.fixture
def server(postgres_url: str, tmp_path: Path) -> Iterator[Place]:
    """A schema of its own on the server."""
    place = postgres_place(postgres_url, tmp_path)
    yield place
    place.close()


def opened(place: Place, ahead: int = 2) -> SqlWriter:
    return place.open().open(target_of(ORDERS, ahead=ahead))


def numbered(first: int, name: str = "n") -> pl.DataFrame:
    """`MANY` rows with keys from `first` on."""
    total = pl.lit(Decimal("1.00")).cast(pl.Decimal(14, 2)).alias("total")
    return pl.select(pl.int_range(first, first + MANY, dtype=pl.Int64).alias("id"), pl.lit(name).alias("name"), total)


def foreseen(writer: SqlWriter, *frames: pl.DataFrame) -> list[Rendered]:
    """Batches that the writer has heard of."""
    made = [writer.render(frame) for frame in frames]
    for rendered in made:
        writer.foresee(rendered)
    return made


def waiting(place: Place, count: int) -> bool:
    """Whether so many transactions with rows of ours come to be waiting for their turn."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if place.execute(_OPEN)[0][0] == count:
            return True
        time.sleep(0.02)
    return False


def names(place: Place) -> list[tuple]:
    return place.execute("SELECT name, count(*) FROM orders GROUP BY name ORDER BY name")


def test_nothing_is_seen_before_its_turn(server: Place):
    """Two batches are at the server at once; each is there with its checkpoint once it is written, and not before."""
    writer = opened(server)
    first, second = foreseen(writer, numbered(0, "a"), numbered(MANY, "b"))
    assert waiting(server, 2)
    assert names(server) == []

    assert writer.write_rendered(first, "1") == Written(MANY)
    assert names(server) == [("a", MANY)]
    assert server.open().checkpoint(FLOW) == "1"
    assert writer.write_rendered(second, "2") == Written(MANY)
    assert names(server) == [("a", MANY), ("b", MANY)]
    assert server.open().checkpoint(FLOW) == "2"


def test_a_key_of_a_batch_that_is_under_way(server: Place):
    """A batch that has one is written in its turn, as is one that meets that batch: the last value of a key stays."""
    writer = opened(server, 3)
    made = foreseen(writer, numbered(0, "a"), numbered(MANY - 10, "b"), numbered(2 * MANY - 20, "c"))
    assert waiting(server, 1)

    written = [writer.write_rendered(rendered, str(n)) for n, rendered in enumerate(made)]

    assert written == [Written(MANY), Written(MANY - 10, 10), Written(MANY - 10, 10)]
    assert names(server) == [("a", MANY - 10), ("b", MANY - 10), ("c", MANY)]


def test_into_a_table_with_rows(server: Place):
    """What is inserted, updated and unchanged is counted as if one came after the other."""
    writer = opened(server)
    for n, rendered in enumerate(foreseen(writer, numbered(0, "a"), numbered(MANY, "b"))):
        writer.write_rendered(rendered, str(n))

    writer = opened(server)
    made = foreseen(writer, numbered(0, "a"), numbered(MANY, "c"), numbered(2 * MANY, "d"))

    written = [writer.write_rendered(rendered, str(n)) for n, rendered in enumerate(made)]
    assert written == [Written(0, 0, MANY), Written(0, MANY), Written(MANY)]


@pytest.mark.parametrize(
    "other",
    [
        "CREATE UNIQUE INDEX other ON orders (name)",
        "ALTER TABLE orders ADD COLUMN above bigint REFERENCES orders (id)",
        "CREATE RULE other AS ON DELETE TO orders DO NOTHING",
        "ALTER TABLE orders ADD EXCLUDE USING btree (name WITH =)",
    ],
)
def test_rows_that_have_to_do_with_each_other(server: Place, other: str):
    """In a table where a row may depend on another one, each batch is written in its turn."""
    server.open().open(target_of(ORDERS))
    server.execute(other)
    writer = opened(server)
    (rendered,) = foreseen(writer, numbered(0).with_columns(name=pl.col("id").cast(pl.String)))
    time.sleep(0.2)

    assert server.execute(_OPEN) == [(0,)]
    assert writer.write_rendered(rendered, "1") == Written(MANY)


def test_a_connection_that_is_lost(server: Place):
    """What was sent over it is sent again in its turn, as is everything after it; so a slow turn costs no run."""
    writer = opened(server)
    made = foreseen(writer, numbered(0, "a"), numbered(MANY, "b"))
    assert waiting(server, 2)
    server.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'syncline'"
        " AND datname = current_database() AND backend_xid IS NOT NULL"
    )

    assert [writer.write_rendered(rendered, str(n)) for n, rendered in enumerate(made)] == [Written(MANY)] * 2
    assert server.open().checkpoint(FLOW) == "1"
    assert names(server) == [("a", MANY), ("b", MANY)]


def test_what_cannot_be_sent_ahead(server: Place):
    """A batch that the server refuses before its turn is tried again in its turn, and then says what is the matter."""
    server.open().open(target_of(ORDERS))
    server.execute("ALTER TABLE orders ADD CONSTRAINT cheap CHECK (total < 2)")
    writer = opened(server)
    dear = numbered(MANY).with_columns(total=pl.lit(Decimal("9.00")).cast(pl.Decimal(14, 2)))
    first, second, third = foreseen(writer, numbered(0, "a"), dear, numbered(2 * MANY, "c"))

    assert writer.write_rendered(first, "1") == Written(MANY)
    with pytest.raises(Exception, match="'cheap'"):
        writer.write_rendered(second, "2")
    server.execute("ALTER TABLE orders DROP CONSTRAINT cheap")
    assert writer.write_rendered(third, "3") == Written(MANY)
    assert names(server) == [("a", MANY), ("c", MANY)]


def test_what_is_sent_ahead_is_undone_to_the_row(server: Place):
    """Batches whose rows are kept are sent early too; the run is taken back as if one had come after the other."""
    keeping = Keeping(60.0, lambda data, _: data)
    before = opened(server)
    before.write(numbered(0, "before"), "0")
    rows = server.execute("SELECT * FROM orders ORDER BY id")

    destination = server.open()
    writer = destination.open(replace(target_of(ORDERS, run="run-2", ahead=3), keeping=keeping))
    # The second changes rows of before, the third meets the first: that one is written in its turn.
    frames = (numbered(MANY, "a"), numbered(0, "b"), numbered(MANY + 100, "c"))
    made = foreseen(writer, *frames)
    assert waiting(server, 2)
    found = [writer.write_rendered(rendered, str(number)) for number, rendered in enumerate(made, 1)]
    assert found == [Written(MANY), Written(0, MANY), Written(100, MANY - 100)]
    kept = destination.kept("run-2")
    assert kept is not None
    assert (kept.inserted, kept.updated, kept.batches) == (MANY + 100, 2 * MANY - 100, 3)

    undoing = Undoing(FLOW, "run-2", 3, "run-3", lambda data, _: data, lambda _: "undone", lambda _: None)
    assert destination.undo(undoing) == Undone(deleted=MANY + 100, restored=2 * MANY - 100)
    assert server.execute("SELECT * FROM orders ORDER BY id") == rows
    assert destination.checkpoint(FLOW) == "undone"


def test_giving_up(server: Place):
    """What was sent before its turn is gone when the run ends before it comes."""
    writer = opened(server)
    foreseen(writer, numbered(0, "a"), numbered(MANY, "b"))
    assert waiting(server, 2)

    writer.abort()

    assert waiting(server, 0)
    assert names(server) == []


def test_a_run_that_was_followed(server: Place):
    """Nothing that it sent ahead is committed once another run has taken the flow."""
    destination = server.open()
    destination.fence(FLOW, Fence("state", 1))
    writer = destination.open(target_of(ORDERS, ahead=2))
    (rendered,) = foreseen(writer, numbered(0, "a"))
    assert waiting(server, 1)
    server.open().fence(FLOW, Fence("state", 2))

    with pytest.raises(Denied) as caught:
        writer.write_rendered(rendered, "1")

    assert caught.value.code == "SYN680"
    assert names(server) == []


def test_what_waits_is_cut_off(server: Place):
    """A run without patience left is not held up by what it sent ahead, which waits for another one's lock."""
    server.open().open(target_of(ORDERS))
    destination = server.open()
    writer = destination.open(target_of(ORDERS, ahead=2))
    options = f"-c search_path={server.instance.config['schema']}"
    with psycopg.connect(server.url, options=options, **server.login) as other, ThreadPoolExecutor(1) as pool:
        other.execute("LOCK TABLE orders")
        (rendered,) = foreseen(writer, numbered(0))
        writing = pool.submit(writer.write_rendered, rendered, "1")
        blocked = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE NOT granted AND relname = 'orders'"
        while not server.execute(blocked)[0][0]:
            time.sleep(0.02)
        destination.cut()

        with pytest.raises(Again):
            writing.result(timeout=30)
    assert names(server) == []
