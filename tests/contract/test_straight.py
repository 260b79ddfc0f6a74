"""PostgreSQL's rows of a first load go straight into the table, as long as their keys are new there."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import polars as pl
import pytest

from syncline.connectors.sql.destination import SqlDestination
from syncline.connectors.sql.opening import open_database
from syncline.connectors.sql.straight import WORTHWHILE
from syncline.model.secret import Secret
from syncline.sdk.destination import Written
from syncline.sdk.reversal import Keeping
from syncline.sdk.source import Credentials
from tests.contract.sql_places import Place, postgres_place, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")

#: Merging updates as a statement, even where it updates no row; copying doesn't.
_WATCH = """
CREATE TABLE merges (n integer);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO {schema}.merges VALUES (1); RETURN NULL; END';
CREATE TRIGGER note AFTER UPDATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION note();
"""


@pytest.fixture
def server(postgres_url: str, tmp_path: Path) -> Iterator[Place]:
    """A schema of its own on the server, with an empty table that counts the merges into it."""
    place = postgres_place(postgres_url, tmp_path)
    place.open().open(target_of(ORDERS))
    place.execute(_WATCH.format(schema=place.instance.config["schema"]))
    yield place
    place.close()


def numbered(first: int, count: int = WORTHWHILE, name: str = "n") -> pl.DataFrame:
    """So many rows with keys from `first` on."""
    total = pl.lit(Decimal("1.00")).cast(pl.Decimal(14, 2)).alias("total")
    return pl.select(pl.int_range(first, first + count, dtype=pl.Int64).alias("id"), pl.lit(name).alias("name"), total)


def merges(place: Place) -> int:
    return place.execute("SELECT count(*) FROM merges")[0][0]


def stored(place: Place) -> pl.DataFrame:
    rows = place.execute("SELECT id, name, total FROM orders ORDER BY id")
    return pl.DataFrame(rows, schema=numbered(0).schema, orient="row")


def test_into_an_empty_table(server: Place):
    """Batches of new keys are inserted without a merge, and counted."""
    writer = server.open().open(target_of(ORDERS))
    written = [writer.write(numbered(n * WORTHWHILE), str(n)) for n in range(3)]

    assert written == [Written(WORTHWHILE)] * 3
    assert merges(server) == 0
    assert stored(server).equals(numbered(0, 3 * WORTHWHILE))


def test_a_key_that_is_there(server: Place):
    """The batch that has one is merged, as are those after it; counts are exact, the last value of a key stays."""
    writer = server.open().open(target_of(ORDERS))
    writer.write(numbered(0), "1")

    assert writer.write(numbered(WORTHWHILE - 10, name="later"), "2") == Written(WORTHWHILE - 10, 10)
    assert writer.write(numbered(3 * WORTHWHILE), "3") == Written(WORTHWHILE)
    assert merges(server) == 2
    assert stored(server)["name"].value_counts(sort=True).rows() == [("n", 2 * WORTHWHILE - 10), ("later", WORTHWHILE)]


def test_a_table_with_rows(server: Place):
    """Into a table that has rows, the first batch is merged; once all of one were new, those after it are copied."""
    writer = server.open().open(target_of(ORDERS))
    writer.write(numbered(-1, 1), "0")
    writer = server.open().open(target_of(ORDERS))
    before = merges(server)

    assert [writer.write(numbered(n * WORTHWHILE), str(n)) for n in range(3)] == [Written(WORTHWHILE)] * 3
    assert merges(server) == before + 1


def test_a_table_that_takes_no_copy(server: Place):
    """Where row security applies to the user, which COPY refuses, rows are merged from the first batch on."""
    role, schema = f"role_{uuid4().hex[:8]}", server.instance.config["schema"]
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        server.execute(f"GRANT ALL ON SCHEMA {schema} TO {role}")
        server.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}")
        server.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
        server.execute("CREATE POLICY everything ON orders USING (true)")
        login = Credentials("basic", {"username": role}, {"password": Secret("x")})
        destination = SqlDestination(open_database(replace(server.instance, credentials=login)))
        writer = destination.open(target_of(ORDERS))

        assert writer.write(numbered(0), "1") == Written(WORTHWHILE)
        assert merges(server) == 1
        destination.close()
    finally:
        server.execute(f"DROP OWNED BY {role}")
        server.execute(f"DROP ROLE {role}")


def test_new_rows_that_can_be_undone_go_straight_as_well(server):
    """What came of them is looked at in the table, where a merge would have told it; a key that is there ends it."""
    keeping = Keeping(60.0, lambda data, _about: data)
    writer = server.open().open(target_of(ORDERS, keeping=keeping))
    written = [writer.write(numbered(n * WORTHWHILE), str(n)) for n in range(2)]
    assert written == [Written(WORTHWHILE)] * 2
    assert merges(server) == 0
    assert writer.write(numbered(WORTHWHILE + 10, name="later"), "2") == Written(10, WORTHWHILE - 10)
    assert merges(server) == 1
    assert server.open().kept("run-1").inserted == 2 * WORTHWHILE + 10
