"""What every state store promises of flows that are retired, tried on both databases."""

from __future__ import annotations

from msgspec.structs import replace

from syncline.model.retired_flow import RetiredFlow
from tests.contract.state_places import ORDERS

ONE = RetiredFlow(ORDERS, "2026-11-25T18:00:00Z", ('{"a":"ä"}', '{"b":1}'))


def test_the_first_that_is_kept_of_an_applied_flow_stays(where):
    """An apply that is made again changes nothing; a flow that was applied since is another one."""
    kept = where.store().retired_flows()
    assert kept.of(ORDERS) is None
    kept.keep([ONE], ())
    kept.keep([replace(ONE, documents=("{}",))], ())
    assert where.store().retired_flows().of(ORDERS) == ONE
    later = replace(ONE, applied="2026-11-26T18:00:00Z", documents=("{}",))
    kept.keep([later], ())
    assert kept.of(ORDERS) == later


def test_what_stands_is_not_kept(where):
    """Of a flow that is applied again, or that its apply didn't come to retire, nothing is kept."""
    kept, others = where.store().retired_flows(), replace(ONE, key=replace(ORDERS, name="others"))
    kept.keep([ONE, others], ())
    kept.keep([], {ORDERS})
    assert (kept.of(ORDERS), kept.of(others.key)) == (None, others)


def test_it_goes_with_its_tenant(where):
    """It is a tenant's, counted and deleted with it."""
    store = where.store()
    store.retired_flows().keep([ONE], ())
    assert store.tenants().counts("acme") == {"retired_flows": 1}
    assert store.tenants().delete("acme", "retired_flows") == 1
    assert store.retired_flows().of(ORDERS) is None
