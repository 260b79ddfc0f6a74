"""Flows that are retired by applies of a folder without a repository are searched as they were before that apply."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from msgspec.structs import replace

from syncline import privacy, workflow
from syncline.executor.facilities import open_facilities
from syncline.executor.progress import Silent
from syncline.model.errors import Followed
from syncline.model.retired_flow import RetiredFlow
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
        store.retired_flows().keep([known], ())

    monkeypatch.setattr(SqlStore, "begin_apply", followed)
    with pytest.raises(Followed):
        write(settings, mapping=MAPPING.replace("from: lower(email),", "from: upper(email),"))
    with open_facilities(settings) as facilities:
        assert facilities.store.retired_flows().of(house.FLOW) == known


def test_what_was_kept_in_words_of_earlier_is_left_to_a_person(settings):
    """A field that manifests don't have any more, years later, keeps no request from the other flows."""
    write(settings, sync="")
    with open_facilities(settings) as facilities:
        kept = facilities.store.retired_flows()
        flow = kept.of(house.FLOW)
        assert flow is not None
        former = tuple(text.replace('"spec":{', '"spec":{"former":1,', 1) for text in flow.documents)
        kept.keep([replace(flow, applied="earlier", documents=former)], set())
    assert states(privacy.erase(settings, "acme", ADA, lambda _: None)) == {"customers": "open", "visitors": "erased"}


def test_a_flow_that_is_declared_again_is_known_anew(settings):
    """What was kept of a flow goes when there is one of its name again, and the next retirement keeps that one."""
    text = (settings.root / "sync.yaml").read_text()
    write(settings, sync="")
    elsewhere = text.replace("warehouse/customers", "warehouse/others")
    write(settings, sync=elsewhere)
    workflow.run(settings, house.FLOW, progress=Silent())
    write(settings, sync="")
    found = {place.key.name: place.to for place in privacy.expect(settings, "acme", ADA).places}
    assert found["customers"] == "warehouse/others"
