"""A certificate is complete only where nothing of personal data was left unsearched: flows without a subject, retired ones."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from syncline import privacy, workflow
from syncline.executor.progress import Silent
from syncline.model.key import ObjectKey
from tests.e2e import house
from tests.e2e.leaving import commit, git
from tests.e2e.subjects import ADA
from tests.e2e.test_privacy_retired import forget

DATA = "id,name,email\n1,Ada,Ada@example.com\n2,Bob,bob@example.com\n"
HEAD = "apiVersion: syncline/v1\nkind: {}\nmetadata: {{name: {}, tenant: acme}}\n"
PLAIN = "{to: email, from: email, class: pii.email}"


def flow(name, spec="", field=PLAIN, to=""):
    """An import of the one CSV, with a mapping of its own."""
    mapping = f"spec: {{key: [id], {spec}fields: [{{to: id, from: id, type: integer}}, {field}]}}\n"
    run = f"spec: {{from: crm/customers, mapping: {name}, to: warehouse/{to or name}, write: upsert}}\n"
    return f"{HEAD.format('Mapping', name)}{mapping}---\n{HEAD.format('Import', name)}{run}"


TOLD = "subject: {customer: email}, "


def built(root, flows, *, tenant=house.TENANT, in_git=True):
    """A house whose imports have run over the one CSV."""
    root.mkdir(parents=True, exist_ok=True)
    texts = {"tenant.yaml": tenant, "source.yaml": house.SOURCE, "warehouse.yaml": house.warehouse("sqlite")}
    settings = house.build(root, texts | {f"{name}.yaml": text for name, text in flows.items()})
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text(DATA)
    (root / ".gitignore").write_text(".syncline/\n*.db\ndata/\n")
    if in_git:
        git(root, "init", "-q")
        commit(root, "Imports of one CSV")
    workflow.apply(settings)
    for name in flows:
        workflow.run(settings, key(name), progress=Silent())
    return settings


def key(name):
    return ObjectKey("acme", "Import", name)


def retire(settings, *names, in_git=True):
    """Their manifests are gone, and that is applied."""
    for name in names:
        (settings.root / f"{name}.yaml").unlink()
    if in_git:
        commit(settings.root, "Retired")
    workflow.apply(settings, allow_deletes=True)


def states(done):
    return {place.key.name: place.state for place in done.places}


def holding_ada(settings):
    """The tables that still have her."""
    with closing(sqlite3.connect(settings.root / "warehouse.db")) as connection:
        tables = ("customers", "copies", "oldies")
        return [t for t in tables if connection.execute(f"SELECT 1 FROM {t} WHERE email LIKE 'ada@%'").fetchall()]


def test_copies_that_nobody_can_search_are_open_by_name(tmp_path):
    """A flow without a subject, and one that was retired when nothing was kept of it, keep a request open, by name, until both are acknowledged."""
    flows = {"customers": flow("customers", TOLD), "copies": flow("copies"), "oldies": flow("oldies", TOLD)}
    settings = built(tmp_path, flows, in_git=False)
    retire(settings, "oldies", in_git=False)
    forget(settings)

    expected = {"customers": "begun", "copies": "open", "oldies": "open"}
    assert states(privacy.expect(settings, "acme", ADA)) == expected
    held = {one.key.name: (len(one.rows), one.to, one.unable != "") for one in privacy.export(settings, "acme", ADA)}
    assert held == {
        "customers": (1, "warehouse/customers", False),
        "copies": (0, "warehouse/copies", True),
        "oldies": (0, "warehouse/oldies", True),
    }

    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert holding_ada(settings) == ["copies", "oldies"]
    assert not done.complete
    assert states(done) == expected | {"customers": "erased"}
    message = {place.key.name: place.message for place in done.places}
    assert "pii.email" in message["copies"]
    assert "declare `subject`" in message["copies"]
    assert "it is retired" in message["oldies"]
    certified = privacy.verify(privacy.certificate(settings, done.id), privacy.certificate_key(settings))
    assert certified["complete"] is False
    assert len(certified["places"]) == 3

    again = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert (again.id, states(again)) == (done.id, states(done))
    assert not privacy.acknowledge(settings, done.id, key("copies"), "Eva", "deleted").complete
    assert privacy.acknowledge(settings, done.id, key("oldies"), "Eva", "dropped").complete
    assert house.audit_ok(settings)


def test_what_is_declared_later_is_searched_by_the_same_request(tmp_path):
    """Once the mapping says by which field a person is told, the same command erases there and the request is complete."""
    settings = built(tmp_path, {"customers": flow("customers", TOLD), "copies": flow("copies")})
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert not done.complete
    (tmp_path / "copies.yaml").write_text(flow("copies", TOLD))
    commit(tmp_path, "Copies say whose they are")
    workflow.apply(settings)
    again = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert (again.id, again.complete, states(again)["copies"]) == (done.id, True, "erased")


@pytest.mark.parametrize(
    ("field", "state"),
    [
        ("{to: email, from: email, class: pii.email, protect: mask}", None),
        ("{to: email, from: email, class: pii.email, protect: drop}", None),
        ("{to: card, from: id, class: pci.pan}", None),
        ("{to: email, from: email, class: phi.health}", "open"),
        ("{to: email, from: email, class: pii.email, protect: {hash: tenant}}", "open"),
    ],
)
def test_only_fields_that_may_tell_a_person_count(tmp_path, field, state):
    """Masked and dropped fields keep nothing open, applied or retired; a keyed hash does, as it tells who it is."""
    flows = {name: flow(name, field=field) for name in ("copies", "oldies")}
    settings = built(tmp_path, {"customers": flow("customers", TOLD), **flows})
    retire(settings, "oldies")
    found = states(privacy.expect(settings, "acme", ADA))
    assert (found.get("copies"), found.get("oldies")) == (state, state)


HOP = """
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: NAME, tenant: acme}
spec: {key: [id], fields: [{to: id, from: id, type: integer}, FIELD]}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: NAME, tenant: acme}
spec: {from: FROM, mapping: NAME, to: warehouse/NAME, read: full, write: upsert}
"""


def hop(name, field, source="warehouse/customers"):
    """A flow onwards, whose mapping names no class."""
    return HOP.replace("NAME", name).replace("FIELD", field).replace("FROM", source)


@pytest.mark.parametrize(
    ("field", "state"),
    [
        ("{to: who, from: email}", "open"),
        ("{to: who, from: \"join('-', [email, 'x'])\"}", "open"),
        ("{to: who, from: email, protect: {hash: tenant}}", "open"),
        ("{to: who, from: email, protect: mask}", None),
        ("{to: who, from: name}", None),
    ],
)
def test_what_is_carried_on_counts_whatever_nobody_named(tmp_path, field, state):
    """
    A flow that copies the field by which a person is told, from the same source or from the table that was written, at
    any distance, is open by name; one that copies others, or masks it, isn't.
    """
    tables = "tables: {customers: {table: customers, key: [id]}, second: {table: second, key: [id]}}"
    declared = house.warehouse("sqlite").replace(
        "config: {path: warehouse.db}", f"config: {{path: warehouse.db}}\n  {tables}"
    )
    flows = {
        "customers": flow("customers", TOLD, field="{to: email, from: email}, {to: name, from: name}"),
        "second": hop("second", field),
        "third": hop("third", "{to: who, from: who}", "warehouse/second"),
        "beside": hop("beside", field, "crm/customers"),
    }
    texts = {"tenant.yaml": house.TENANT, "source.yaml": house.SOURCE, "warehouse.yaml": declared}
    settings = house.build(tmp_path, texts | {f"{name}.yaml": text for name, text in flows.items()})
    workflow.apply(settings)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text(DATA)
    workflow.run(settings, ObjectKey("acme", "Sync", "beside"), progress=Silent())  # it stays open when it is retired
    expected = {name: state for name in ("second", "third", "beside") if state}
    assert states(privacy.expect(settings, "acme", ADA)) == {"customers": "begun", **expected}
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert done.complete == (not expected)
    (tmp_path / "beside.yaml").unlink()
    workflow.apply(settings, allow_deletes=True)
    assert states(privacy.expect(settings, "acme", ADA)) == {"customers": "begun", **expected}
    if expected:
        said = {place.key.name: place.message for place in done.places}
        assert "personal data that it reads as, or from, acme/Import/customers" in said["third"]


def test_a_table_that_is_gone_or_searched_keeps_nothing_open(tmp_path):
    """A retired flow whose table was dropped, or whose table another flow is searched in, is no place of its own."""
    gone = flow("oldies", TOLD).replace("write: upsert", "write: upsert, deletion: delete")
    same = flow("copies", TOLD, to="customers")
    settings = built(tmp_path, {"customers": flow("customers", TOLD), "copies": same, "oldies": gone})
    retire(settings, "copies", "oldies")
    assert states(privacy.erase(settings, "acme", ADA, lambda _: None)) == {"customers": "erased"}


def test_a_flow_that_never_wrote_speaks_for_nobody(tmp_path):
    """A retired flow whose table is gone isn't passed over for a new one of the same table, which hasn't run yet."""
    settings = built(tmp_path, {"copies": flow("copies", TOLD, to="customers")})
    (tmp_path / "customers.yaml").write_text(flow("customers", TOLD))
    retire(settings, "copies")
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("DROP TABLE customers")
    found = states(privacy.erase(settings, "acme", ADA, lambda _: None))
    assert found == {"customers": "erased", "copies": "open"}


def test_a_hold_covers_what_is_not_searched(tmp_path):
    """A legal hold over a flow that can't be searched is said, so that nobody deletes there by hand."""
    hold = "{flows: [Import/copies, Import/oldies], reason: case 7, owner: legal}"
    tenant = house.TENANT.replace("spec: {", f"spec: {{holds: [{hold}], ")
    flows = {"customers": flow("customers", TOLD), "copies": flow("copies"), "oldies": flow("oldies", TOLD)}
    settings = built(tmp_path, flows, tenant=tenant, in_git=False)
    retire(settings, "oldies", in_git=False)
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert states(done) == {"customers": "erased", "copies": "held", "oldies": "held"}
    assert {place.message for place in done.places} == {"", "case 7 (legal)"}


def test_validate_warns_of_personal_data_of_nobody(tmp_path):
    """A mapping without a subject that writes personal data is a warning where other mappings of the tenant declare one."""
    settings = built(tmp_path, {"customers": flow("customers", TOLD), "copies": flow("copies")})
    found = workflow.validate(settings)
    assert [(d.code, str(d.severity), d.subject, d.place.file) for d in found.diagnostics] == [
        ("SYN917", "warning", "acme/Mapping/copies", "copies.yaml")
    ]
    assert found.ok
    (tmp_path / "customers.yaml").write_text(flow("customers"))
    assert workflow.validate(settings).diagnostics == ()
