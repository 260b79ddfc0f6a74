"""What tenants demand of changes: whose approval, and when."""

from __future__ import annotations

import datetime as dt

import pytest

from syncline.model.change import Action, Change, Effect, EffectKind
from syncline.model.key import ObjectKey
from syncline.planner.demands import demands_of
from syncline.policy.rules.declared import bound_policies
from tests.repository import CUSTOMERS, desired, edited

HARMLESS = Effect(EffectKind.table_created, "t", "")
RISKY = Effect(EffectKind.class_flow, "t", "", reversible=False)
#: A Wednesday.
NOON = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


def change(name: str, *effects: Effect, action: Action = Action.update) -> Change:
    return Change(action, ObjectKey.parse(name), "", effects=effects)


def demands(acme: str, globex: str = ""):
    """What the two tenants demand."""
    texts = edited("tenant.yaml", "spec:\n", f"spec:\n  changes: {acme}\n", CUSTOMERS)
    if globex:
        other = f"apiVersion: syncline/v1\nkind: Tenant\nmetadata: {{name: globex}}\nspec: {{changes: {globex}}}\n"
        texts = {**texts, "globex.yaml": other}
    return demands_of(desired(texts).of_kind("Tenant"))


@pytest.mark.parametrize(
    ("of", "count"),
    [
        (change("acme/Sync/a", RISKY), 2),
        (change("acme/Sync/a", HARMLESS), 0),
        (change("acme/Sync/a", action=Action.delete), 2),
        (change("Tenant/acme", HARMLESS), 2),
        (change("Tenant/globex", HARMLESS), 3),
        (change("globex/Sync/a", HARMLESS), 3),
        (change("initech/Sync/a", RISKY), 0),
        (change("Connector/helpdesk@1.0.0", HARMLESS), 3),
    ],
)
def test_each_change_needs_the_approvals_of_its_tenant(of: Change, count: int) -> None:
    """A tenant's demand is for what is its own, its own manifest included; what is shared has the strictest one's."""
    found = demands("{approvals: {count: 2}}", "{approvals: {required: always, count: 3}}")

    assert found.approvers(of) == count


def test_without_a_demand_there_is_none() -> None:
    """A tenant that says nothing leaves it to the operator."""
    found = demands("{}")

    assert found.approvers(change("acme/Sync/a", RISKY)) == 0
    assert found.closed(change("acme/Sync/a", RISKY), NOON) == ""


@pytest.mark.parametrize(
    ("windows", "zone", "closed"),
    [
        ("{allow: [{days: [wed], start: '11:00', end: '13:00'}]}", "UTC", ""),
        ("{allow: [{days: [thu], start: '11:00', end: '13:00'}]}", "UTC", "tenant acme"),
        ("{deny: [{start: '11:00', end: '13:00'}]}", "UTC", "tenant acme"),
        ("{allow: [{start: '11:00', end: '13:00'}]}", "Asia/Tokyo", "tenant acme"),
        ("{allow: [{start: '20:30', end: '06:00'}]}", "Asia/Tokyo", ""),
    ],
)
def test_changes_wait_for_the_windows_of_their_tenant(windows: str, zone: str, closed: str) -> None:
    """Windows are read in the tenant's time zone; what is shared waits for every tenant's."""
    found = demands(f"{{windows: {windows}, timeZone: {zone}}}")

    assert found.closed(change("acme/Sync/a"), NOON) == closed
    assert found.closed(change("Policy/house"), NOON) == closed
    assert found.closed(change("globex/Sync/a"), NOON) == ""


def test_a_policy_demands_for_whom_it_binds() -> None:
    """A tenant's policy is about that tenant and what is shared, a shared one about everybody; the strictest counts."""
    head = "apiVersion: syncline/v1\nkind: Policy\nmetadata: {name: NAME}\nspec: {changes: {approvals: {required: always, count: N}}}\n"
    own = head.replace("name: NAME", "name: own, tenant: acme").replace("N}", "3}")
    shared = head.replace("NAME", "house").replace("N}", "2}")
    texts = desired({**CUSTOMERS, "own.yaml": own, "shared.yaml": shared})

    found = demands_of(texts.of_kind("Tenant"), bound_policies(texts))

    assert found.approvers(change("acme/Sync/a", HARMLESS)) == 3
    assert found.approvers(change("globex/Sync/a", HARMLESS)) == 2
    assert found.approvers(change("Connector/helpdesk@1.0.0", HARMLESS)) == 3
    assert found.closed(change("acme/Sync/a"), NOON) == ""
