"""Flows that are retired by applies of a folder without a repository are searched as they were before that apply."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from msgspec.structs import replace

from syncline import privacy, workflow
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.executor.start import new_run_id
from syncline.model.errors import Followed
from syncline.model.retired_flow import RetiredFlow
from syncline.model.run import Counts, RunState
from syncline.reconciler import apply as reconciler
from syncline.reconciler.steps import take
from syncline.state.sql import SqlStore
from tests.e2e import house
from tests.e2e.subjects import ADA, MAPPING, lived_in
from tests.e2e.test_privacy_retired import states


@pytest.fixture
def settings(tmp_path):
    """Two flows that have run, of which nothing is in Git."""
    return lived_in(tmp_path, house.Scenario("upsert"))


def write(settings, **texts):
    """Files have these texts, without one they are gone; and that is applied."""
    for name, text in texts.items():
        path = settings.root / f"{name}.yaml"
        path.write_text(text) if text else path.unlink()
    workflow.apply(settings, allow_deletes=True)


def test_its_mapping_counts_as_it_was(settings):
    """Neither what the retiring apply does to the mapping of a flow, nor what later ones do, changes how a person is found."""
    hashes = MAPPING.replace("from: lower(email),", "from: email, protect: {hash: tenant},")
    write(settings, sync="", mapping=hashes)
    write(settings, mapping="", source="")
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert states(done) == {"customers": "erased", "visitors": "erased"}
    assert [place.rows for place in done.places] == [1, 2]
    assert house.rows(settings.root, house.Scenario("upsert"))[0][2] == "bob@example.com"


def test_an_apply_that_is_made_again_knows_it_too(settings, monkeypatch):
    """After a kill between the change of a mapping and the retirement of its flow, the flow is known as it was before both."""

    def killed(store, lease, apply, index, step, *more):
        if step.key == house.FLOW:
            raise SystemExit
        take(store, lease, apply, index, step, *more)

    hashes = MAPPING.replace("from: lower(email),", "from: email, protect: {hash: tenant},")
    with monkeypatch.context() as context:
        context.setattr(reconciler, "take", killed)
        with pytest.raises(SystemExit):
            write(settings, sync="", mapping=hashes)
    assert "hash" in next(o.document for o in workflow.objects(settings) if o.key.name == "customer")
    write(settings)
    assert house.FLOW not in {applied.key for applied in workflow.objects(settings)}
    assert [place.rows for place in privacy.erase(settings, "acme", ADA, lambda _: None).places] == [1, 2]


def test_an_apply_that_was_followed_forgets_nothing(settings, monkeypatch):
    """It takes the flow for one that stands; the one that followed it has retired that, and knows what it was."""
    known = RetiredFlow(house.FLOW, "2026-11-27T22:00:00Z", ("{}",))
    begin_apply = SqlStore.begin_apply

    def followed(store, lease, *more):
        begin_apply(store, lease, *more)
        with closing(sqlite3.connect(settings.home / "state.db")) as state, state:
            state.execute("UPDATE leases SET token = token + 1 WHERE name = 'apply'")
        store.retired_flows().keep([known], {})

    monkeypatch.setattr(SqlStore, "begin_apply", followed)
    with pytest.raises(Followed):
        write(settings, mapping=MAPPING.replace("from: lower(email),", "from: upper(email),"))
    with open_facilities(settings) as facilities:
        assert facilities.store.retired_flows().of(house.FLOW) == (known,)


def test_what_was_kept_in_words_of_earlier_is_left_to_a_person(settings):
    """A field that manifests don't have any more, years later, keeps no request from the other flows."""
    write(settings, sync="")
    with open_facilities(settings) as facilities:
        kept = facilities.store.retired_flows()
        (flow,) = kept.of(house.FLOW)
        former = tuple(text.replace('"spec":{', '"spec":{"former":1,', 1) for text in flow.documents)
        facilities.store.tenants().delete("acme", "retired_flows")
        kept.keep([replace(flow, documents=former)], {})
    assert states(privacy.erase(settings, "acme", ADA, lambda _: None)) == {"customers": "open", "visitors": "erased"}


def places(done):
    """What became of each place of the flow of customers: where, how, and of how many rows."""
    return sorted((p.to, p.state, p.rows) for p in done.places if p.key.base == "customers")


@pytest.mark.parametrize("how", ["declared again", "led there"])
def test_a_former_table_of_a_name_is_searched(settings, how):
    """What was written under a name before it stands for another table is found and erased, also once that is retired."""
    text = (settings.root / "sync.yaml").read_text()
    if how == "declared again":
        write(settings, sync="")
    write(settings, sync=text.replace("warehouse/customers", "warehouse/others"))
    both = [("warehouse/customers", "begun", 1), ("warehouse/others", "begun", 0)]
    assert places(privacy.expect(settings, "acme", ADA)) == both
    workflow.run(settings, house.FLOW, progress=Silent())
    write(settings, sync="")
    (held, former) = (one for one in privacy.export(settings, "acme", ADA) if one.key.base == "customers")
    assert [row["id"] for row in (*held.rows, *former.rows)] == [1, 1]
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert places(done) == [("warehouse/customers", "erased", 1), ("warehouse/others", "erased", 1)]
    assert house.rows(settings.root, house.Scenario("upsert"))[0][2] == "bob@example.com"


