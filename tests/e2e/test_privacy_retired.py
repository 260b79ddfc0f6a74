"""Flows that are retired are searched for a person as they were applied last, while their integration leads to where they wrote."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from syncline import privacy, workflow
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.model.erasure import SETTLED
from tests.api_server import api_server
from tests.e2e import house, writing
from tests.e2e.leaving import commit, git
from tests.e2e.subjects import ADA, DATA, HASHED, MAPPING, emails, rejects
from tests.e2e.test_privacy_apis import FIND
from tests.writing_api import Contacts

FLOWS = ("mapping", "sync")


def lived_in(root, texts):
    """A house in Git whose flows have run."""
    root.mkdir(parents=True, exist_ok=True)
    settings = house.build(root, texts)
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text(DATA)
    (root / ".gitignore").write_text(".syncline/\n*.db\nlake/\ndata/\n")
    git(root, "init", "-q")
    commit(root, "Flows")
    workflow.apply(settings)
    for applied in workflow.objects(settings):
        if applied.key.is_flow:
            workflow.run(settings, applied.key, progress=Silent())
    return settings


def flows(scenario):
    """Two flows, of customers and of hashed visitors."""
    return scenario.texts | {"mapping.yaml": MAPPING + HASHED}


def retire(settings, *names):
    """These files are gone by a commit, which is applied."""
    for name in names:
        (settings.root / f"{name}.yaml").unlink()
    commit(settings.root, "Retired")
    workflow.apply(settings, allow_deletes=True)


def forget(settings):
    """Nothing is kept of retired flows, as of those that were retired before anything was: Git alone has them."""
    with open_facilities(settings) as facilities:
        facilities.store.tenants().delete("acme", "retired_flows")


def states(done):
    return {place.key.name: place.state for place in done.places}


@pytest.mark.parametrize("known", ["by Git", "by the state"])
def test_a_person_is_erased_where_retired_flows_wrote(tmp_path, scenario, known):
    """Rows, hashed rows and rejects that flows left when they and their mappings were retired are found, and erased for good."""
    settings = lived_in(tmp_path, flows(scenario))
    retire(settings, *FLOWS, "source")
    if known == "by Git":
        forget(settings)
    else:
        shutil.rmtree(tmp_path / ".git")

    found = {held.key.name: held for held in privacy.export(settings, "acme", ADA)}
    assert [row["id"] for row in found["customers"].rows] == [1]
    assert [json.loads(record)["id"] for record in found["customers"].rejects] == ["3"]
    assert sorted(row["id"] for row in found["visitors"].rows) == [1, 3]
    assert {held.problem for held in found.values()} == {""}

    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert done.complete
    assert [(p.key.name, p.to, p.field, p.state, p.rows, p.rejects) for p in done.places] == [
        ("customers", "warehouse/customers", "email", "erased", 1, 1),
        ("visitors", "warehouse/visitors", "who", "erased", 2, 0),
    ]
    assert emails(settings, scenario) == ["bob@example.com"]
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]
    assert all(not held.rows and not held.rejects for held in privacy.export(settings, "acme", ADA))
    assert house.audit_ok(settings)


def test_a_destination_that_is_gone_or_elsewhere_is_left_to_a_person(tmp_path, scenario):
    """Where the integration isn't declared any more, or leads to another place, nothing is opened: it is named, and why."""
    settings = lived_in(tmp_path, flows(scenario))
    text = (tmp_path / "warehouse.yaml").read_text()
    retire(settings, *FLOWS, "warehouse")
    for place in privacy.erase(settings, "acme", ADA, lambda _: None).places:
        assert place.state == "open"
        assert "the integration warehouse isn't declared any more: acknowledge it" in place.message
        assert place.to.startswith("warehouse/")

    elsewhere = text.replace("warehouse.db", "other.db").replace(f"schema: {scenario.schema}", "schema: other")
    (tmp_path / "warehouse.yaml").write_text(elsewhere)
    commit(tmp_path, "Elsewhere")
    workflow.apply(settings)
    request = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert states(request) == {"customers": "open", "visitors": "open"}
    assert "the integration warehouse leads to another place now" in request.places[0].message

    (tmp_path / "warehouse.yaml").write_text(text)
    commit(tmp_path, "Back")
    workflow.apply(settings)
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert (done.id, done.complete, states(done)) == (request.id, True, {"customers": "erased", "visitors": "erased"})
    assert emails(settings, scenario) == ["bob@example.com"]


