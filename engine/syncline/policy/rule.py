"""What a rule is and what it sees.

A rule is a pure function from `Subjects` to violations. It never decides whether an exception applies: `check.py` does
that once, for all rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePath

from msgspec import Struct

from syncline.manifests.desired import Desired
from syncline.manifests.flow import Flow, flows
from syncline.manifests.locations import REPOSITORY
from syncline.model.change import Change
from syncline.model.diagnostic import Place, Related, Severity
from syncline.model.key import ObjectKey


class End(Struct, frozen=True):
    """
    One end of a flow: where data is, and what is declared of how it is handled there.

    `party`, `agreement` and `region` are '' where undeclared, `encrypted` None, `retention` (seconds) 0.
    """

    integration: str
    connector: str
    region: str
    stream: str
    party: str = ""
    agreement: str = ""
    encrypted: bool | None = None
    retention: float = 0.0


class Terms(Struct, frozen=True):
    """
    What a flow declares of the use of its records; '' where it doesn't. `opt_out` is the field that says who opted out,
    `honoured` whether the mapping leaves these records out. `write`, `deletes` and `absent` are as the flow has them,
    `k` is its floor of anonymity, 0 for none.
    """

    purpose: str = ""
    basis: str = ""
    condition: str = ""
    transfer: str = ""
    opt_out: str = ""
    honoured: bool = False
    write: str = ""
    deletes: str = "ignore"
    absent: str = "keep"
    k: int = 0


class Grain(Struct, frozen=True):
    """
    What a generalisation leaves of a value: of a date its `year` or `month`, so many first characters, or a bucket so
    wide, the topmost from `top`; years before `bottom` become it. '' and 0 where it doesn't say, and where the value is
    none that it says something of: one that an expression made, or of a prefix a number.
    """

    date: str = ""
    prefix: int = 0
    bucket: int = 0
    top: int = 0
    bottom: int = 0


class FlowFact(Struct, frozen=True):
    """One field on its way: from which source field in which region, to which target field in which region.

    `classes` are all that bind it, sorted: those of every source field that its target's value is made of, and the
    target's declared one. `protection` is '' for plain, else as a mapping calls it, and `grain` how coarse it makes the
    value. `source` is '' for a constant.
    `origin` and `destination` are the two ends, `terms` what the flow declares of the use of its records.
    `source_place` is where the source integration is declared, `mapping_place` the mapping's field and `target_place`
    the target integration.
    """

    flow: ObjectKey
    tenant: str
    source: str
    target: str
    origin: End
    destination: End
    terms: Terms
    classes: tuple[str, ...]
    protection: str
    flow_place: Place
    source_place: Place
    mapping_place: Place
    target_place: Place
    grain: Grain = Grain()

    @property
    def target_integration(self) -> str:
        """The integration that receives it."""
        return self.destination.integration

    @property
    def target_region(self) -> str:
        """The region that receives it; '' where undeclared."""
        return self.destination.region

    def matching(self, patterns: Iterable[str]) -> str:
        """Those of its classes that a pattern matches, for people; '' when none does."""
        return ", ".join(name for name in self.classes if matches(patterns, name))

    def describe(self) -> str:
        """`contact.email → warehouse.customers.email`, as people name it."""
        return f"{self.origin.integration}.{self.source or 'constant'} → {self.target_integration}.{self.target}"


@dataclass(frozen=True)
class Subjects:
    """
    Everything a rule may look at. `changes` is empty before there is a plan; exceptions end after `today`; relative
    paths start from `root`.
    """

    desired: Desired
    facts: Mapping[ObjectKey, tuple[FlowFact, ...]]
    changes: tuple[Change, ...]
    today: dt.date
    root: PurePath = REPOSITORY

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Every flow that resolves, in key order."""
        return flows(self.desired)


class Violation(Struct, frozen=True):
    """
    A rule that an object breaks: `rule` as exceptions name it, both places, and what to do.

    `owner` is the tenant whose policy declares the rule, '' for built-in rules and shared policies.
    """

    rule: str
    code: str
    subject: ObjectKey
    message: str
    place: Place | None
    related: tuple[Related, ...] = ()
    help: str = ""
    expected: str = ""
    severity: Severity = Severity.error
    owner: str = ""


class Rule(Struct, frozen=True):
    """A rule: its name, code, one-line summary, and its check."""

    name: str
    code: str
    summary: str
    check: Callable[[Subjects], Iterable[Violation]]


def matches(patterns: Iterable[str], value: str) -> bool:
    """
    Whether a name, class or region matches any pattern; `*` matches any run of characters.

    >>> matches(["pii.*"], "pii.email")
    True
    >>> matches(["eu-*"], "us-east")
    False
    """
    return any(fnmatchcase(value, pattern) for pattern in patterns)
