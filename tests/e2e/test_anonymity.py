"""Floors of k-anonymity and bounds of volume: what exceeds them isn't written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from tests.repository import edited, write

if TYPE_CHECKING:
    from syncline.settings import Settings

FLOW = ObjectKey("acme", "Import", "customers")
#: A host of so long a name that 60,000 records are more than a batch.
LONG = f"{'x' * 60}.{'y' * 60}.example.com"
FLOOR = "validate: before-commit, guards: {anonymity: {fields: [name, zip], k: 3}}"
MAPPING = edited(
    "mapping.yaml",
    "- {to: name, from: name}",
    "- {to: name, from: name}\n  - {to: zip, from: zip, protect: {generalize: {prefix: 3}}}",
)


def home(root: Path, guards: str, zips: list[str]) -> Settings:
    """An import with these guards of people who differ in their ZIP codes only."""
    settings = write(root, edited("import.yaml", "write: upsert", f"write: upsert, {guards}", MAPPING))
    (root / "data").mkdir()
    rows = [f"{n},Anna,c{n}@{LONG},{zip_}" for n, zip_ in enumerate(zips)]
    (root / "data" / "customers.csv").write_text("\n".join(["id,name,email,zip", *rows]) + "\n")
    return settings


def ran(settings: Settings) -> int:
    """Rows that a run wrote."""
    workflow.apply(settings, workflow.plan(settings))
    return workflow.run(settings, FLOW, progress=Silent()).receipt.counts.written


def written(root: Path) -> int:
    with closing(sqlite3.connect(root / "warehouse.db")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'customers'").fetchall()
        return database.execute("SELECT count(*) FROM customers").fetchone()[0] if tables else 0


def test_rows_that_are_alike_are_written(tmp_path: Path) -> None:
    """Groups are made of values as they are written: generalised ones are alike where the originals aren't."""
    assert ran(home(tmp_path, FLOOR, ["94110", "94111", "94112"] * 2)) == 6


def test_rows_that_stand_out_keep_an_import_from_writing(tmp_path: Path) -> None:
    """Two rows in a group are too few for k = 3; nothing is written, and it isn't said who they are."""
    settings = home(tmp_path, FLOOR, ["94110", "94111", "94112", "10001", "10002"])
    with pytest.raises(Denied) as caught:
        ran(settings)

    assert caught.value.code == "SYN517"
    assert "3-anonymous by name, zip: 2 rows are alike with fewer than 3 in 1 groups" in caught.value.message
    assert "100" not in caught.value.message
    assert written(tmp_path) == 0


def test_groups_are_counted_over_all_batches(tmp_path: Path) -> None:
    """What is rare in a batch isn't where another batch has more of it, and the other way round."""
    far = ["94110", *["10001"] * 60_000, "94111", "94112"]

    assert ran(home(tmp_path / "alike", FLOOR, far)) == len(far)
    with pytest.raises(Denied, match="2 rows are alike"):
        ran(home(tmp_path / "rare", FLOOR, far[:-1]))


def twice(root: Path, more: list[tuple[int, str]]) -> Settings:
    """An import with a floor, of two people of one area and far more of another, then these: in another batch."""
    settings = home(root, FLOOR, ["94110"] * 2 + ["10001"] * 60_000)
    with (root / "data" / "customers.csv").open("a") as file:
        file.writelines(f"{n},Anna,c{n}@{LONG},{zip_}\n" for n, zip_ in more)
    return settings


def test_a_person_who_comes_in_two_batches_counts_once(tmp_path: Path) -> None:
    """Three records of two people are two rows; with a third person they are three."""
    with pytest.raises(Denied, match="2 rows are alike"):
        ran(twice(tmp_path / "same", [(0, "94110")]))

    assert written(tmp_path / "same") == 0
    assert ran(twice(tmp_path / "another", [(0, "94110"), (90_000, "94110")]))
    assert written(tmp_path / "another") == 60_003


def test_a_person_who_moved_between_batches_makes_no_group_larger(tmp_path: Path) -> None:
    """Of three who were alike one comes again with another area: two are left there."""
    settings = twice(tmp_path, [(90_000, "94110"), (0, "10002")])
    with pytest.raises(Denied, match="2 rows are alike"):
        ran(settings)

    assert written(tmp_path) == 0


REPLACE = "write: replace, guards: {anonymity: {fields: [name, zip], k: 3}}"


def replacing(root: Path, zips: list[str], *, kind: str = "Sync", ids: list[int] | None = None) -> Settings:
    """A flow that replaces a table, with a floor."""
    texts = edited("import.yaml", "write: upsert", REPLACE, MAPPING)
    texts = edited("import.yaml", "kind: Import", f"kind: {kind}", texts)
    settings = write(root, texts)
    (root / "data").mkdir(exist_ok=True)
    rows = [f"{n},Anna,c{n}@example.com,{zip_}" for n, zip_ in zip(ids or range(len(zips)), zips, strict=True)]
    (root / "data" / "customers.csv").write_text("\n".join(["id,name,email,zip", *rows]) + "\n")
    return settings


