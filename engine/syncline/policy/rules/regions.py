"""Regions: a tenant's integrations, and the shared ones that its flows use, are where the tenant says it may be."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.tenant import TenantSpec
from syncline.model.diagnostic import Place, Related
from syncline.model.key import ObjectKey
from syncline.policy.rule import Rule, Subjects, Violation, matches


def _outside(subjects: Subjects, subject: ObjectKey, name: str, region: str, place: Place) -> Iterator[Violation]:
    tenant = subjects.desired.find("", "Tenant", subject.tenant)
    if tenant is None or not isinstance(tenant.spec, TenantSpec) or not tenant.spec.regions:
        return
    if region and not matches(tenant.spec.regions, region):
        yield Violation(
            rule="regions",
            code="SYN503",
            subject=subject,
            message=f"integration {name} is in {region}, where tenant {subject.tenant} may not be",
            place=place,
            related=(Related(tenant.place_of("spec", "regions"), "the tenant's regions"),),
            expected=f"a region matching {', '.join(tenant.spec.regions)}",
            help="Use an endpoint in an allowed region, or have the tenant's owner add the region.",
        )


def check(subjects: Subjects) -> Iterator[Violation]:
    """An integration of a tenant, or a shared one under one of its flows, in a region that the tenant doesn't list."""
    for manifest in subjects.desired.of_kind("Integration"):
        if manifest.key.tenant and isinstance(manifest.spec, IntegrationSpec):
            for region in (manifest.spec.region, *(e.region for e in manifest.spec.endpoints)):
                place = manifest.place_of("spec", "region")
                yield from _outside(subjects, manifest.key, manifest.key.name, region, place)
    for flow in subjects.flows:
        for side, end in ((flow.source, "from"), (flow.target, "to")):
            if not side.integration.key.tenant:
                place = flow.manifest.place_of("spec", end)
                yield from _outside(subjects, flow.key, side.integration.key.name, side.region, place)


RULE = Rule("regions", "SYN503", "Integrations are in the regions of their tenant.", check)
