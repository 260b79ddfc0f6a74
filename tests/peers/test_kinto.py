"""Kinto: tokens of pages in a header, `_since`, tombstones."""

from __future__ import annotations

import pytest

from tests.peers.house import Flow, house
from tests.peers.web import ask

FIELDS = (
    "to: id, from: id, required: true",
    "to: title, from: title",
    "to: changed, from: last_modified, type: integer",
)
MARKED = ("to: id, from: id, required: true", "to: title, from: title")
AUTH = "{type: basic, username: syncline, password: {secretRef: {provider: env, key: KINTO_PASSWORD}}}"


@pytest.fixture
def made(tmp_path, kinto, warehouse):
    """A house that reads a collection of its own incrementally, by a field and by the collection's ETag."""
    flows = (Flow("notes", FIELDS, read="incremental"), Flow("marked", MARKED, read="incremental"))
    config = {"url": kinto.url, "bucket": tmp_path.name.replace("_", "-")[-30:]}
    secrets = {"KINTO_PASSWORD": kinto.password}
    made = house(tmp_path, "kinto", config, *flows, auth=AUTH, secrets=secrets, warehouse=warehouse)
    return made, kinto.collection(config["bucket"], "notes")


def test_kinto_gives_pages_of_three_and_keeps_tombstones(kinto):
    """A list names its next page in a header, and a deleted record stays in it as a tombstone."""
    records = kinto.collection("systems", "things")
    for n in range(5):
        kinto.put(records, f"r{n}", n=n)
    kinto.ask("DELETE", f"{records}/r0").ok()

    first = kinto.ask("GET", f"{records}?_sort=last_modified&_since=0")
    rest = ask("GET", first.headers["next-page"], basic=(kinto.user, kinto.password)).ok()

    assert len(first.ok()["data"]) == 3
    assert [row.get("deleted") for row in rest["data"]] == [None, True]


@pytest.mark.parametrize("stream", ["notes", "marked"])
def test_records_come_by_tokens_and_then_only_what_changed(made, kinto, stream):
    """Seven records come over pages named in a header; then only a change, an addition and no tombstone are moved."""
    house, records = made
    for n in range(7):
        kinto.put(records, f"r{n}", title=f"Note {n}")

    first = house.run(stream)
    kinto.put(records, "r3", title="Changed")
    kinto.put(records, "r7", title="New")
    kinto.ask("DELETE", f"{records}/r0").ok()
    second = house.run(stream)
    third = house.run(stream)

    assert (first["read"], first["inserted"]) == (7, 7)
    assert (second["inserted"], second["updated"], second["skipped"]) == (1, 1, 1)
    assert third["inserted"] == third["updated"] == 0
    assert house.rows(f"SELECT count(*), count(DISTINCT id) FROM {stream}") == [(8, 8)]
    assert house.rows(f"SELECT title FROM {stream} WHERE id = 'r3'") == [("Changed",)]
    house.proved()