def moved(settings: Settings, kind: str = "Sync") -> int:
    workflow.apply(settings, workflow.plan(settings))
    return workflow.run(settings, ObjectKey("acme", kind, "customers"), progress=Silent()).receipt.counts.written


def test_what_is_alike_replaces_a_table(tmp_path: Path) -> None:
    """A Sync may have a floor too, where all rows are gathered before they take the place of the old ones."""
    assert moved(replacing(tmp_path, ["94110", "94111", "94112"] * 2)) == 6


def test_the_table_that_was_to_be_replaced_stays(tmp_path: Path) -> None:
    """After a refusal the old rows are there, whole."""
    moved(replacing(tmp_path, ["94110"] * 6))
    with pytest.raises(Denied):
        moved(replacing(tmp_path, ["94110"] * 7 + ["10001"]))

    assert written(tmp_path) == 6


def test_a_person_who_comes_twice_counts_once(tmp_path: Path) -> None:
    """The rows of the table are counted, not the records that were read: two of one key are one row."""
    settings = replacing(tmp_path, ["94110"] * 4, ids=[1, 1, 1, 2])

    with pytest.raises(Denied, match="2 rows are alike"):
        moved(settings)


def test_an_import_that_replaces_is_held_to_it_without_a_first_pass(tmp_path: Path) -> None:
    """The swap is where it is decided, for imports as well."""
    with pytest.raises(Denied, match="1 rows are alike"):
        moved(replacing(tmp_path, ["94110"] * 3 + ["10001"], kind="Import"), "Import")

    assert written(tmp_path) == 0


def test_a_run_that_goes_on_after_a_kill_counts_what_it_wrote_before(tmp_path: Path, monkeypatch) -> None:
    """What was gathered before an interruption is in the table that is counted: no group is too small for want of it."""
    from syncline.connectors.sql.writer import SqlWriter

    settings = replacing(tmp_path, ["94110", "94111", "10001", "10002", "10003"])
    more = "id,name,email,zip\n9,Anna,c9@example.com,94112\n"
    (tmp_path / "data" / "customers2.csv").write_text(more)
    workflow.apply(settings, workflow.plan(settings))
    inner, calls = SqlWriter.write_rendered, [0]

    def stops(self, rendered, checkpoint):
        calls[0] += 1
        if calls[0] == 2:
            raise OSError("cut")
        return inner(self, rendered, checkpoint)

    monkeypatch.setattr(SqlWriter, "write_rendered", stops)
    with pytest.raises(OSError, match="cut"):
        workflow.run(settings, ObjectKey("acme", "Sync", "customers"), progress=Silent())

    monkeypatch.undo()
    assert calls[0] == 2
    assert moved(settings) == 6
    assert written(tmp_path) == 6


def test_rejects_are_not_added_to_what_is_held_to_a_floor(tmp_path: Path) -> None:
    """A retry would write a few rows that could be told apart: it is refused, and says what to do."""
    settings = replacing(tmp_path, ["94110"] * 4)
    text = (tmp_path / "data" / "customers.csv").read_text().replace("c3@example.com", "none")
    (tmp_path / "data" / "customers.csv").write_text(text)
    moved(settings)
    run = workflow.runs(settings, ObjectKey("acme", "Sync", "customers"), 1)[0]

    with pytest.raises(Denied) as caught:
        workflow.retry(settings, run.id, progress=Silent())

    assert caught.value.code == "SYN870"
    assert written(tmp_path) == 3


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ("guards: {anonymity: {fields: [name], k: 3}}", "how many rows are alike is known only once all are there"),
        (FLOOR.replace("zip", "zipp"), "writes no field 'zipp'"),
        (REPLACE.replace("replace", "upsert").removeprefix("write: upsert, "), "this writes some before the others"),
    ],
)
def test_a_floor_that_cannot_be_held_is_a_finding(tmp_path: Path, guards: str, said: str) -> None:
    """It needs all rows to be there before one is written, and fields that are written."""
    (found,) = workflow.validate(home(tmp_path, guards, [])).diagnostics

    assert found.code == "SYN517"
    assert said in found.message


def test_a_run_writes_no_more_rows_than_it_may(tmp_path: Path) -> None:
    """As many as the bound are fine; one more is not committed."""
    assert ran(home(tmp_path / "fits", "guards: {maxRows: 3}", ["1"] * 3)) == 3
    with pytest.raises(Denied) as caught:
        ran(home(tmp_path / "more", "guards: {maxRows: 3}", ["1"] * 4))

    assert caught.value.code == "SYN518"
    assert written(tmp_path / "more") == 0


def test_rules_see_the_floor(tmp_path: Path) -> None:
    """A policy may demand a floor for a purpose."""
    settings = home(tmp_path, FLOOR.replace("k: 3", "k: 4") + ", use: {purpose: research}", [])
    (tmp_path / "policy.yaml").write_text(
        "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: house, tenant: acme}\nspec:\n  rules:\n"
        "  - {name: k, on: flow, deny: flow.purpose == 'research' && flow.k < 5, message: Five are alike.}\n"
    )

    assert {d.code for d in workflow.validate(settings).diagnostics} == {"SYN510"}
    assert not workflow.validate(home(tmp_path / "none", "guards: {}", [])).diagnostics
