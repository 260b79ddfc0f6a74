"""Regions: a tenant's integrations are where the tenant says it may be."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.tenant import TenantSpec
from syncline.model.diagnostic import Related
from syncline.policy.rule import Rule, Subjects, Violation, matches


def check(subjects: Subjects) -> Iterator[Violation]:
    """An integration of a tenant in a region that the tenant doesn't list."""
    for key, manifest in subjects.desired.objects.items():
        if key.kind != "Integration" or not isinstance(manifest.spec, IntegrationSpec):
            continue
        tenant = subjects.desired.find("", "Tenant", key.tenant)
        if tenant is None or not isinstance(tenant.spec, TenantSpec) or not tenant.spec.regions:
            continue
        declared = [manifest.spec.region, *(e.region for e in manifest.spec.endpoints)]
        for region in filter(None, declared):
            if not matches(tenant.spec.regions, region):
                yield Violation(
                    rule="regions",
                    code="SYN503",
                    subject=key,
                    message=f"integration {key.name} is in {region}, where tenant {key.tenant} may not be",
                    place=manifest.place_of("spec", "region"),
                    related=(Related(tenant.place_of("spec", "regions"), "the tenant's regions"),),
                    expected=f"a region matching {', '.join(tenant.spec.regions)}",
                    help="Use an endpoint in an allowed region, or have the tenant's owner add the region.",
                )


RULE = Rule("regions", "SYN503", "Integrations are in the regions of their tenant.", check)