def test_a_column_that_was_renamed_is_no_erasure(tmp_path):
    """Where a table has rows and no longer the field that tells a person, the request stays unfinished, and says why."""
    settings = lived_in(tmp_path, flows(house.Scenario("upsert", "sqlite")))
    retire(settings, *FLOWS)

    def rename(before, after):
        with closing(sqlite3.connect(tmp_path / "warehouse.db")) as file:
            file.execute(f"ALTER TABLE customers RENAME COLUMN {before} TO {after}")

    rename("email", "mail")
    found = {held.key.name: held.problem for held in privacy.export(settings, "acme", ADA)}
    assert "customers has rows and no column 'email'" in found["customers"]
    request = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert states(request) == {"customers": "failed", "visitors": "erased"}
    rename("mail", "email")
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert (done.id, states(done)) == (request.id, {"customers": "erased", "visitors": "erased"})


def test_an_api_at_another_address_is_left_to_a_person(tmp_path):
    """Where the integration's settings lead to another system of the same kind, that isn't asked for what the first one has."""
    old, new = Contacts(unique="id"), Contacts(unique="id")
    with api_server(old.handle) as first, api_server(new.handle) as second:
        texts = writing.repository(first.url, "keys") | {"mapping.yaml": MAPPING}
        texts["warehouse.yaml"], texts["sync.yaml"] = texts["sync.yaml"].split("---\n")
        erasing = f"      erase:{FIND.rstrip()}\n      schema:"
        texts["connector.yaml"] = texts["connector.yaml"].replace("      schema:", erasing)
        settings = lived_in(tmp_path, texts)
        retire(settings, "sync")
        moved = tmp_path / "warehouse.yaml"
        moved.write_text(moved.read_text().replace(first.url, second.url))
        commit(tmp_path, "Elsewhere")
        workflow.apply(settings)
        (place,) = privacy.erase(settings, "acme", ADA, lambda _: None).places
        assert (place.state, second.asked) == ("open", [])
        assert "leads to another place now" in place.message

        moved.write_text(moved.read_text().replace(second.url, first.url))
        commit(tmp_path, "Back")
        workflow.apply(settings)
        (place,) = privacy.erase(settings, "acme", ADA, lambda _: None).places
        assert (place.state, place.rows) == ("erased", 1)
        assert [record["id"] for record in old.of("contacts")] == [2]


def test_rejects_outlive_a_table_that_is_dropped(tmp_path, scenario):
    """Of a retired flow whose table was dropped with it, what its runs set aside is erased; there are no rows."""
    texts = scenario.texts
    settings = lived_in(tmp_path, flows(scenario))
    (tmp_path / "sync.yaml").write_text(texts["sync.yaml"].replace("write:", "deletion: delete, write:"))
    commit(tmp_path, "Dropped when it is retired")
    workflow.apply(settings)
    retire(settings, "sync")
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert {p.key.name: (p.state, p.rows, p.rejects) for p in done.places} == {
        "customers": ("erased", 0, 1),
        "visitors": ("erased", 2, 0),
    }
    assert [json.loads(record)["id"] for record in rejects(settings)] == ["4"]


@pytest.mark.parametrize("away", ["renamed", "moved", ""])
def test_a_table_that_was_not_there_to_be_dropped_is_left_to_a_person(tmp_path, away):
    """What somebody had renamed, or the database file that was moved, was dropped by nobody: its rows may be anywhere."""
    scenario = house.Scenario("upsert")
    settings = lived_in(tmp_path, flows(scenario))
    (tmp_path / "sync.yaml").write_text(scenario.texts["sync.yaml"].replace("write:", "deletion: delete, write:"))
    commit(tmp_path, "Dropped when it is retired")
    workflow.apply(settings)
    if away == "moved":
        (tmp_path / "warehouse.db").rename(tmp_path / "elsewhere.db")
    elif away:
        with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
            connection.execute("ALTER TABLE customers RENAME TO former_customers")
    retire(settings, "sync")
    with open_facilities(settings) as facilities:
        told = [event.reason for event in facilities.store.events(house.FLOW)]
    assert told[-2:] == ["TableKept" if away else "TableDropped", "Retired"]
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert states(done)["customers"] == ("open" if away else "erased")


@pytest.mark.parametrize("until", ["", ", until: 2000-01-01"])
def test_a_hold_keeps_what_a_retired_flow_wrote(tmp_path, scenario, until):
    """A legal hold over a retired flow keeps its rows and rejects until its end."""
    settings = lived_in(tmp_path, flows(scenario))
    hold = f"holds: [{{flows: [Sync/*], reason: case 7, owner: legal{until}}}], "
    (tmp_path / "tenant.yaml").write_text(house.TENANT.replace("spec: {", f"spec: {{{hold}"))
    retire(settings, *FLOWS)
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert {place.state for place in done.places} == ({"erased"} if until else {"held"}) <= SETTLED
    assert ("Ada@example.com".lower() in emails(settings, scenario)) is not bool(until)
