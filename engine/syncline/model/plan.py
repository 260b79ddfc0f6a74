"""A plan is a value: what would change and why, pinned to the revision and the state it was made from.

Its JSON form is versioned (`syncline/plan/v1`) and byte-reproducible; `digest` is the SHA-256 of that form. What a plan
decides about itself (`can_apply`, `exit_code`) is decided here, in one place; views only render.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct, field

from syncline.model.change import Action, Change
from syncline.model.diagnostic import Diagnostic, has_errors
from syncline.model.forecast import Forecast
from syncline.model.step import Step


class Basis(Struct, frozen=True):
    """
    What a plan was made from. `serial` counts applied changes; a plan is stale when the state has another.

    `environment` is the one that was rendered, `formerly` the name that it had before; '' where there is none. `source`
    is the one that `revision` is a commit of, '' for the first; the serial pins what is applied of the others.
    """

    revision: str
    dirty: bool
    lineage: str
    serial: int
    manifests: str
    environment: str = ""
    formerly: str = ""
    source: str = ""


#: What the decision that a flow passed is called, where rules have their names.
FLOWS: Final = "flows"


class PolicyResult(Struct, frozen=True):
    """One decision of one rule about one object; `allowed` False denies. The diagnostic carries rule and places."""

    rule: str
    object: str
    allowed: bool
    message: str
    diagnostic: Diagnostic | None = None

    @property
    def verdict(self) -> Literal["passed", "warned", "excepted", "denied"]:
        """What was decided: that a flow passed, that a rule only warns, is suspended by an exception, or denies."""
        if not self.allowed:
            return "denied"
        if self.diagnostic is not None:
            return "warned"
        return "passed" if self.rule == FLOWS else "excepted"


class Plan(Struct, frozen=True):
    """Changes in the order shown, the steps in the order applied, and the policy's decisions.

    `data` are forecasts of the flows that change, where they were asked for: what is there, not what is declared.
    """

    basis: Basis
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    policy: tuple[PolicyResult, ...] = ()
    findings: tuple[Diagnostic, ...] = ()
    summary: Mapping[str, int] = field(default_factory=dict)
    data: tuple[Forecast, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether applying would change nothing."""
        return not self.steps

    @property
    def denied(self) -> tuple[PolicyResult, ...]:
        """The decisions that forbid it."""
        return tuple(r for r in self.policy if not r.allowed)

    @property
    def can_apply(self) -> bool:
        """Worth and allowed to apply: something to do, nothing denied, no guard tripped."""
        return bool(self.steps) and not self.denied and not has_errors(self.findings)

    def count(self, action: Action) -> int:
        """How many changes take an action."""
        return sum(c.action is action for c in self.changes)
