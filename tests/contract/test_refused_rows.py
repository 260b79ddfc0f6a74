"""Rows that a table refuses although it can hold their values: each is named, and the others are written."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from syncline.model.errors import Invalid
from syncline.sdk.destination import BLAMED, Removal, Sifting, Written
from syncline.sdk.offers import offers
from tests.contract.sql_places import Place, frame_of, postgres_place, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.connectors.sql.writer import SqlWriter
    from syncline.sdk.destination import Refusal

PEOPLE = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)", "boss": "integer"}, "id")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A schema of its own at a PostgreSQL server."""
    made = postgres_place(request.getfixturevalue("postgres_url"), tmp_path)
    yield made
    made.close()


def made(place: Place, *more: str, columns: str = "") -> None:
    """A table of a person's own, with what stands against rows."""
    place.execute(f"CREATE SCHEMA {place.instance.config['schema']}")
    place.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name text, total numeric(14,2), boss bigint"
        f"{columns}{''.join(f', {one}' for one in more)})"
    )


def people(*rows: tuple) -> pl.DataFrame:
    """Rows of an id, a name, a total and a boss, of which the last may be left out."""
    return frame_of(PEOPLE, *((i, name, Decimal(total), *(boss or (None,))) for i, name, total, *boss in rows))


def opened(place: Place, mode: str = "upsert", **more: object) -> SqlWriter:
    return place.open().open(target_of(PEOPLE, mode, **more))  # type: ignore[arg-type]


def written_without(writer: SqlWriter, frame: pl.DataFrame, checkpoint: str = "1") -> tuple[list[Refusal], Written]:
    """What is refused of a frame that isn't written as a whole, and what became of the rest."""
    with pytest.raises(Invalid) as error:
        writer.write(frame, checkpoint)
    assert error.value.code in BLAMED
    assert offers(writer, Sifting)
    assert writer.sifts
    refused = writer.sift(frame, None, None)
    assert refused
    gone = {refusal.row for refusal in refused}
    return refused, writer.write(frame[[n for n in range(frame.height) if n not in gone]], checkpoint)


def ids(place: Place) -> list[int]:
    return [row[0] for row in place.read("orders", PEOPLE)]


@pytest.mark.parametrize(
    ("rule", "bad", "column", "message"),
    [
        ("CONSTRAINT positive CHECK (total > 0)", (3, "c", "-1.00"), "total", "breaks the check 'positive' (total)"),
        (
            "CONSTRAINT sound CHECK (total > 0 OR name = 'x')",
            (3, "c", "-1.00"),
            "",
            "breaks the check 'sound' (total, name)",
        ),
        ("CHECK (name IS NOT NULL)", (3, None, "1.00"), "name", "breaks the check 'orders_name_check' (name)"),
        ("CONSTRAINT once UNIQUE (name)", (3, "a", "1.00"), "name", "breaks the unique key 'once' (name)"),
        (
            "CONSTRAINT once UNIQUE (name) DEFERRABLE INITIALLY DEFERRED",
            (3, "a", "1.00"),
            "name",
            "breaks the unique key 'once' (name)",
        ),
        (
            "CONSTRAINT known FOREIGN KEY (boss) REFERENCES bosses",
            (3, "c", "1.00", 9),
            "boss",
            "breaks the foreign key 'known' (boss)",
        ),
        (
            "CONSTRAINT known FOREIGN KEY (boss) REFERENCES bosses DEFERRABLE INITIALLY DEFERRED",
            (3, "c", "1.00", 9),
            "boss",
            "breaks the foreign key 'known' (boss)",
        ),
        (
            "CONSTRAINT apart EXCLUDE USING btree (name WITH =)",
            (3, "a", "1.00"),
            "name",
            "breaks the exclusion 'apart' (name)",
        ),
    ],
    ids=["check", "check of two", "check of null", "unique", "unique later", "reference", "reference later", "exclude"],
)
@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_row_that_breaks_a_constraint_is_named(place: Place, mode, rule, bad, column, message):
    """The row, the constraint and its column are told, without a value; every other row is there, with the checkpoint."""
    place.execute(f"CREATE SCHEMA {place.instance.config['schema']}")
    place.execute("CREATE TABLE bosses (id bigint PRIMARY KEY)")
    place.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name text, total numeric(14,2), boss bigint, " + rule + ")"
    )
    writer = opened(place, mode)
    rows = [(1, "a", "1.00"), (2, "b", "1.00"), bad, (4, "d", "1.00"), (5, "e", "1.00")]
    refused, written = written_without(writer, people(*rows))
    assert [(r.row, r.column, r.message) for r in refused] == [(2, column, message)]
    assert written == Written(4)
    assert ids(place) == [1, 2, 4, 5]
    assert place.open().checkpoint("acme/Sync/orders") == "1"
