"""Policy: rules over manifests, plans and data flows, in CEL; packs compose; exceptions name an owner and expire."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from syncline.kinds.base import Cel, Glob, Name, Spec
from syncline.kinds.changes import Changes
from syncline.model.kind import Kind, Reference


class RuleTests(Spec):
    """
    What a rule allows and denies. Each is a subject as the rule sees it (`object`, `flow` or `change`), of which only
    what matters is written: the rest is as in the example that `syncline policy explain` shows of a rule.
    """

    allow: Annotated[tuple[dict[str, JsonValue], ...], Field(description="Subjects that the rule must allow.")] = ()
    deny: Annotated[
        tuple[dict[str, JsonValue], ...], Field(description="Subjects that it must find a violation of.")
    ] = ()


class PolicyRule(Spec):
    """One condition. It is evaluated for each subject; `deny` true, or `require` false, is a violation."""

    name: Annotated[Name, Field(description="Name inside the policy; exceptions call it POLICY/NAME.")]
    on: Annotated[
        Literal["manifest", "flow", "change"],
        Field(description="Subject: each manifest, each field flow of a sync or import, or each change of a plan."),
    ]
    kinds: Annotated[
        tuple[str, ...], Field(description="Kinds of the manifests, flows or changed objects it is about; empty: all.")
    ] = ()
    deny: Annotated[
        Cel | None, Field(description="CEL condition that is violated when it is true, or can't be evaluated.")
    ] = None
    require: Annotated[
        Cel | None, Field(description="CEL condition that is violated when it is false, or can't be evaluated.")
    ] = None
    message: Annotated[str, Field(min_length=1, description="What must be, in a sentence; shown with a violation.")]
    help: Annotated[str, Field(description="What to do about a violation; shown with it. Absent: the message.")] = ""
    severity: Annotated[
        Literal["error", "warning"], Field(description="An error denies the plan or run; a warning is only shown.")
    ] = "error"
    clause: Annotated[
        str, Field(description="Clause that it serves, such as GDPR Art. 44; shown with a violation.")
    ] = ""
    tests: Annotated[
        RuleTests, Field(description="What it allows and denies; `validate` and `syncline policy test` try it.")
    ] = RuleTests.model_construct()


class PolicyException(Spec):
    """An exception: counts until its end, for the named objects only."""

    rule: Annotated[
        str,
        Field(
            description="Rule that it suspends: POLICY/NAME of the same tenant. A shared policy suspends any but "
            "secrets, built-in ones such as residency too."
        ),
    ]
    objects: Annotated[
        tuple[Glob, ...],
        Field(
            min_length=1, description="Objects that it is for, with '*' for any text: acme/Sync/orders, acme/Sync/*."
        ),
    ]
    owner: Annotated[str, Field(pattern=r"\S", description="Who answers for it; shown wherever it counts.")]
    reason: Annotated[str, Field(pattern=r"\S", description="Why it is needed; shown wherever it counts.")]
    until: Annotated[dt.date, Field(strict=False, description="Last day (UTC) on which it counts, such as 2027-03-31.")]


class PolicySpec(Spec):
    """Rules that bind the tenants that name it, or every tenant when it is shared."""

    title: Annotated[str, Field(description="Name for people; it has no effect.")] = ""
    description: Annotated[str, Field(description="What it is for, for people; it has no effect.")] = ""
    packs: Annotated[
        tuple[Name, ...], Field(description="Other policies whose rules and exceptions bind whomever this one binds.")
    ] = ()
    rules: Annotated[tuple[PolicyRule, ...], Field(description="Conditions that every subject must hold to.")] = ()
    changes: Annotated[
        Changes | None,
        Field(
            description="Approvals and windows that changes need: those of the tenants that it binds, and shared ones."
        ),
    ] = None
    exceptions: Annotated[
        tuple[PolicyException, ...], Field(description="Objects that a rule is suspended for, each until a day.")
    ] = ()


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
    refers={"packs": ("Policy",)},
    list_keys={"rules": "name"},
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
