"""ZIP codes under HIPAA: three digits of one are those that it is written with, which a number has lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Denied
from tests.e2e import house

TENANT = house.TENANT.replace("spec: {", "spec: {policies: [hipaa], purposes: {de-identified: {classes: ['pii.*']}}, ")
MAPPING = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: zip, from: zip, class: pii.zip, protect: {generalize: {prefix: 3}}}
"""
FILES = house.SOURCE.replace('{files: "customers*.csv", key: [id]}', '{files: "customers*", key: [id]SCHEMA}')
SCHEMA = ", schema: {properties: {id: {type: integer}, zip: {type: string}}}"
USE = "read: full, use: {purpose: de-identified}"
WAREHOUSE = "  handling: {party: own, encrypted: true, retention: 365d}\n"


def settings_with(root, source, name="customers.jsonl", lines=()):
    texts = house.Scenario("upsert").texts
    texts |= {"tenant.yaml": TENANT, "mapping.yaml": MAPPING, "source.yaml": source}
    texts["sync.yaml"] = texts["sync.yaml"].replace("read: full", USE)
    texts["warehouse.yaml"] += WAREHOUSE
    settings = house.build(root, texts)
    (root / "data").mkdir()
    (root / "data" / name).write_text("\n".join(lines) + "\n")
    return settings


def zips(root):
    with closing(sqlite3.connect(root / "warehouse.db")) as rows:
        return [zip_ for (zip_,) in rows.execute("SELECT zip FROM customers ORDER BY id")]


def test_a_number_whose_type_nobody_declared_ends_the_run(tmp_path):
    """JSON without a schema: a ZIP code may be a number there, of which three digits show a place within a state."""
    lines = ['{"id": 1, "zip": "02134"}', '{"id": 2, "zip": 2134}']
    settings = settings_with(tmp_path, FILES.replace("SCHEMA", ""), lines=lines)
    workflow.apply(settings)
    with pytest.raises(Denied, match="now that it is open: .* De-identified data has no place") as denied:
        workflow.run(settings, house.FLOW, progress=Silent())
    assert denied.value.code == "SYN516"
    assert not (tmp_path / "warehouse.db").exists() or "customers" not in str(
        house.rows(tmp_path, house.Scenario("upsert"))
    )


def test_where_it_is_declared_as_text_a_number_is_a_reject(tmp_path):
    """What is written as text is generalised by its first three; a number doesn't fit the schema, and isn't written."""
    lines = ['{"id": 1, "zip": "02134"}', '{"id": 2, "zip": 2134}', '{"id": 3, "zip": "94110"}']
    settings = settings_with(tmp_path, FILES.replace("SCHEMA", SCHEMA), lines=lines)
    workflow.apply(settings)
    assert workflow.run(settings, house.FLOW, progress=Silent()).record.counts.rejected == 1
    assert zips(tmp_path) == ["021", "941"]


def test_text_files_have_nothing_but_text(tmp_path):
    """A CSV file needs no schema for it: zeros in front are there."""
    lines = ["id,zip", "1,02134", "2,94110"]
    settings = settings_with(tmp_path, FILES.replace("SCHEMA", ""), "customers.csv", lines)
    workflow.apply(settings)
    workflow.run(settings, house.FLOW, progress=Silent())
    assert zips(tmp_path) == ["021", "941"]


def test_of_a_table_it_is_denied_before_anything_runs(tmp_path):
    """Of a database's column nobody knows the type before it is open: the plan is refused until a schema says text."""
    table = (
        "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: crm, tenant: acme}\nspec:\n"
        "  connector: sqlite@^1\n  config: {path: crm.db}\n  tables: {customers: {table: customersSCHEMA}}\n"
    )
    settings = settings_with(tmp_path, table.replace("SCHEMA", ""))
    with pytest.raises(Denied) as denied:
        workflow.apply(settings)
    assert "no place smaller than a state" in " ".join(d.message for d in denied.value.diagnostics)
    (tmp_path / "source.yaml").write_text(table.replace("SCHEMA", SCHEMA))
    with closing(sqlite3.connect(tmp_path / "crm.db")) as shop:
        shop.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, zip TEXT)")
        shop.execute("INSERT INTO customers VALUES (1, '02134')")
        shop.commit()
    workflow.apply(settings)
    workflow.run(settings, house.FLOW, progress=Silent())
    assert zips(tmp_path) == ["021"]
