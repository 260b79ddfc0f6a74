"""Decisions about repositories, for tests of policy."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from syncline.planner.compiled import compile_flows
from syncline.policy.check import check
from syncline.policy.facts import facts
from syncline.policy.rule import Subjects
from tests.repository import CUSTOMERS, desired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.model.change import Change
    from syncline.model.plan import PolicyResult

TODAY = dt.date(2026, 6, 1)


def subjects(texts: Mapping[str, str], today: dt.date = TODAY, changes: tuple[Change, ...] = ()) -> Subjects:
    """What rules see of everything that the texts declare, and of changes of a plan."""
    declared = desired(texts)
    flows = compile_flows(declared)
    found = facts({key: (item.flow, item.compiled) for key, item in flows.items()})
    return Subjects(declared, found, changes, today)


def decide(texts: Mapping[str, str], today: dt.date = TODAY) -> tuple[PolicyResult, ...]:
    """Decisions about everything that the texts declare."""
    return check(subjects(texts, today))


def denied(texts: Mapping[str, str], today: dt.date = TODAY) -> list[str]:
    """Rules that deny."""
    return [r.rule for r in decide(texts, today) if not r.allowed]


def with_policy(policy: str, base: Mapping[str, str] = CUSTOMERS, *, shared: bool = False) -> dict[str, str]:
    """The repository with a policy: of acme, or shared."""
    owner = "" if shared else ", tenant: acme"
    head = f"apiVersion: syncline/v1\nkind: Policy\nmetadata: {{name: house{owner}}}\nspec:\n"
    return {**base, "policy.yaml": head + policy}
