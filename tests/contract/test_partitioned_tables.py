"""Rows are merged by key into a table of PostgreSQL that is divided into partitions, as into any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from syncline.sdk.destination import Written
from syncline.sdk.reversal import Keeping
from tests.contract.sql_places import Place, postgres_place, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORDERS = schema_of({"id": "integer", "name": "string"}, "id")

_PARTED = """
CREATE TABLE orders (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF orders FOR VALUES FROM (0) TO (10);
CREATE TABLE high PARTITION OF orders FOR VALUES FROM (10) TO (20);
"""
#: Leaves out a row, in one partition alone.
_PICKY = """
CREATE FUNCTION pick() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN IF NEW.name = ''no'' THEN RETURN NULL; END IF; RETURN NEW; END';
CREATE TRIGGER pick BEFORE INSERT ON high FOR EACH ROW EXECUTE FUNCTION pick();
"""


@pytest.fixture
def server(postgres_url: str, tmp_path: Path) -> Iterator[Place]:
    """A schema of its own on the server, with a table in two partitions."""
    place = postgres_place(postgres_url, tmp_path)
    place.open().open(target_of(ORDERS, stream="others"))
    place.execute(_PARTED)
    yield place
    place.close()


def named(rows: dict[int, str]) -> pl.DataFrame:
    return pl.DataFrame({"id": list(rows), "name": list(rows.values())})


def stored(place: Place) -> dict[int, str]:
    return dict(place.execute("SELECT id, name FROM orders ORDER BY id"))


@pytest.mark.parametrize("keeping", [None, Keeping(60.0, lambda data, _about: data)], ids=["plain", "undone"])
def test_new_and_changed_rows_are_counted(server: Place, keeping: Keeping | None):
    """What is new, changed and the same is told apart, also where it is kept so that it can be undone."""
    writer = server.open().open(target_of(ORDERS, keeping=keeping))
    assert writer.write(named({1: "a", 11: "b", 12: "c"}), "1") == Written(3)
    assert writer.write(named({1: "a", 11: "B", 13: "d"}), "2") == Written(1, 1, 1)
    assert stored(server) == {1: "a", 11: "B", 12: "c", 13: "d"}


def test_what_a_trigger_of_a_partition_leaves_out_is_counted(server: Place):
    """A row that isn't there afterwards isn't counted as the same."""
    server.execute(_PICKY)
    writer = server.open().open(target_of(ORDERS))
    assert writer.write(named({2: "a", 14: "no", 15: "b"}), "1") == Written(2, left_out=1)
    assert stored(server) == {2: "a", 15: "b"}
