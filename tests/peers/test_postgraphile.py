"""PostGraphile: GraphQL with connections and cursors."""

from __future__ import annotations

from tests.peers.house import Flow, house

TABLES = """
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE ticket (id int PRIMARY KEY, title text, hours numeric(8, 2), person_id int REFERENCES person);
INSERT INTO person VALUES (1, 'Ada'), (2, 'Grace');
INSERT INTO ticket SELECT n, 'Ticket ' || n, n + 0.25, 1 + n % 2 FROM generate_series(1, 7) n;
"""
FIELDS = (
    "to: id, from: id, type: integer, required: true",
    "to: title, from: title",
    'to: hours, from: hours, type: "decimal(8,2)"',
    "to: person, from: personByPersonId.name",
)


def test_postgraphile_pages_by_cursor(postgraphile):
    """A connection has cursors and a total."""
    with postgraphile("CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1), (2), (3)") as system:
        found = system.query("{ allThings(first: 2) { totalCount pageInfo { endCursor hasNextPage } nodes { id } } }")

    assert found["data"]["allThings"]["totalCount"] == 3
    assert found["data"]["allThings"]["pageInfo"]["hasNextPage"] is True


def test_a_connection_is_read_to_its_end(tmp_path, postgraphile, warehouse):
    """Seven nodes come over pages of two, with a field of the object that they are connected to and exact decimals."""
    with postgraphile(TABLES) as system:
        url = system.url.removesuffix("/graphql")
        made = house(tmp_path, "postgraphile", {"url": url}, Flow("tickets", FIELDS), warehouse=warehouse)
        counts = made.run("tickets")

    assert (counts["read"], counts["inserted"]) == (7, 7)
    found = made.rows("SELECT title, CAST(hours AS text), person FROM tickets WHERE id = 7")
    assert found == [("Ticket 7", "7.25", "Grace")]
    made.proved()


def test_an_error_of_graphql_ends_the_run(tmp_path, postgraphile):
    """A query that the schema doesn't allow fails the run with the server's message."""
    with postgraphile(TABLES) as system:
        url = system.url.removesuffix("/graphql")
        made = house(tmp_path, "postgraphile", {"url": url}, Flow("wrong", FIELDS[:1]))

        assert "nothing" in made.fails("wrong")
    made.proved()
