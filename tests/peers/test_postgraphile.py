"""PostGraphile: GraphQL with connections and cursors."""

from __future__ import annotations


def test_postgraphile_pages_by_cursor(postgraphile):
    """A connection has cursors and a total."""
    with postgraphile("CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1), (2), (3)") as system:
        found = system.query("{ allThings(first: 2) { totalCount pageInfo { endCursor hasNextPage } nodes { id } } }")

    assert found["data"]["allThings"]["totalCount"] == 3
    assert found["data"]["allThings"]["pageInfo"]["hasNextPage"] is True
