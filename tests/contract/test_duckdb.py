"""What only DuckDB has: a file that one process has at a time, and its own ways to fail."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from syncline.connectors.sql.duckdb import database as duckdb
from syncline.connectors.sql.opening import open_reading
from syncline.connectors.sql.runtime import check
from syncline.model.errors import Again, Invalid, Stalled
from tests import warm
from tests.contract.sql_places import FLOW, Place, duckdb_place, frame_of, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")
ROW = frame_of(ORDERS, (1, "secret-value", Decimal(1)))

HOLDER = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Place]:
    """A database file that isn't there yet."""
    place = duckdb_place(tmp_path)
    yield place
    place.close()


def test_another_process_has_the_file(file: Place, monkeypatch: pytest.MonkeyPatch):
    """Who finds the file in use waits for it, and then tries again later; once it is given up, it goes on."""
    file.open().open(target_of(ORDERS)).write(ROW, "1")
    file.opened.pop().close()
    monkeypatch.setattr(duckdb, "_BUSY", 0.3)
    with warm.Popen([sys.executable, "-c", HOLDER, str(file.file)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(Again, match="another process") as caught:
            file.open()
        other.kill()

    assert caught.value.code == "SYN488"
    assert file.open().checkpoint(FLOW) == "1"


def test_what_is_no_database(file: Place):
    """A file of something else needs a person, and stays as it is."""
    file.file.parent.mkdir()
    file.file.write_text("id,name\n" * 2000)
    with pytest.raises(Stalled) as caught:
        check(file.instance)

    assert caught.value.code == "SYN490"
    assert file.file.read_text().startswith("id,name")


def test_a_path_with_lock_in_its_name(file: Place, monkeypatch: pytest.MonkeyPatch):
    """Only the library's own word for a file in use is waited for, whatever the file is called."""
    monkeypatch.setattr(duckdb, "_BUSY", 0.3)
    (file.file.parent / "blocks.duckdb").mkdir(parents=True)
    with pytest.raises(Stalled) as caught:
        check(replace(file.instance, config={"path": "data/blocks.duckdb", "engine": "duckdb"}))

    assert caught.value.code == "SYN482"


def test_files_beside_the_database(file: Place, tmp_path: Path):
    """A query reads no other file of the machine and writes none, and can't allow it to itself."""
    file.open().open(target_of(ORDERS)).write(ROW, "1")
    (tmp_path / "secret.txt").write_text("geheim")
    reading = open_reading(file.instance)
    try:
        for statement in (
            f"SELECT content FROM read_text('{tmp_path}/secret.txt')",
            f"COPY orders TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/other.duckdb'",
            "SET enable_external_access = true",
        ):
            with pytest.raises((Stalled, Invalid)) as caught:
                reading.fetch(statement, ())
            assert "geheim" not in str(caught.value)
    finally:
        reading.close()

    assert {path.name for path in tmp_path.iterdir()} == {"secret.txt", "data"}


def test_a_file_that_is_not_there_yet(file: Place):
    """A check makes nothing; the first run makes a file that nobody else can read."""
    assert "not there yet" in check(file.instance).place
    assert not file.file.exists()
    file.open().open(target_of(ORDERS)).write(ROW, "1")

    assert file.file.stat().st_mode & 0o777 == 0o600
    assert check(file.instance).system.startswith("DuckDB ")


def test_a_constraint_of_the_table(file: Place):
    """Rows that another unique index refuses are an error without a value, and change nothing."""
    file.open().open(target_of(ORDERS)).write(ROW, "1")
    file.execute("CREATE UNIQUE INDEX by_name ON orders (name)")
    with pytest.raises(Invalid) as caught:
        file.open().open(target_of(ORDERS)).write(frame_of(ORDERS, (2, "secret-value", None)), "2")

    assert caught.value.code == "SYN486"
    assert "secret-value" not in str(caught.value)
    assert (len(file.read("orders", ORDERS)), file.open().checkpoint(FLOW)) == (1, "1")
