"""What only the SQLite store promises: its file, its modes, what it refuses to touch."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from syncline.model.errors import Again, Bug, Invalid, Stalled
from syncline.model.key import ObjectKey
from syncline.state import database, schema
from syncline.state.empty import EmptyState
from syncline.state.open import open_reader, open_store

KEY = ObjectKey("acme", "Sync", "orders")


def _open_files() -> list[str]:
    """The files that this process has open, as far as the system tells."""
    return [os.path.realpath(one) for one in Path("/proc/self/fd").glob("*")]


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_new_files_are_private(tmp_path):
    """The folder gets mode 700 and the database, its log and its index mode 600, whatever the umask."""
    path = tmp_path / "repository" / ".syncline" / "state.db"
    umask = os.umask(0)
    try:
        store = open_store(_url(path))
        store.put_cursor(KEY, "1")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert {file.name for file in path.parent.iterdir()} == {"state.db", "state.db-wal", "state.db-shm"}
    store.close()


def test_reader_of_nothing_makes_nothing(tmp_path):
    """A reader of a state that doesn't exist is an empty state, and no file or folder appears."""
    reader = open_reader(_url(tmp_path / ".syncline" / "state.db"))
    assert isinstance(reader, EmptyState)
    assert (reader.lineage, reader.serial(), reader.objects(), reader.unfinished_apply()) == ("", 0, (), ())
    assert list(tmp_path.iterdir()) == []


def test_reader_of_an_empty_file_is_empty(tmp_path):
    """A file that a store was killed in making reads as an empty state."""
    path = tmp_path / "state.db"
    path.touch()
    assert open_reader(_url(path)).objects() == ()
    assert path.stat().st_size == 0


def test_reader_cannot_write(tmp_path):
    """The database itself refuses a change through a reader's connections."""
    open_store(_url(tmp_path / "state.db")).close()
    reader_database = database.open_sqlite_reader(tmp_path / "state.db")
    with pytest.raises(Stalled, match="readonly"), reader_database.write() as connection:
        connection.exec_driver_sql("DELETE FROM meta")
    reader_database.close()


def test_state_in_a_folder_without_write_permission_can_be_read(tmp_path, monkeypatch):
    """A complete state is readable where its folder isn't writable, as on a read-only checkout."""
    path = tmp_path / "state.db"
    store = open_store(_url(path))
    store.put_cursor(KEY, "7")
    store.close()
    # The tests may run as root, for whom nothing is unwritable.
    monkeypatch.setattr("os.access", lambda *_: False)
    reader = open_reader(_url(path))
    assert reader.cursor(KEY) == "7"
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]
    reader.close()


def test_relative_path_stays_what_it_was(tmp_path, monkeypatch):
    """A store opened by a relative path keeps its file when the process changes its folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    store = open_store("sqlite:///state.db")
    store.close()  # forgets its connections; the next call makes a new one
    monkeypatch.chdir(tmp_path / "b")
    store.put_cursor(KEY, "1")
    assert list((tmp_path / "b").iterdir()) == []
    store.close()


def test_foreign_database_is_refused_untouched(tmp_path):
    """A SQLite file with somebody else's tables is refused, and not a byte of it changes."""
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE objects (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Stalled, match="something else") as caught:
        open_store(_url(path))
    assert caught.value.code == "SYN614"
    assert path.read_bytes() == before


@pytest.mark.parametrize("opener", [open_store, open_reader])
def test_damaged_file_is_refused(tmp_path, opener):
    """A file that is no database gives one clear error."""
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(Stalled, match="file is not a database") as caught:
        opener(_url(path))
    assert caught.value.code == "SYN614"


@pytest.mark.parametrize("opener", [open_store, open_reader])
def test_damaged_file_is_closed(tmp_path, opener):
    """Who refuses a file that is no database has closed it by then, and leaves nothing of it to the garbage collector."""
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(Stalled):
        opener(_url(path))
    assert str(path) not in _open_files()


@pytest.mark.parametrize(("opener", "code"), [(open_store, "SYN612"), (open_reader, "SYN612")], ids=["store", "reader"])
def test_newer_state_is_refused_untouched(tmp_path, opener, code):
    """A state of a version that this program doesn't know is refused, and keeps every row."""
    path = tmp_path / "state.db"
    store = open_store(_url(path))
    store.put_cursor(KEY, "7")
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(Stalled, match="9999.*doesn't know") as caught:
        opener(_url(path))
    assert caught.value.code == code
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT checkpoint FROM cursors").fetchall() == [("7",)]
    connection.close()


def test_reader_does_not_migrate(tmp_path, monkeypatch):
    """A reader of an older state says who brings it up to date, instead of doing it."""
    path = tmp_path / "state.db"
    open_store(_url(path)).close()
    was = schema.HEAD
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))
    monkeypatch.setattr(schema, "HEAD", "9999")
    with pytest.raises(Stalled, match=f"version {was}, and this program reads 9999") as caught:
        open_reader(_url(path))
    assert caught.value.code == "SYN613"


