"""What every state store promises of commits that are proposed, tried on both databases."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.model.proposal import Proposal
from tests.contract.state_places import APPLIED, ORDERS, apply

ONE = Proposal("c1", "syncline/adopt/acme/Sync/orders", "a" * 40, "SYN728", "ä is proposed", "2026-11-27T01:00:00Z")


def test_one_for_an_object_is_kept_and_replaced_and_ended(where):
    """What is proposed of an object is what was put last, also for whoever opens the state anew; None ends it."""
    kept = where.store().proposals()
    assert kept.of(ORDERS) is None
    kept.put(ORDERS, ONE)
    kept.put(ORDERS, replace(ONE, tip="b" * 40))
    assert where.store().proposals().of(ORDERS) == replace(ONE, tip="b" * 40)
    kept.put(ORDERS, None)
    assert kept.of(ORDERS) is None


def test_it_goes_with_its_object(store):
    """Of an object that is retired nothing is kept that was proposed."""
    apply(store, APPLIED)
    store.proposals().put(ORDERS, ONE)
    with store.lease("apply") as lease:
        store.begin_apply(lease, "a2", "p2", "r2", ["delete"])
        store.delete_object(lease, "a2", 0, ORDERS)
        store.finish_apply(lease, "a2")
    assert store.proposals().of(ORDERS) is None
