"""Imports of what changed: a file that was read is not read again while it has the same content."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.model.key import ObjectKey
from tests.repository import CUSTOMERS, edited, write

KEY = ObjectKey.parse("acme/Import/customers")


def texts(how: str = "write: upsert") -> dict[str, str]:
    return edited("import.yaml", "write: upsert", f"read: changed, {how}")


def put(root, name, *rows):
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / name).write_text("id,name,email\n" + "".join(f"{row}\n" for row in rows))


def run(settings):
    return workflow.run(settings, KEY, progress=Silent()).receipt


def stored(root):
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        return connection.execute("SELECT id, name FROM customers ORDER BY id, rowid").fetchall()


@pytest.mark.parametrize("how", ["write: upsert", "write: append", "validate: before-commit, write: upsert"])
def test_unchanged_files_are_not_read_again(tmp_path, how):
    """Nothing is read or written, the receipt says so, and a guard on what a run comes to has nothing to say."""
    settings = write(tmp_path, texts(f"{how}, guards: {{minRows: 2, control: {{records: 2}}}}"))
    put(tmp_path, "customers-1.csv", "1,Ada,", "2,Bo,")
    workflow.apply(settings)
    assert run(settings).counts.written == 2
    os.utime(tmp_path / "data" / "customers-1.csv")

    assert workflow.rehearse(settings, KEY, progress=Silent()).refused == ""
    for _ in range(2):
        again = run(settings)
        assert (again.counts.read, again.counts.written, again.batches) == (0, 0, 0)
        assert again.notes == ("no file has changed since the run before: nothing was read",)
    assert stored(tmp_path) == [(1, "Ada"), (2, "Bo")]


def test_what_changed_is_read(tmp_path):
    """A new file, one with other content, and of one that grew what was added."""
    settings = write(tmp_path, texts())
    for n in (1, 2, 3):
        put(tmp_path, f"customers-{n}.csv", f"{n},Ada,", f"{n}0,Bo,")
    workflow.apply(settings)
    run(settings)
    put(tmp_path, "customers-1.csv", "1,Eve,", "10,Bo,")
    put(tmp_path, "customers-3.csv", "3,Ada,", "30,Bo,", "300,Cy,")
    put(tmp_path, "customers-4.csv", "4,Di,")

    counts = run(settings).counts
    assert (counts.read, counts.inserted, counts.updated, counts.unchanged) == (4, 2, 1, 1)
    assert [name for _, name in stored(tmp_path)] == ["Eve", "Ada", "Ada", "Di", "Bo", "Bo", "Bo", "Cy"]


def test_another_mapping_has_everything_be_read(tmp_path):
    """Rows that are there get the new mapping's values, as if the files were new; after that they are read."""
    settings = write(tmp_path, texts())
    put(tmp_path, "customers-1.csv", "1,Ada,")
    workflow.apply(settings)
    run(settings)
    shouting = texts() | {"mapping.yaml": edited("mapping.yaml", "from: name}", "from: upper(name)}")["mapping.yaml"]}
    workflow.apply(write(tmp_path, shouting))

    assert run(settings).counts.updated == 1
    assert stored(tmp_path) == [(1, "ADA")]
    assert run(settings).counts.read == 0


def test_everything_on_request(tmp_path):
    """`--full-refresh` reads all files."""
    settings = write(tmp_path, texts())
    put(tmp_path, "customers-1.csv", "1,Ada,")
    workflow.apply(settings)
    run(settings)

    assert workflow.run(settings, KEY, progress=Silent(), full_refresh=True).receipt.counts.unchanged == 1


def test_a_replaced_table_would_keep_only_what_changed():
    """So that is refused."""
    made = resolve([m for f, t in texts("write: replace").items() for m in load_text(t, f).manifests])
    assert [d.code for d in made.diagnostics] == ["SYN231"]
    assert CUSTOMERS