def test_full_disk_loses_nothing(tmp_path):
    """A full disk refuses the write, keeps what was there readable, and is forgotten once there is space."""
    store = open_store(_url(tmp_path / "state.db"))
    store.put_cursor(KEY, "before")
    with store._database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(Stalled, match="full") as caught:
        store.put_cursor(KEY, "x" * 1_000_000)
    assert (caught.value.code, caught.value.help) == ("SYN614", "Free some space.")
    assert store.cursor(KEY) == "before"
    with store._database.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    store.put_cursor(KEY, "after")
    assert store.cursor(KEY) == "after"
    store.close()


def test_who_comes_when_all_connections_are_lent_waits_for_one(tmp_path):
    """Many more threads than connections, some of which fail: each has its turn, and none waits for longer than that."""
    store = open_store(_url(tmp_path / "state.db"))

    def look(number: int) -> bool:
        with contextlib.suppress(KeyError), store._database.read() as connection:
            time.sleep(0.02)
            if number % 5 == 0:
                raise KeyError(number)
            return connection.exec_driver_sql("SELECT 1").scalar() == 1
        return number % 5 == 0

    began = time.monotonic()
    with ThreadPoolExecutor(4 * database.MOST) as pool:
        assert all(pool.map(look, range(8 * database.MOST)))
    assert time.monotonic() - began < database.BUSY_SECONDS / 2
    store.close()


def test_busy_database_is_again(tmp_path, monkeypatch):
    """A database that another program keeps locked is worth another try, and says that it is busy."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    path = tmp_path / "state.db"
    store = open_store(_url(path))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Again, match="locked") as caught:
        store.put_cursor(KEY, "1")
    assert caught.value.code == "SYN615"
    other.close()
    store.put_cursor(KEY, "1")
    store.close()


def test_first_opening_waits_for_another(tmp_path, monkeypatch):
    """A file that another process is just about to set up is waited for, although SQLite itself gives up at once."""
    path = tmp_path / "state.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.executescript("CREATE TABLE t (x); DROP TABLE t; BEGIN IMMEDIATE")
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        other.rollback()

    monkeypatch.setattr("time.sleep", sleep)
    open_store(_url(path)).close()
    assert slept == [0.01]
    other.close()


def test_durable_commits_are_synced(tmp_path):
    """The same connection syncs the log for durable transactions only."""
    store = open_store(_url(tmp_path / "state.db"))
    for durable, level in ((False, 1), (True, 2), (False, 1)):
        with store._database.write(durable=durable) as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == level
    store.close()


def test_foreign_keys_hold(tmp_path):
    """Rejects of a run that was never recorded are a defect of the caller."""
    store = open_store(_url(tmp_path / "state.db"))
    with pytest.raises(Bug, match="FOREIGN KEY"):
        store.log("20261125T181500-nobody", "info", "hello")
    store.close()


@pytest.mark.parametrize(
    ("url", "kwargs"),
    [
        ("sqlite://", {}),
        ("sqlite:///", {}),
        ("sqlite:///:memory:", {}),
        ("mysql://root:canary@db/state", {}),
        ("state.db", {}),
        ("postgresql://user:canary@host/db", {"schema": 'x"; DROP TABLE y'}),
        ("postgresql://user:canary@host/db", {"schema": ""}),
    ],
)
@pytest.mark.parametrize("opener", [open_store, open_reader])
def test_other_urls_are_invalid(url, kwargs, opener):
    """A URL or schema of neither database is the user's mistake, and no message shows the password in it."""
    with pytest.raises(Invalid) as caught:
        opener(url, **kwargs)
    assert caught.value.code == "SYN617"
    assert "canary" not in caught.value.message


def test_alembic_is_not_imported_for_a_state_up_to_date(tmp_path):
    """A start with a current state loads no Alembic, and one without state no SQLAlchemy either."""
    code = (
        "import sys; from syncline.state.open import open_reader, open_store\n"
        "url = sys.argv[1]\n"
        "open_reader(url + '.missing'); assert 'sqlalchemy' not in sys.modules\n"
        "open_store(url).close(); assert 'sqlalchemy' in sys.modules; assert 'alembic' not in sys.modules\n"
    )
    path = tmp_path / "state.db"
    open_store(_url(path)).close()
    subprocess.run([sys.executable, "-c", code, _url(path)], check=True)


def test_start_is_quick(tmp_path):
    """Opening a current state is less work than making one: no migration is looked at (best of five)."""
    made: list[float] = []
    opened: list[float] = []
    open_store(_url(tmp_path / "first.db")).close()  # loads the libraries
    for number in range(5):
        for taken in (made, opened):
            begin = time.process_time()
            store = open_store(_url(tmp_path / f"{number}.db"))
            taken.append(time.process_time() - begin)
            store.close()
    assert min(opened) < min(made) / 2
