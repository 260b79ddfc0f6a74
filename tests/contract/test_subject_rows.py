"""Finding and deleting the rows of one person, at every destination that can be searched."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest

from syncline.connectors.file.destination import FileDestination
from syncline.connectors.sql.settings import SqliteSettings
from syncline.connectors.sql.sqlite import compacting as sqlite_compacting
from syncline.connectors.sql.sqlite import database as sqlite
from syncline.connectors.sql.sqlite.database import SqliteDatabase
from syncline.model.errors import Denied, Invalid
from syncline.sdk.destination import Fence
from syncline.sdk.offers import offers
from syncline.sdk.subject_rows import SubjectRows
from tests.contract import file_places
from tests.contract.sql_places import DIALECTS, FLOW, frame_of, place_of, schema_of, sqlite_place, target_of

PEOPLE = schema_of({"id": "integer", "email": "string", "score": "decimal(9,2)"}, "id")
ROWS = ((1, "ada@example.com", "1.10"), (2, None, None), (3, "bob@example.com", "2.20"), (4, "ada@example.com", ""))


def frame(*rows):
    return frame_of(PEOPLE, *[(n, email, score or None) for n, email, score in rows])


@pytest.fixture(params=DIALECTS)
def place(request, tmp_path):
    """A database of each kind."""
    found = place_of(request.param, request, tmp_path)
    yield found
    found.close()


class TestDatabases:
    def test_rows_are_found_and_deleted_by_value(self, place):
        """Rows with the value go, with whatever other columns there are; nulls and other rows stay."""
        destination = place.open()
        assert offers(place.open(), SubjectRows)
        assert destination.find("orders", "email", "ada@example.com") == []
        assert not destination.has("orders")
        destination.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
        assert destination.has("orders")
        place.execute(f"ALTER TABLE {'orders'} ADD COLUMN note text")
        found = destination.find("orders", "email", "ada@example.com")
        assert sorted(row["id"] for row in found) == [1, 4]
        assert set(found[0]) == {"id", "email", "score", "note"}
        assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 2
        assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 0
        assert destination.erase(FLOW, "orders", "id", 2) == 1
        assert [row["id"] for row in destination.find("orders", "email", "bob@example.com")] == [3]
        assert destination.checkpoint(FLOW) == "c1"

    def test_a_table_without_the_column_is_told(self, place):
        """Rows of which nobody can say whose they are aren't taken for rows of others; a table without rows has nobody's."""
        destination = place.open()
        destination.open(target_of(PEOPLE))
        assert destination.find("orders", "mail", "ada@example.com") == []
        destination.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
        for ask in (destination.find, partial(destination.erase, FLOW)):
            with pytest.raises(Invalid, match="no column 'mail'") as error:
                ask("orders", "mail", "ada@example.com")
            assert error.value.code == "SYN855"

    def test_a_replacement_under_way_loses_them_too(self, place):
        """What a killed run had gathered for the table's place would bring the person back."""
        destination = place.open()
        destination.open(target_of(PEOPLE, mode="replace")).write(frame(*ROWS), "c1")
        assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 2
        destination.open(target_of(PEOPLE, mode="replace")).finish("c2")
        assert destination.find("orders", "email", "ada@example.com") == []
        assert len(destination.find("orders", "email", "bob@example.com")) == 1

    def test_a_run_that_was_followed_deletes_nothing(self, place):
        """With an older token the delete is refused, and rows stay."""
        first, second = place.open(), place.open()
        first.fence(FLOW, Fence("l", 1))
        first.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
        second.fence(FLOW, Fence("l", 2))
        with pytest.raises(Denied):
            first.erase(FLOW, "orders", "email", "ada@example.com")
        assert len(second.find("orders", "email", "ada@example.com")) == 2

    def test_nothing_of_them_is_in_the_file_of_sqlite(self, tmp_path):
        """What was deleted is overwritten in the file, and not in the log beside it, while the database is open."""
        place = sqlite_place(tmp_path)
        destination = place.open()
        destination.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
        destination.erase(FLOW, "orders", "email", "ada@example.com")
        assert not [path for path in place.file.parent.iterdir() if b"ada@example.com" in path.read_bytes()]
        assert b"bob@example.com" in place.file.read_bytes()
        place.close()

    def test_a_look_makes_nothing(self, tmp_path, place):
        """Where a file is missing, nobody is found, nothing is known, and no file is made by looking; a write makes it."""
        before, target = sorted(tmp_path.rglob("*")), target_of(PEOPLE)
        destination = place.open()
        destination.fence(FLOW, Fence("l", 1))
        assert destination.checkpoint(FLOW) is None
        assert destination.find("orders", "email", "ada@example.com") == []
        assert not destination.has("orders")
        assert not destination.owner("orders").there
        assert [found.change for found in destination.observe(target).differences] == ["gone"]
        assert not destination.drop("orders", FLOW)
        assert destination.expire(datetime.now(UTC)) == 0
        destination.leave("orders", FLOW)
        destination.close()
        assert sorted(tmp_path.rglob("*")) == before
        destination = place.open()
        destination.fence(FLOW, Fence("l", 1))
        destination.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
        assert len(place.open().find("orders", "email", "ada@example.com")) == 2

    def test_what_another_makes_meanwhile_is_written_to(self, place):
        """Two that looked while a file was missing write to one."""
        first, second = place.open(), place.open()
        assert not first.has("orders")
        assert not second.has("orders")
        first.open(target_of(PEOPLE)).write(frame(*ROWS[:2]), "c1")
        second.open(target_of(PEOPLE)).write(frame(*ROWS[2:]), "c2")
        assert len(place.read("orders", PEOPLE)) == 4


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
class TestFiles:
    def test_parts_are_written_again_without_them(self, tmp_path, form):
        """Other rows of a part keep every character, a part with nothing else goes, and the checkpoint stays."""
        destination = file_places.destination(tmp_path, format=form)
        assert isinstance(destination, FileDestination)
        assert isinstance(destination, SubjectRows)
        assert destination.find("orders", "email", "ada@example.com") == []
        assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 0
        assert not destination.has("orders")
        writer = destination.open(target_of(PEOPLE, mode="append"))
        writer.write(frame(*ROWS), "c1")
        writer.write(frame(ROWS[0]), "c2")
        before = file_places.parts(tmp_path, "orders")
        assert len(destination.find("orders", "email", "ada@example.com")) == 3
        assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 3
        assert destination.find("orders", "email", "ada@example.com") == []
        kept = file_places.rows(tmp_path, "orders", PEOPLE).to_dicts()
        assert [(row["id"], row["email"]) for row in kept] == [(2, None), (3, "bob@example.com")]
        assert not any(path.exists() for path in before)
        assert len(file_places.parts(tmp_path, "orders")) == 1
        assert destination.checkpoint(FLOW) == "c2"
        assert destination.erase(FLOW, "orders", "email", "bob@example.com") == 1
        assert destination.erase(FLOW, "orders", "id", 2) == 1
        assert destination.has("orders")  # a list of no parts
        destination.open(target_of(PEOPLE, mode="append")).write(frame(ROWS[2]), "c3")
        assert file_places.rows(tmp_path, "orders", PEOPLE).height == 1

    def test_a_folder_without_the_column_is_told(self, tmp_path, form):
        """Rows of which nobody can say whose they are aren't taken for rows of others; numbers are told apart by digits."""
        destination = file_places.destination(tmp_path, format=form)
        assert isinstance(destination, FileDestination)
        destination.open(target_of(PEOPLE, mode="append")).write(frame(*ROWS), "c1")
        for ask in (destination.find, partial(destination.erase, FLOW)):
            with pytest.raises(Invalid, match="no column 'mail'") as error:
                ask("orders", "mail", "ada@example.com")
            assert error.value.code == "SYN855"
        if form != "jsonl":
            assert destination.find("orders", "id", "no number") == []

    def test_a_replacement_under_way_loses_them_too(self, tmp_path, form):
        """Parts that wait for the swap are looked through as well."""
        destination = file_places.destination(tmp_path, format=form)
        assert isinstance(destination, FileDestination)
        destination.open(target_of(PEOPLE, mode="replace")).write(frame(*ROWS), "c1")
        assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 2
        destination.open(target_of(PEOPLE, mode="replace")).finish("c2")
        assert file_places.rows(tmp_path, "orders", PEOPLE)["id"].to_list() == [2, 3]


