"""Imports against control totals: nothing is put in place that came to others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.manifests.load import load_text
from syncline.model.errors import Denied, Invalid
from tests.e2e.house import Scenario, build

ROWS = [(n, Decimal(n * 7 % 1000).scaleb(-2)) for n in range(1, 501)]
TOTAL = sum((amount for _, amount in ROWS), Decimal(0))


def house(root, scenario, control, field="balance"):
    lines = [f"{n},Ada,ada@example.com,{amount},1990-01-01" for n, amount in ROWS]
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "customers.csv").write_text("\n".join(["id,name,email,balance,born", *lines]) + "\n")
    texts = dict(scenario.texts)
    guard = f"guards: {{control: {{records: {control[0]}, sums: {{{field}: '{control[1]}'}}}}}}"
    texts["sync.yaml"] = texts["sync.yaml"].replace(f"write: {scenario.write}", f"write: {scenario.write}, {guard}")
    return build(root, texts)


def count(root):
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return connection.execute("SELECT count(*) FROM customers").fetchone()[0] if "customers" in tables else 0


@pytest.mark.parametrize("write", ["upsert", "replace"])
@pytest.mark.parametrize("kind", ["Sync", "Import"])
def test_totals_that_hold_are_on_the_receipt(tmp_path, write, kind):
    """The run ends well, and its receipt says so."""
    scenario = Scenario(write, kind=kind)
    settings = house(tmp_path, scenario, (500, f"{TOTAL:f}"))
    workflow.apply(settings)
    receipt = workflow.run(settings, scenario.key, progress=Silent()).receipt
    assert f"control totals hold: 500 records, the sum of balance is {TOTAL:f}" in receipt.notes
    assert count(tmp_path) == 500


@pytest.mark.parametrize(("write", "kind"), [("replace", "Sync"), ("replace", "Import"), ("upsert", "Import")])
@pytest.mark.parametrize("control", [(501, f"{TOTAL:f}"), (500, f"{TOTAL + Decimal('0.01'):f}")])
def test_other_totals_put_nothing_in_place(tmp_path, write, kind, control):
    """A replaced table stays as it was, and what is validated first writes nothing; a rehearsal says so before."""
    scenario = Scenario(write, kind=kind)
    settings = house(tmp_path, scenario, control)
    told = workflow.rehearse(settings, scenario.key, progress=Silent())
    assert told.refused.startswith("SYN717")
    workflow.apply(settings)
    with pytest.raises(Denied) as caught:
        workflow.run(settings, scenario.key, progress=Silent())
    assert caught.value.code == "SYN717"
    assert count(tmp_path) == 0


def test_a_sum_of_what_is_no_exact_number_is_refused(tmp_path):
    """At validation, with the fields that could be meant."""
    settings = house(tmp_path, Scenario("upsert"), (500, "1"), field="balnce")
    with pytest.raises(Invalid) as caught:
        workflow.plan(settings)
    (found,) = [d for d in caught.value.diagnostics if d.code == "SYN718"]
    assert found.suggestion == "balance"
    assert found.place.line > 1


def test_a_total_is_an_exact_number():
    """`1.2e3` and a bare float in YAML aren't taken for one."""
    text = "apiVersion: syncline/v1\nkind: Sync\nmetadata: {name: a, tenant: b}\nspec: {from: a/b, mapping: c, to: d/e, %s}"
    for value in ("'1.2e3'", "1.5"):
        found = load_text(text % f"guards: {{control: {{sums: {{n: {value}}}}}}}", "a.yaml")
        assert found.diagnostics
