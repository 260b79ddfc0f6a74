"""What every state store promises of webhooks that were delivered for schedules, tried on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event, current_thread

from syncline.model.key import ObjectKey
from tests.contract.state_places import APPLIED, ORDERS, apply
from tests.told_database import told

EARLIER, AT, LATER = (f"2026-11-26T0{hour}:00:00.000000Z" for hour in (1, 2, 3))


def test_one_that_is_delivered_again_counts_once(store):
    """A mark is kept once for each object; another one, and the same of another object, are kept beside it."""
    apply(store, APPLIED)
    kept = store.deliveries()
    assert kept.newest(ORDERS) is None
    assert kept.keep(ORDERS, "a", AT, EARLIER)
    first = kept.newest(ORDERS)
    assert not kept.keep(ORDERS, "a", LATER, EARLIER)
    assert kept.newest(ORDERS) == first
    assert kept.keep(ORDERS, "b", LATER, EARLIER)
    assert kept.newest(ORDERS).number > first.number
    assert kept.newest(ORDERS).received == LATER


def test_nothing_is_kept_of_what_isnt_applied(store):
    """A delivery for an object that is gone leaves nothing, so that one that comes by its name begins anew."""
    apply(store, APPLIED)
    other = ObjectKey("acme", "Schedule", "gone")
    assert not store.deliveries().keep(other, "a", AT, EARLIER)
    assert store.deliveries().newest(other) is None


def test_old_names_are_forgotten_and_the_newest_never(store):
    """What was delivered before a moment is deleted by the next; that one stays, however old it is, until another."""
    apply(store, APPLIED)
    kept = store.deliveries()
    assert kept.keep(ORDERS, "a", EARLIER, EARLIER)
    assert kept.keep(ORDERS, "b", EARLIER, AT)  # `a` is forgotten
    first = kept.newest(ORDERS)
    assert kept.keep(ORDERS, "a", AT, EARLIER)
    assert kept.newest(ORDERS).number > first.number


def test_numbers_rise_in_the_order_in_which_they_are_seen(store):
    """One that has a number and isn't committed yet holds up the next one: no lower number comes to light later."""
    apply(store, APPLIED)
    kept = store.deliveries()
    reached, go_on = Event(), Event()

    def held(statement):
        if statement == "COMMIT" and current_thread().name.startswith("first") and not reached.is_set():
            reached.set()
            go_on.wait(30)

    told(store._database, held)
    with ThreadPoolExecutor(1, "first") as first, ThreadPoolExecutor(1, "second") as second:
        one = first.submit(kept.keep, ORDERS, "a", AT, EARLIER)
        assert reached.wait(30)
        other = second.submit(kept.keep, ORDERS, "b", AT, EARLIER)
        wait([other], timeout=0.5)
        seen = kept.newest(ORDERS)
        go_on.set()
        assert one.result(30)
        assert other.result(30)
    assert seen is None
