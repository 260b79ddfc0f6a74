"""A plan that comes from a file: it says nothing that counts unless planning again says the same.

Approvals and windows are judged by the changes and effects of a plan, and its steps are what is done. In a file anybody
could have changed one without the other. So the tree and the state are planned again, and both have to be equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import to_builtins

from syncline.model.diagnostic import has_errors
from syncline.model.errors import Invalid
from syncline.planner.approval import acts_of
from syncline.planner.serialize import step_data

if TYPE_CHECKING:
    from syncline.model.plan import Plan

#: What of a plan's basis has to be equal; whether the state has moved is looked at under its lease.
_BASIS: Final = ("revision", "manifests", "environment", "formerly", "source")


def check_saved(saved: Plan, again: Plan) -> None:
    """
    `Invalid` (SYN641) where a saved plan isn't what planning gives now; (SYN642) where planning finds errors.

    Estimates may differ, and forecasts and what policy said: policy is evaluated again at each apply.
    """
    before, now = to_builtins(saved.basis), to_builtins(again.basis)
    other = next((name for name in _BASIS if before[name] != now[name]), "")
    if other == "revision":
        raise _stale(f"it was made of {_commit(saved)}, and here is {_commit(again)}")
    if other:
        raise _stale("what is declared here is something else")
    found = _contents(again)
    for what, had in _contents(saved).items():
        if had != found[what]:
            raise _stale(f"its {what} are not those that planning again gives")
    if has_errors(again.findings):
        raise Invalid(
            "the plan carries errors", code="SYN642", diagnostics=again.findings, help="Correct them and plan again."
        )


def _contents(plan: Plan) -> dict[str, Any]:
    """What a plan is judged by, and what it does."""
    effects = [(c.key, sorted((str(e.kind), e.subject, e.reversible) for e in c.effects)) for c in plan.changes]
    return {
        "changes": (acts_of(plan), dict(plan.summary)),
        "effects": sorted(effects),
        "steps": [step_data(step) for step in plan.steps],
    }


def _commit(plan: Plan) -> str:
    return f"commit {plan.basis.revision[:12]}" if plan.basis.revision else "no commit"


def _stale(why: str) -> Invalid:
    return Invalid(
        f"the plan isn't what would be applied here: {why}",
        code="SYN641",
        help="Apply it in the tree that it was made of, or plan again and look at what changed.",
    )
