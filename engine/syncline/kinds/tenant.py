"""Tenant: regions and residency, classes of data and where they may go, quotas, access, keys, binding policies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncline.kinds.base import Duration, Glob, Name, Rate, Spec
from syncline.model.kind import Kind, Reference

#: How a field can be protected on its way; `drop` never leaves the pipeline at all.
Protection = Literal["drop", "mask", "hash"]


class Residency(Spec):
    """Data of these classes may flow only to integrations in these regions."""

    classes: Annotated[tuple[Glob, ...], Field(min_length=1, description="Data classes, such as pii.*.")]
    regions: Annotated[tuple[Glob, ...], Field(min_length=1, description="Regions that may hold them, such as eu-*.")]
    unless: Annotated[tuple[Protection, ...], Field(description="Protections under which they may flow anywhere.")] = (
        "drop",
    )


class ClassRule(Spec):
    """Where data of these classes may go, by integration."""

    classes: Annotated[tuple[Glob, ...], Field(min_length=1, description="Data classes, such as pci.*.")]
    allow: Annotated[tuple[Glob, ...], Field(description="Integrations that may receive them; others may not.")] = ()
    deny: Annotated[tuple[Glob, ...], Field(description="Integrations that may not receive them.")] = ()
    unless: Annotated[tuple[Protection, ...], Field(description="Protections under which the rule doesn't apply.")] = (
        "drop",
    )


class Quotas(Spec):
    """Upper bounds for everything the tenant runs."""

    requests: Annotated[Rate | None, Field(description="Requests to outside systems.")] = None
    concurrent_runs: Annotated[int | None, Field(ge=1, description="Runs at the same time.")] = None
    rows_per_day: Annotated[int | None, Field(ge=1, description="Rows written a day.")] = None
    spool: Annotated[str | None, Field(pattern=r"^\d+(Ki|Mi|Gi)$", description="Disk for spool and rejects: 10Gi.")] = (
        None
    )


class Access(Spec):
    """Who may do what, and from where."""

    roles: Annotated[
        dict[Literal["viewer", "operator", "engineer", "security", "admin"], tuple[str, ...]],
        Field(description="Subjects (users or groups) by role."),
    ] = {}
    cidrs: Annotated[tuple[str, ...], Field(description="Networks that may reach the API for this tenant.")] = ()


class Keys(Spec):
    """The tenant's data-encryption keys."""

    rotation: Annotated[Duration, Field(description="Age at which a data key is replaced.")] = "365d"


class TenantSpec(Spec):
    """A tenant: whose data it is, where it may be, and what binds it."""

    title: Annotated[str, Field(description="Name for people.")] = ""
    owner: Annotated[str, Field(description="Who answers for it.")] = ""
    regions: Annotated[tuple[Glob, ...], Field(description="Regions that its integrations may be in; empty: any.")] = ()
    residency: Annotated[tuple[Residency, ...], Field(description="Regions by class of data.")] = ()
    classes: Annotated[tuple[ClassRule, ...], Field(description="Integrations by class of data.")] = ()
    quotas: Quotas = Quotas.model_construct()
    access: Access = Access.model_construct()
    keys: Keys = Keys.model_construct()
    policies: Annotated[tuple[Name, ...], Field(description="Policies that bind it, besides the shared ones.")] = ()


def _references(spec: BaseModel) -> tuple[Reference, ...]:
    assert isinstance(spec, TenantSpec)
    return tuple(Reference("Policy", name, ("spec", "policies", i)) for i, name in enumerate(spec.policies))


KIND = Kind(
    name="Tenant",
    plural="tenants",
    spec=TenantSpec,
    scope="shared",
    order=0,
    summary="Whose data it is: regions and residency, where classes of data may go, quotas, access, keys, policies.",
    references=_references,
    example="""\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec:
  title: Acme GmbH
  regions: [eu-*]
  residency:
  - {classes: [pii.*], regions: [eu-*], unless: [drop, hash]}
""",
)