def test_a_csv_that_somebody_changed_is_left_alone(tmp_path):
    """A part that isn't as it was written can't be written again exactly, so it is told instead."""
    destination = file_places.destination(tmp_path, format="csv")
    assert isinstance(destination, FileDestination)
    destination.open(target_of(PEOPLE, mode="append")).write(frame(*ROWS), "c1")
    (path,) = file_places.parts(tmp_path, "orders")
    path.write_text(path.read_text().replace("bob@example.com", '"bob@example.com"'))
    with pytest.raises(Invalid, match="isn't as it was written"):
        destination.erase(FLOW, "orders", "email", "ada@example.com")
    assert len(list(csv.reader(path.read_text().splitlines()))) == 5


def test_a_look_at_files_makes_no_folder(tmp_path):
    """Where the folder is missing, nobody is found, nothing is known, and no folder is made by looking."""
    destination = file_places.destination(tmp_path / "missing", format="csv")
    assert isinstance(destination, FileDestination)
    before, target = sorted(tmp_path.rglob("*")), target_of(PEOPLE, mode="append")
    assert destination.checkpoint(FLOW) is None
    assert destination.find("orders", "email", "ada@example.com") == []
    assert not destination.has("orders")
    assert [found.change for found in destination.observe(target).differences] == ["gone"]
    assert destination.expire(datetime.now(UTC)) == 0
    assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 0
    assert sorted(tmp_path.rglob("*")) == before
    destination.open(target).write(frame(*ROWS), "c1")
    assert len(destination.find("orders", "email", "ada@example.com")) == 2


