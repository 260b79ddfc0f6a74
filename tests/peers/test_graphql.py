"""GraphQL by a declared connector against PostGraphile: connections, exact values, errors with status 200."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from syncline.model.errors import Invalid
from syncline.sdk.clock import SystemClock
from tests.rest_streams import instance, read, rows, source

# PostGraphile's cursors hold keys as JavaScript numbers: past 2^53 they point to a neighbour, so these stay below.
SQL = """
CREATE TABLE account (id bigint PRIMARY KEY, name text NOT NULL, balance numeric NOT NULL, opened timestamptz NOT NULL);
INSERT INTO account
SELECT 9007199254740000 + n, 'Konto ' || n || ' "ä"', n * 0.1 + 12345678901234567890.1, '2026-01-05T08:00:00Z'::timestamptz
FROM generate_series(0, 24) n;
"""
STREAM = """
streams:
  accounts:
    post: ""
    graphql:
      query: |
        query Accounts($first: Int, $after: Cursor, $only: AccountCondition) {
          allAccounts(first: $first, after: $after, condition: $only, orderBy: PRIMARY_KEY_ASC) {
            nodes { id name balance opened }
            pageInfo { hasNextPage endCursor }
          }
        }
      variables: {first: "{{ config.page }}", only: {}}
      connection: data.allAccounts
    key: [id]
    schema:
      properties: {id: {type: string}, name: {type: string}, balance: {type: string}, opened: {type: string}}
"""


def opened(url, text=STREAM, **config):
    made = instance(text.replace('post: ""', "post: /graphql"), url=url.removesuffix("/graphql"), config=config)
    return source(made, "accounts", clock=SystemClock())


def test_a_connection_is_read_to_its_end(postgraphile):
    """All nodes of a connection come, each once and in order, with the digits of bigint and numeric, however it pages."""
    with postgraphile(SQL) as system:
        pages = {size: read(opened(system.url, page=size)) for size in (3, 25, 100)}
    for batches in pages.values():
        found = rows(batches)
        assert [int(row["id"]) for row in found] == [9007199254740000 + n for n in range(25)]
        assert [Decimal(row["balance"]) for row in found] == [
            Decimal("12345678901234567890.1") + n * Decimal("0.1") for n in range(25)
        ]
        assert found[3]["name"] == 'Konto 3 "ä"'


def test_reading_goes_on_from_every_batch(postgraphile):
    """From the position of any batch, exactly the rest comes."""
    with postgraphile(SQL) as system:
        made = instance(
            STREAM.replace('post: ""', "post: /graphql"), url=system.url.removesuffix("/graphql"), config={"page": 5}
        )
        batches = read(source(made, "accounts", clock=SystemClock(), batch_rows=5))
        whole = [row["id"] for row in rows(batches)]
        assert len(batches) > 3
        for number, batch in enumerate(batches):
            rest = read(source(made, "accounts", clock=SystemClock()), json.loads(json.dumps(batch.position)))
            before = [row["id"] for row in rows(batches[: number + 1])]
            assert before + [row["id"] for row in rows(rest)] == whole


def test_variables_are_values(postgraphile):
    """What a setting holds goes in as a variable, so that no quote in it changes the query."""
    with postgraphile(SQL) as system:
        text = STREAM.replace("only: {}", 'only: {name: "{{ config.name }}"}')
        [found] = rows(read(opened(system.url, text, page=10, name='Konto 7 "ä"')))
        assert int(found["id"]) == 9007199254740007
        assert rows(read(opened(system.url, text, page=10, name='x"}) { id } #'))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("balance opened", "balanse"), "balanse"),
        (("hasNextPage endCursor", "__typename"), "doesn't say whether there is another page"),
        (("orderBy: PRIMARY_KEY_ASC", "orderBy: NOPE"), "NOPE"),
    ],
)
def test_errors_of_the_server_are_errors(postgraphile, change, words):
    """What the server finds wrong with a query ends the read with its words, whatever status it answers with."""
    with postgraphile(SQL) as system, pytest.raises(Invalid) as caught:
        read(opened(system.url, STREAM.replace(*change), page=3))
    assert caught.value.code in {"SYN494", "SYN405"}
    assert words in caught.value.message


def test_an_error_of_one_field_is_no_partial_page(postgraphile):
    """A field that fails comes as null beside errors, with status 200: refused, unless `partial: accept` is declared."""
    sql = (
        SQL
        + """
    CREATE FUNCTION account_risk(a account) RETURNS int AS $$
      SELECT 1 / (CASE WHEN a.id = 9007199254740002 THEN 0 ELSE 1 END) $$ LANGUAGE sql STABLE;
    """
    )
    text = STREAM.replace("balance opened", "balance opened risk").replace(
        "opened: {type: string}", "risk: {type: integer}"
    )
    with postgraphile(sql) as system:
        with pytest.raises(Invalid) as caught:
            read(opened(system.url, text, page=5))
        whole = system.query("{ allAccounts(first: 5) { nodes { id risk } } }")
    assert caught.value.code == "SYN494"
    assert "division by zero" in caught.value.message
    assert whole["errors"]


def test_the_fields_of_a_connection_are_asked_for_in_chunks(postgraphile):
    """
    One and two fields at a time, with those of an object that is connected, and one beside them that has an alias: the
    records are those of one document.
    """
    sql = (
        SQL
        + """
CREATE TABLE booking (id int PRIMARY KEY, title text, sum numeric, account_id bigint REFERENCES account);
INSERT INTO booking SELECT n, 'Buchung ' || n, n + 0.5, 9007199254740000 + n FROM generate_series(0, 6) n;
"""
    )
    text = """
streams:
  accounts:
    post: /graphql
    graphql:
      query: |
        query Bookings($after: Cursor) {
          allBookings(first: 3, after: $after, orderBy: PRIMARY_KEY_ASC) {
            nodes { SELECTED }
            pageInfo { hasNextPage endCursor }
          }
        }
      connection: data.allBookings
    CHUNK
    key: [id]
    schema:
      properties:
        id: {type: integer}
        title: {type: string}
        sum: {type: string}
        named: {type: string}
        accountByAccountId: {type: object, properties: {id: {type: string}, name: {type: string}}}
"""
    plain = text.replace("SELECTED", "id title sum named: title accountByAccountId { id name }").replace("CHUNK", "")
    with postgraphile(sql) as system:
        whole = rows(read(opened(system.url, plain)))
        for fields in (2, 3):
            chunk = f"chunk: {{fields: {fields}, into: graphql.query, by: id}}"
            chunked = text.replace("SELECTED", "named: title ...chunk").replace("CHUNK", chunk)
            assert rows(read(opened(system.url, chunked))) == whole
    assert len(whole) == 7
    assert whole[6]["named"] == "Buchung 6"
    assert whole[6]["accountByAccountId"]["name"] == 'Konto 6 "ä"'
