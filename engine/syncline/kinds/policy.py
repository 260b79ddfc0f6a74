"""Policy: rules over manifests, plans and data flows, in CEL; packs compose; exceptions name an owner and expire."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Cel, Glob, Name, Spec
from syncline.model.kind import Kind, Reference


class PolicyRule(Spec):
    """One condition. It is evaluated for each subject; `deny` true, or `require` false, is a violation."""

    name: Annotated[Name, Field(description="Its name inside the policy.")]
    on: Annotated[
        Literal["manifest", "flow", "change"],
        Field(description="Subject: each manifest, each field flow of a sync or import, or each change of a plan."),
    ]
    kinds: Annotated[tuple[str, ...], Field(description="Kinds of manifest or changed object; empty: all.")] = ()
    deny: Annotated[Cel | None, Field(description="Violated when true.")] = None
    require: Annotated[Cel | None, Field(description="Violated when false.")] = None
    message: Annotated[str, Field(min_length=1, description="Why, and what to do instead.")]
    severity: Annotated[Literal["error", "warning"], Field(description="An error denies; a warning is shown.")] = (
        "error"
    )
    clause: Annotated[str, Field(description="The clause it serves, such as GDPR Art. 44.")] = ""


class PolicyException(Spec):
    """An exception: counts until its end, for the named objects only."""

    rule: Annotated[str, Field(description="The rule it suspends.")]
    objects: Annotated[
        tuple[Glob, ...], Field(min_length=1, description="Objects: acme/Sync/orders, patterns allowed.")
    ]
    owner: Annotated[str, Field(min_length=1, description="Who answers for it.")]
    reason: Annotated[str, Field(min_length=1, description="Why it is needed.")]
    until: Annotated[dt.date, Field(strict=False, description="Last day on which it counts.")]


class PolicySpec(Spec):
    """Rules that bind the tenants that name it, or every tenant when it is shared."""

    title: str = ""
    packs: Annotated[tuple[Name, ...], Field(description="Policies whose rules it includes.")] = ()
    rules: tuple[PolicyRule, ...] = ()
    exceptions: tuple[PolicyException, ...] = ()


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, PolicySpec)
    return tuple(Reference("Policy", name, ("spec", "packs", i)) for i, name in enumerate(spec.packs))


KIND = Kind(
    name="Policy",
    plural="policies",
    spec=PolicySpec,
    scope="either",
    order=1,
    summary="Rules over manifests, data flows and plans, written in CEL, with exceptions that expire.",
    references=_references,
    example="""\
apiVersion: syncline/v1
kind: Policy
metadata: {name: house-rules, tenant: acme}
spec:
  rules:
  - name: owner-label
    on: manifest
    kinds: [Sync, Import]
    require: "'team' in object.labels"
    message: Every sync and import names the team that answers for it.
""",
)