def _former(path):
    """Leaves rows in free pages and free room of a file of SQLite, as builds of it do that overwrite nothing."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA secure_delete = OFF")
        file.execute("CREATE TABLE former (id INTEGER PRIMARY KEY, email TEXT)")
        file.executemany("INSERT INTO former (email) VALUES (?)", [(f"ada-{n}@example.com",) for n in range(1000)])
        file.execute("DROP TABLE former")
        file.execute("UPDATE orders SET email = 'x' WHERE email = 'bob@example.com'")
        file.commit()


def test_nothing_of_former_rows_is_left_in_a_file_of_sqlite(tmp_path):
    """A replaced table's pages and the former versions of rows are gone from the file and the log, others stay."""
    place = sqlite_place(tmp_path)
    destination = place.open()
    destination.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
    path = next(tmp_path.rglob("*.db"))
    _former(path)
    assert b"ada-7@" in b"".join(p.read_bytes() for p in tmp_path.rglob("*.db*"))
    destination.erase(FLOW, "orders", "email", "ada@example.com")
    assert destination.remains() == ""
    left = b"".join(p.read_bytes() for p in tmp_path.rglob("*.db*"))
    assert (b"ada" in left, b"bob@" in left) == (False, False)
    assert [row["id"] for row in destination.find("orders", "email", "x")] == [3]
    place.close()


@pytest.mark.parametrize("why", ["numbered", "indexed", "read", "large"])
def test_what_may_be_left_in_a_file_of_sqlite_is_said(tmp_path, monkeypatch, why):
    """
    A file isn't made anew that is large, that is read meanwhile, or that has a table whose rows go by number: the person
    is gone, and what may be left is told.
    """
    place = sqlite_place(tmp_path)
    destination = place.open()
    destination.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
    monkeypatch.setattr(sqlite, "_BUSY", 0.1)
    if why == "large":
        monkeypatch.setattr(sqlite_compacting, "MOST", 1)
    with closing(sqlite3.connect(next(tmp_path.rglob("*.db")), isolation_level=None)) as file:
        if why == "numbered":
            file.execute("CREATE TABLE theirs (note TEXT)")
            file.execute("INSERT INTO theirs (rowid, note) VALUES (7, 'seven')")
        if why == "indexed":
            file.execute("CREATE VIRTUAL TABLE words USING fts5(email, content='orders')")
        if why == "read":
            file.execute("BEGIN")
            file.execute("SELECT * FROM orders").fetchall()
        destination = place.open()
        assert destination.erase(FLOW, "orders", "email", "ada@example.com") == 2
        assert destination.remains() == sqlite_compacting.STAYS
        if why == "numbered":
            assert file.execute("SELECT rowid FROM theirs").fetchall() == [(7,)]
    place.close()


def test_overwriting_is_left_as_it_was(tmp_path):
    """Where SQLite overwrites everything that is deleted, it goes on after somebody was erased."""
    database = SqliteDatabase(SqliteSettings(path=tmp_path / "a.db"))
    with database.transaction():
        database.prepare()
    for kept in (0, 1, 2):
        database.execute(f"PRAGMA secure_delete = {('OFF', 'ON', 'FAST')[kept]}")
        with database.wiping():
            assert database.execute("PRAGMA secure_delete") == [(1,)]
        assert database.execute("PRAGMA secure_delete") == [(kept,)]
    database.close()


def test_what_stays_elsewhere_is_said(place):
    """A file of DuckDB and a server keep deleted rows for a time."""
    destination = place.open()
    destination.open(target_of(PEOPLE)).write(frame(*ROWS), "c1")
    destination.erase(FLOW, "orders", "email", "ada@example.com")
    said = destination.remains()
    assert ("until DuckDB writes them anew" in said or "until its vacuum or purge" in said) != (said == "")
