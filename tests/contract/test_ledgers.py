"""What every ledger of writes promises: the one in memory, those in the state's databases, and sealed over one of these."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from syncline.executor.flows.sealed_ledger import SealedLedger
from syncline.model.key import ObjectKey
from syncline.sdk.ledger import Known, Ledger, Mark, MemoryLedger
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_store
from syncline.state.store import AppliedObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.state.sql import SqlStore

FLOW, PLACE = "acme/Sync/contacts", "crm contacts"


def store_of(request: pytest.FixtureRequest, tmp_path, place: str) -> SqlStore:
    if place == "sqlite":
        return open_store(f"sqlite:///{tmp_path / 'state.db'}")
    return open_store(request.getfixturevalue("postgres_url"), schema=f"s{uuid.uuid4().hex[:12]}")


@pytest.fixture(params=["memory", "sqlite", "postgresql", "sealed"])
def ledger(request: pytest.FixtureRequest, tmp_path) -> Iterator[Ledger]:
    """An empty ledger of each sort."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    sealed = request.param == "sealed"
    store = store_of(request, tmp_path, "sqlite" if sealed else request.param)
    clear = store.ledger("acme", "crm")
    yield SealedLedger.over(clear, KeyRing.open(tmp_path / "keys"), "acme") if sealed else clear
    store.close()


def test_a_flow_that_never_wrote(ledger: Ledger):
    """It has no mark; forgetting and moving it has no effect, and nothing is known of records."""
    ledger.forget(FLOW)
    ledger.move(FLOW, "acme/Sync/other")

    assert (ledger.mark(FLOW), ledger.mark("acme/Sync/other"), ledger.applied(FLOW)) == (None, None, frozenset())
    assert ledger.known(PLACE, ["a", "b"]) == {}


def test_the_epoch_stays(ledger: Ledger):
    """A flow's epoch is the one that it began with, until it is forgotten."""
    assert ledger.begin(FLOW, "one") == Mark("one")
    assert ledger.begin(FLOW, "two") == Mark("one")
    ledger.forget(FLOW)
    assert ledger.begin(FLOW, "two") == Mark("two")


def test_a_batch_on_its_way(ledger: Ledger):
    """Progress is known at once and says that writes began; saving moves the checkpoint and ends that."""
    ledger.begin(FLOW, "one")
    ledger.progress(FLOW, PLACE, {"a": Known(pending="p")}, ["e1"])
    ledger.progress(FLOW, PLACE, {"a": Known("17", "v1", "d1")}, ["e1", "e2"])

    assert ledger.mark(FLOW) == Mark("one", None, begun=True)
    assert ledger.applied(FLOW) == {"e1", "e2"}
    assert ledger.known(PLACE, ["a", "b"]) == {"a": Known("17", "v1", "d1")}

    ledger.save(FLOW, "checkpoint", PLACE, {"b": Known("18", digest="d2")})

    assert ledger.mark(FLOW) == Mark("one", "checkpoint")
    assert ledger.applied(FLOW) == frozenset()
    assert ledger.known(PLACE, ["b"]) == {"b": Known("18", digest="d2")}


def test_places_and_flows_are_kept_apart(ledger: Ledger):
    """Records belong to their place, and effects to their flow."""
    for flow in (FLOW, "acme/Sync/other"):
        ledger.begin(flow, "e")
    ledger.progress(FLOW, PLACE, {"a": Known("1")}, ["e1"])
    ledger.progress("acme/Sync/other", "elsewhere", {"a": Known("2")}, ["e2"])

    assert ledger.known(PLACE, ["a"]) == {"a": Known("1")}
    assert ledger.known("elsewhere", ["a"]) == {"a": Known("2")}
    assert ledger.applied(FLOW) == {"e1"}
    ledger.drop(PLACE, ["a"])
    assert (ledger.known(PLACE, ["a"]), ledger.known("elsewhere", ["a"])) == ({}, {"a": Known("2")})


def test_moving(ledger: Ledger):
    """A moved flow keeps its checkpoint and its unfinished batch, and replaces what its new name had."""
    for flow in (FLOW, "acme/Sync/other"):
        ledger.begin(flow, flow)
        ledger.save(flow, f"of {flow}", PLACE, {})
    ledger.progress(FLOW, PLACE, {}, ["e1"])
    ledger.move(FLOW, "acme/Sync/other")

    assert ledger.mark(FLOW) is None
    assert ledger.mark("acme/Sync/other") == Mark(FLOW, f"of {FLOW}", begun=True)
    assert not ledger.applied(FLOW)
    assert ledger.applied("acme/Sync/other") == {"e1"}


def test_many_records(ledger: Ledger):
    """More records than a statement has room for are kept and found."""
    ledger.begin(FLOW, "one")
    every = {f"k{n}": Known(str(n)) for n in range(1_200)}
    ledger.save(FLOW, "c", PLACE, every)

    assert ledger.known(PLACE, every) == every
    ledger.drop(PLACE, every)
    assert ledger.known(PLACE, every) == {}


@pytest.mark.parametrize("place", ["sqlite", "postgresql"])
def test_tenants_and_integrations_are_kept_apart(request, tmp_path, place):
    """A tenant sees its own only, and an integration too; renaming one takes its records along."""
    store = store_of(request, tmp_path, place)
    try:
        for tenant, integration in (("acme", "crm"), ("acme", "desk"), ("other", "crm")):
            own = store.ledger(tenant, integration)
            own.begin(FLOW, tenant)
            own.save(FLOW, tenant, PLACE, {"a": Known(f"{tenant} {integration}")})
        assert store.ledger("other", "crm").mark(FLOW) == Mark("other", "other")
        previous, key = (ObjectKey("acme", "Integration", name) for name in ("crm", "sales"))
        applied = AppliedObject(previous, "d", "{}", "x.yaml:1:1", "r", "p", 1, "2026-11-25T18:00:00Z")
        with store.lease("apply") as lease:
            store.begin_apply(lease, "a1", "p", "r", ["put", "move"])
            store.put_object(lease, "a1", 0, applied)
            store.move_object(lease, "a1", 1, previous, key)

        found = {name: store.ledger("acme", name).known(PLACE, ["a"]) for name in ("crm", "sales", "desk")}
        assert found == {"crm": {}, "sales": {"a": Known("acme crm")}, "desk": {"a": Known("acme desk")}}
    finally:
        store.close()


def test_records_are_forgotten_by_what_the_system_calls_them(ledger: Ledger):
    """Only those of the place and of these ids are; a record without an id stays."""
    ledger.begin(FLOW, "epoch1")
    kept = {"a": Known(id="1"), "b": Known(id="2"), "c": Known()}
    ledger.progress(FLOW, PLACE, kept)
    ledger.progress(FLOW, "crm companies", {"a": Known(id="1")})
    ledger.drop_ids(PLACE, ["1", "9"])
    assert ledger.known(PLACE, kept) == {"b": Known(id="2"), "c": Known()}
    assert ledger.known("crm companies", ["a"]) == {"a": Known(id="1")}
