"""Floors of k-anonymity and bounds of volume: what exceeds them isn't written."""

from __future__ import annotations

import sqlite3
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
    rows = [f"{n},Anna,c{n}@example.com,{zip_}" for n, zip_ in enumerate(zips)]
    (root / "data" / "customers.csv").write_text("\n".join(["id,name,email,zip", *rows]) + "\n")
    return settings


def ran(settings: Settings) -> int:
    """Rows that a run wrote."""
    workflow.apply(settings, workflow.plan(settings))
    return workflow.run(settings, FLOW, progress=Silent()).receipt.counts.written


def written(root: Path) -> int:
    with sqlite3.connect(root / "warehouse.db") as database:
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
    far = ["94110", *["10001"] * 40_000, "94111", "94112"]

    assert ran(home(tmp_path / "alike", FLOOR, far)) == len(far)
    with pytest.raises(Denied, match="2 rows are alike"):
        ran(home(tmp_path / "rare", FLOOR, far[:-1]))


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ("guards: {anonymity: {fields: [name], k: 3}}", "how many records are alike is known only once all are read"),
        (FLOOR.replace("zip", "zipp"), "writes no field 'zipp'"),
    ],
)
def test_a_floor_that_cannot_be_held_is_a_finding(tmp_path: Path, guards: str, said: str) -> None:
    """It needs an import that looks at everything first, and fields that are written."""
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
