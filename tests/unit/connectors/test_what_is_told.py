"""What errors of connectors tell where they are kept: nothing that a file, an API or a database said of records."""

from __future__ import annotations

import sqlite3

import pytest

from syncline.connectors.rest.reading.chunk import Chunks
from syncline.connectors.sql.mariadb import errors as mariadb_errors
from syncline.connectors.sql.sqlite import database as sqlite
from syncline.model.errors import SynclineError
from syncline.model.schema import STRING, Field, Schema
from syncline.sdk.formats.xml_document import xml_document
from syncline.sdk.paging import ByCursor, Pager, Seen
from tests.contract.file_places import source

ADA = "ada@example.com"


def damaged_xml(_root):
    xml_document(f"<a>{ADA}".encode())


def damaged_json_file(root):
    (root / "a.json").write_text(f'[{{"id": "{ADA}"')
    list(source(root, "a.json", Schema((Field("id", STRING),))).read(None))


def other_records_in_a_chunk(_root):
    chunks = Chunks((("a",), ("b",)), "query.fields", "email")
    chunks.together([[b'{"email": "%b"}' % ADA.encode()], []])


def pages_in_a_circle(_root):
    pager = Pager(ByCursor("query.after"))
    for digest in "ab":
        pager.after(pager.first(), Seen(1, digest, "http://a/", ADA))


def trigger_of_mariadb(_root):
    raise mariadb_errors.translated(1644, f"{ADA} is blocked")


def trigger_of_sqlite(_root):
    with sqlite3.connect(":memory:") as file, sqlite.errors():
        file.execute("CREATE TABLE people (email TEXT)")
        file.execute(f"CREATE TRIGGER no BEFORE INSERT ON people BEGIN SELECT RAISE(ABORT, '{ADA} is blocked'); END")
        file.execute("INSERT INTO people VALUES ('x')")


@pytest.mark.parametrize(
    "refused",
    [
        damaged_xml,
        damaged_json_file,
        other_records_in_a_chunk,
        pages_in_a_circle,
        trigger_of_mariadb,
        trigger_of_sqlite,
    ],
)
def test_values_are_shown_and_not_kept(tmp_path, refused):
    """Who looks sees them; state, log and notifications, in which nobody is searched for, have `…`."""
    with pytest.raises(SynclineError) as caught:
        refused(tmp_path)
    assert ADA in caught.value.message.replace("\\", "")
    assert ADA not in caught.value.told
    assert "…" in caught.value.told
