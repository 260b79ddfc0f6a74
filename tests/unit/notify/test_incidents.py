"""Incidents: what is wrong, by its cause, as who is told may see it."""

from __future__ import annotations

from syncline.model.condition import Condition, ConditionType, Status, Truth
from syncline.model.key import ObjectKey
from syncline.notify.incidents import incidents

AUTH, CRM = ObjectKey("acme", "AuthConfig", "crm"), ObjectKey("acme", "Integration", "crm")
LAKE = ObjectKey("", "Integration", "lake")
FLOWS = [ObjectKey("acme", "Sync", f"s{n}") for n in range(3)]
OTHERS = ObjectKey("other", "Sync", "theirs")


def status(key, *, ready=Truth.false, reason="DependencyNotReady", message="", **more):
    conditions = [Condition(ConditionType.ready, ready, reason, message, "r1", "2026-11-26T01:00:00Z")]
    conditions += [Condition(ConditionType(name), Truth.true, "X", changed="2026-11-26T00:00:00Z") for name in more]
    return {key: Status(key, tuple(conditions))}


def test_what_waits_counts_for_its_cause():
    """Flows over an integration over credentials are one incident, of the credentials, with all who wait for them."""
    found = incidents(
        status(AUTH, reason="SecretMissing", message="[SYN801] no variable X") | status(CRM)
        | {key: s for flow in FLOWS for key, s in status(flow).items()},
        {CRM: (AUTH,), **dict.fromkeys(FLOWS, (CRM,))},
    )  # fmt: skip
    (one,) = found.values()
    assert (one.key, one.waiting, one.code, one.severity) == (AUTH, (CRM, *FLOWS), "SYN801", "error")
    assert one.title == "secret not found"


def test_two_causes_of_one_are_both_told():
    """An object that waits for two is counted with each."""
    found = incidents(
        status(CRM, reason="Unreachable", Reconciling=1) | status(LAKE, reason="CheckFailed") | status(FLOWS[0]),
        {FLOWS[0]: (CRM, LAKE)},
    )
    assert {key: i.waiting for key, i in found.items()} == {LAKE: (FLOWS[0],), CRM: (FLOWS[0],)}
    assert [i.severity for i in found.values()] == ["error", "warning"]


def test_a_shared_cause_is_seen_by_who_waits_for_it():
    """A tenant sees a shared cause with its own objects only, and not at all where none of its own waits."""
    statuses = status(LAKE, reason="Unreachable") | status(FLOWS[0]) | status(OTHERS)
    (cause,) = incidents(statuses, {FLOWS[0]: (LAKE,), OTHERS: (LAKE,)}).values()
    assert cause.seen_by("acme").waiting == (FLOWS[0],)
    assert cause.seen_by("other").waiting == (OTHERS,)
    assert cause.seen_by("third") is None
    assert cause.seen_by("").waiting == (FLOWS[0], OTHERS)
    (own,) = incidents(status(CRM, reason="Unreachable"), {}).values()
    assert (own.seen_by("other"), own.seen_by("acme")) == (None, own)


def test_drift_is_an_incident_and_what_is_suspended_is_none():
    """What is ready and has drifted is told as a warning; what is kept from running on purpose isn't."""
    found = incidents(
        status(FLOWS[0], ready=Truth.true, reason="RunSucceeded", Drifted=1)
        | status(FLOWS[1], reason="RunFailed", Suspended=1) | status(FLOWS[2], ready=Truth.unknown),
        {},
    )  # fmt: skip
    assert [(i.key, i.severity, i.since) for i in found.values()] == [(FLOWS[0], "warning", "2026-11-26T00:00:00Z")]


def test_what_stands_on_itself_ends():
    """A circle, which validation refuses, is looked at once."""
    found = incidents(status(FLOWS[0]) | status(FLOWS[1]), {FLOWS[0]: (FLOWS[1],), FLOWS[1]: (FLOWS[0],)})
    assert found


def failing(*numbers, code="SYN405", kind="Sync", prefix="s"):
    found: dict[ObjectKey, Status] = {}
    for n in numbers:
        found |= status(
            ObjectKey("acme", kind, f"{prefix}{n}"), reason="RunFailed", message=f"[{code}] words of the API"
        )
    return found


WAREHOUSE = ObjectKey("acme", "Integration", "warehouse")


def over(integration, *names):
    return {ObjectKey("acme", "Sync", name): (integration, WAREHOUSE) for name in names}


def test_flows_that_fail_alike_over_one_integration_are_one_incident():
    """The integration that most of its flows fail over is what is told, and not the one that all flows write to."""
    graph = over(CRM, *(f"s{n}" for n in range(5))) | over(LAKE, *(f"t{n}" for n in range(20)))
    (one,) = incidents(failing(*range(5)), graph).values()
    assert (one.key, len(one.waiting), one.code, one.reason) == (CRM, 5, "SYN405", "FlowsFail")
    assert one.title.startswith("flows over it fail: ")
    assert "words of the API" not in one.title


def test_flows_that_fail_otherwise_are_told_each():
    """A few of many, different codes, and flows that have nothing in common stay incidents of their own."""
    graph = over(CRM, *(f"s{n}" for n in range(10)))
    assert len(incidents(failing(1, 2), graph)) == 2
    graph = over(CRM, "s0", "s1")
    assert len(incidents(failing(0, code="SYN405") | failing(1, code="SYN402"), graph)) == 2
    assert len(incidents(failing(0), graph)) == 1
    assert set(incidents(failing(0, 1) | status(CRM, ready=Truth.true, Drifted=1), graph)) > {CRM}


def test_credentials_whose_time_has_come_are_an_incident():
    """A credential that is to be replaced is told as a warning, while it works."""
    (one,) = incidents(status(AUTH, ready=Truth.true, reason="Applied", RotationDue=1), {}).values()
    assert (one.key, one.severity) == (AUTH, "warning")
