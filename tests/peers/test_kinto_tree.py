"""Kinto three deep: records of the collections of buckets, each collection with a cursor of its own."""

from __future__ import annotations

import time

from tests.peers.house import Flow, house
from tests.peers.test_kinto import AUTH

FIELDS = (
    "to: bucket, from: bucket.id",
    "to: collection, from: collection.id",
    "to: id, from: id, required: true",
    "to: title, from: title",
)
KEY = "bucket, collection, id"
#: More than a page has (three), on each level.
MANY = 4


class Tree:
    """Buckets with collections with records, and a house that reads a stream of them."""

    def __init__(self, root, kinto, warehouse, stream):
        self.kinto, self.stream, self.name = kinto, stream, root.name.replace("_", "-")[-30:]
        flow = Flow(stream, FIELDS, key=KEY, read="incremental")
        config = {"url": kinto.url, "buckets": self.name}
        secrets = {"KINTO_PASSWORD": kinto.password}
        self.house = house(
            root, "kinto-tree", config, flow, auth=AUTH, secrets=secrets, quick=True, warehouse=warehouse
        )
        for bucket in range(MANY):
            for collection in range(MANY):
                for record in range(MANY):
                    self.put(bucket, collection, record)

    def put(self, bucket, collection, record, title="", **data):
        """Writes a record, and what it is in if that isn't there."""
        records = f"/buckets/{self.name}-{bucket}/collections/c{collection}/records"
        if self.kinto.ask("GET", records).status != 200:
            self.kinto.collection(f"{self.name}-{bucket}", f"c{collection}")
        self.kinto.put(records, f"r{record}", title=title or f"{bucket}.{collection}.{record}", **data)

    def rows(self):
        """Titles in the table, by what they are in."""
        found = self.house.rows(f"SELECT bucket, collection, id, title FROM {self.stream}")
        return {(bucket.rpartition("-")[2], collection, name): title for bucket, collection, name, title in found}


EVERYTHING = {
    (str(bucket), f"c{collection}", f"r{record}"): f"{bucket}.{collection}.{record}"
    for bucket in range(MANY)
    for collection in range(MANY)
    for record in range(MANY)
}


def test_each_collection_goes_on_from_its_own_cursor(tmp_path, kinto, warehouse):
    """
    A collection whose last record is an hour ahead holds back none of the others: what is written to them now is read, and
    so is all of a collection that is new, in a bucket that is.
    """
    tree = Tree(tmp_path, kinto, warehouse, "entries")
    tree.put(0, 0, 3, "ahead", last_modified=int((time.time() + 3600) * 1000))
    expected = EVERYTHING | {("0", "c0", "r3"): "ahead"}

    first = tree.house.run("entries")
    assert (first["read"], tree.rows()) == (MANY**3, expected)

    tree.put(3, 3, 0, "changed")
    tree.put(2, 1, MANY, "new")
    tree.put(MANY, 0, 0, "in a new bucket")
    second = tree.house.run("entries")
    third = tree.house.run("entries")

    new = {("3", "c3", "r0"): "changed", ("2", "c1", "r4"): "new", ("4", "c0", "r0"): "in a new bucket"}
    assert tree.rows() == expected | new
    assert (second["inserted"], second["updated"], second["read"]) == (2, 1, 3)
    assert third["read"] == 0
    tree.house.proved()


def test_only_collections_that_changed_are_read(tmp_path, kinto, warehouse):
    """With `changed`, the children of a collection are read when Kinto says that the collection itself has changed."""
    tree = Tree(tmp_path, kinto, warehouse, "reviewed")
    first = tree.house.run("reviewed")

    tree.put(1, 1, 0, "read")
    tree.put(2, 2, 0, "left")
    kinto.ask("PATCH", f"/buckets/{tree.name}-1/collections/c1", {"data": {"title": "looked through"}}).ok()
    second = tree.house.run("reviewed")

    assert first["read"] == MANY**3
    assert second["read"] == MANY
    assert tree.rows() == EVERYTHING | {("1", "c1", "r0"): "read"}