def test_a_run_that_went_on_elsewhere_has_written_there(settings):
    """It was stopped before the flow was led elsewhere, and begun by then: what it wrote afterwards is searched."""
    with open_facilities(settings) as facilities:
        last = facilities.store.runs(house.FLOW)[0]
        begun = replace(last, id=new_run_id(), state=RunState.running, counts=Counts(), receipt=None)
        stopped = replace(begun, state=RunState.interrupted)
        for record in (begun, stopped):
            facilities.store.put_run(record)
    text = (settings.root / "sync.yaml").read_text()
    write(settings, sync=text.replace("warehouse/customers", "warehouse/others"))
    ran = workflow.run(settings, house.FLOW, progress=Silent()).record
    assert (ran.id, ran.started) == (stopped.id, stopped.started)
    write(settings, sync=text.replace("warehouse/customers", "warehouse/third"))
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert ("warehouse/others", "erased", 1) in places(done)


def test_another_database_of_an_integration_is_another_table(settings):
    """Where an integration is led to another database, the former one is open, with the place; back there, it is searched."""
    warehouse = (settings.root / "warehouse.yaml").read_text()
    write(settings, warehouse=warehouse.replace("warehouse.db", "others.db"))
    for name in (house.FLOW, replace(house.FLOW, name="visitors")):
        workflow.run(settings, name, progress=Silent())
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert sorted((p.key.base, p.state, p.rows) for p in done.places) == [
        ("customers", "erased", 1), ("customers", "open", 0), ("visitors", "erased", 2), ("visitors", "open", 0)
    ]  # fmt: skip
    (former,) = [p.message for p in done.places if p.state == "open" and p.key.base == "customers"]
    assert "wrote there before it was led elsewhere, and the integration warehouse leads to another place" in former
    write(settings, warehouse=warehouse)
    workflow.run(settings, house.FLOW, progress=Silent())
    privacy.erase(settings, "acme", ADA, lambda _: None)
    assert house.rows(settings.root, house.Scenario("upsert"))[0][2] == "bob@example.com"


@pytest.mark.parametrize("how", ["moved", "moved and led elsewhere", "anew"])
def test_a_former_table_is_found_by_the_new_name_of_its_integration(settings, how):
    """
    Also of an integration that was declared anew for the same database; one that was renamed and led to another one by
    the same apply leaves the table that was written before as an open place.
    """
    sync, mapping, warehouse = ((settings.root / f"{n}.yaml").read_text() for n in ("sync", "mapping", "warehouse"))
    write(settings, sync=sync.replace("warehouse/customers", "warehouse/others"))
    workflow.run(settings, house.FLOW, progress=Silent())
    renamed = warehouse.replace("name: warehouse", "name: store")
    if how != "anew":
        renamed = renamed.replace("metadata: {", "metadata: {moved: {name: warehouse}, ")
    if how == "moved and led elsewhere":
        renamed = renamed.replace("warehouse.db", "others.db")
    sync, mapping = sync.replace("warehouse/customers", "store/others"), mapping.replace("warehouse/", "store/")
    write(settings, warehouse=renamed, sync=sync, mapping=mapping)
    found = places(privacy.erase(settings, "acme", ADA, lambda _: None))
    if how == "moved and led elsewhere":
        assert [(to, state) for to, state, _ in found] == [
            ("store/customers", "open"), ("store/others", "erased"), ("store/others", "open")
        ]  # fmt: skip
        return
    old = "warehouse" if how == "anew" else "store"
    assert found == sorted([(f"{old}/customers", "erased", 1), ("store/others", "erased", 1)])
    assert house.rows(settings.root, house.Scenario("upsert"))[0][2] == "bob@example.com"


def test_what_was_written_in_another_form_is_found(settings):
    """Where a mapping tells people by another value than before, rows of before are found by that of before."""
    write(settings, mapping=MAPPING.replace("from: lower(email),", "from: email, protect: {hash: tenant},"))
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    assert sum(place.rows for place in done.places if place.to == "warehouse/customers") == 1
    assert house.rows(settings.root, house.Scenario("upsert"))[0][2] == "bob@example.com"


def test_a_former_table_that_is_gone_is_open(settings):
    """A former table that somebody dropped or renamed is open, whatever the flow has written since; it can be acknowledged."""
    text = (settings.root / "sync.yaml").read_text()
    write(settings, sync=text.replace("warehouse/customers", "warehouse/others"))
    workflow.run(settings, house.FLOW, progress=Silent())
    with closing(sqlite3.connect(settings.root / "warehouse.db")) as file:
        file.execute("ALTER TABLE customers RENAME TO elsewhere")
    done = privacy.erase(settings, "acme", ADA, lambda _: None)
    (place,) = [place for place in done.places if place.state == "open"]
    assert (place.to, place.key.base) == ("warehouse/customers", "customers")
    assert privacy.acknowledge(settings, done.id, place.key, "Eva", "shredded").complete
