"""What policy decided, kept for who asks the same on the same day: an apply after its plan, and runs after their apply.

Policy is pure: equal subjects give equal results. A plan is judged by what is declared, and an apply by the documents
that it will leave behind. These leave out places, which are only told, and annotations, which rules on manifests may
look at: where there are both, an apply decides by itself, as it does wherever anything else may have changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.kinds.policy import PolicySpec
from syncline.policy.check import check
from syncline.policy.rules.declared import bound_policies

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.change import Change
    from syncline.model.key import ObjectKey
    from syncline.model.plan import PolicyResult
    from syncline.policy.rule import FlowFact, Subjects

Results = tuple["PolicyResult", ...]


class Decided(Struct, frozen=True):
    """What policy decided: on a day, where relative paths start from `root`, by the facts of every flow."""

    day: dt.date
    root: PurePath
    facts: Mapping[ObjectKey, tuple[FlowFact, ...]]
    results: Results

    @classmethod
    def of(cls, subjects: Subjects, results: Results | None = None) -> Decided:
        """What policy says of these, or said already."""
        said = check(subjects) if results is None else results
        return cls(subjects.today, subjects.root, subjects.facts, said)


class Decisions:
    """What policy decided of the last plan. Used by one thread."""

    def __init__(self) -> None:
        self._kept: tuple[Subjects, Results] | None = None

    def of_plan(self, declared: Subjects, results: Results, changes: tuple[Change, ...]) -> Results:
        """What policy says of a plan: `results` of what is declared, and what rules say of the changes."""
        subjects = replace(declared, changes=changes)
        if changes and _judged(declared.desired, "change"):  # no other rule looks at changes
            results = check(subjects)
        self._kept = subjects, results
        return results

    def again(self, desired: Desired, changes: tuple[Change, ...], today: dt.date, root: PurePath) -> Decided | None:
        """What was decided of exactly this; None where that has to be found out, as of a part of the plan."""
        if self._kept is None:
            return None
        known, results = self._kept
        if (known.today, known.root, known.desired.digest) != (today, root, desired.digest) or known.changes != changes:
            return None
        noted = any(manifest.annotations for manifest in known.desired.objects.values())
        return None if noted and _judged(desired, "manifest") else Decided.of(known, results)


def lasting(decided: Decided, desired: Desired, changes: tuple[Change, ...]) -> Decided | None:
    """What was decided of changes, where that is what runs ask as well: what they lead to, without them. Else None."""
    return None if changes and _judged(desired, "change") else decided


def _judged(desired: Desired, on: str) -> bool:
    """Whether a declared rule looks at subjects of a sort."""
    specs = (policy.spec for _, policy in bound_policies(desired))
    return any(rule.on == on for spec in specs if isinstance(spec, PolicySpec) for rule in spec.rules)
