"""Kinto: tokens of pages in a header, `_since`, tombstones."""

from __future__ import annotations

from tests.peers.web import ask


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
