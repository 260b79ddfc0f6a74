"""What every state store promises of flows that are retired, tried on both databases."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import update

from syncline.model.retired_flow import RetiredFlow
from syncline.state.tables import retired_flows as table
from tests.contract.state_places import ORDERS

ONE = RetiredFlow(ORDERS, "2026-11-25T18:00:00Z", ('{"a":"ä"}', '{"b":1}'), "2026-11-25T19:00:00Z")


def test_the_first_that_is_kept_of_an_applied_flow_stays(where):
    """An apply that is made again changes nothing but that rows were written since; a flow of its name is another one."""
    kept = where.store().retired_flows()
    assert kept.of(ORDERS) == ()
    kept.keep([replace(ONE, wrote=False)], {})
    kept.keep([replace(ONE, documents=("{}",))], {})
    assert where.store().retired_flows().of(ORDERS) == (ONE,)
    later = replace(ONE, applied="2026-11-26T18:00:00Z", documents=("{}",))
    kept.keep([later], {ORDERS: "2026-11-26T17:00:00Z"})
    assert kept.of(ORDERS) == (later, ONE)


def test_each_table_that_a_flow_was_led_from_is_kept(where):
    """
    Also where the flow itself wasn't applied in between, and stands. The same once more is none: the apply before
    didn't come to it, so that the flow has written there for longer.
    """
    kept = where.store().retired_flows()
    begun = replace(ONE, led=True, wrote=False)
    kept.keep([begun], {ORDERS: ONE.applied})
    first = replace(begun, until="2026-11-25T20:00:00Z", wrote=True)
    kept.keep([first], {ORDERS: ONE.applied})
    assert kept.of(ORDERS) == (first,)
    kept.keep([replace(first, wrote=False)], {ORDERS: ONE.applied})
    assert kept.of(ORDERS) == (first,)
    second = replace(first, documents=("{}",))
    kept.keep([second], {ORDERS: ONE.applied})
    assert kept.of(ORDERS) == (second, first)


def test_a_flow_that_was_declared_again_as_it_was_and_led_elsewhere_is_another(where):
    """What it wrote since, until it was led elsewhere, isn't what the one before it did, though the documents are the same."""
    kept = where.store().retired_flows()
    kept.keep([replace(ONE, wrote=False)], {})
    led = replace(ONE, applied="2026-11-26T18:00:00Z", until="2026-11-26T19:00:00Z", led=True)
    kept.keep([led], {ORDERS: led.applied})
    assert kept.of(ORDERS) == (led, replace(ONE, wrote=False))


def test_what_stands_is_not_kept(where):
    """Of a flow that its apply didn't come to retire nothing is kept; of one that is declared anew all is."""
    kept, others = where.store().retired_flows(), replace(ONE, key=replace(ORDERS, name="others"))
    kept.keep([ONE, others], {})
    kept.keep([], {ORDERS: ONE.applied, others.key: "2026-11-26T18:00:00Z"})
    assert (kept.of(ORDERS), kept.of(others.key)) == ((), (others,))


def test_what_the_first_version_kept_is_read(where):
    """It kept the documents alone, of one flow of a name."""
    store = where.store()
    store.retired_flows().keep([ONE], {})
    with store._database.write() as connection:
        connection.execute(update(table).values(documents=list(ONE.documents)))
    assert store.retired_flows().of(ORDERS) == (replace(ONE, until=""),)


def test_it_goes_with_its_tenant(where):
    """It is a tenant's, counted and deleted with it."""
    store = where.store()
    store.retired_flows().keep([ONE], {})
    assert store.tenants().counts("acme") == {"retired_flows": 1}
    assert store.tenants().delete("acme", "retired_flows") == 1
    assert store.retired_flows().of(ORDERS) == ()
