"""Databases that a tenant's `egress` doesn't name: told before a run is refused, as far as manifests tell."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec, connector_name
from syncline.kinds.tenant import TenantSpec
from syncline.manifests.flow import flows
from syncline.manifests.locations import servers, settings_of
from syncline.model.diagnostic import Diagnostic, Related, Severity
from syncline.model.hosts import is_local

if TYPE_CHECKING:
    from syncline.kinds.tenant import Egress
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest


def check_egress(desired: Desired) -> list[Diagnostic]:
    """
    Hosts of databases that a tenant denies (SYN916), and, as warnings, those that it doesn't name: whoever runs it may
    have named them as private. What only a secret or the DNS tells is found out by the run.
    """
    return [found for tenant, one in _used(desired) for found in _database(desired, tenant, one)]


def _used(desired: Desired) -> Iterator[tuple[Manifest, Manifest]]:
    """Tenants that say what may be reached, with their integrations and the shared ones that their flows use."""
    tenants = {
        manifest.key.name: manifest
        for manifest in desired.of_kind("Tenant")
        if isinstance(manifest.spec, TenantSpec) and _said(manifest.spec.egress)
    }
    if not tenants:
        return
    pairs = {(one.key.tenant, one.key): one for one in desired.of_kind("Integration")}
    for flow in flows(desired):
        for side in (flow.source, flow.target):
            pairs.setdefault((flow.key.tenant, side.integration.key), side.integration)
    for (tenant, _), integration in sorted(pairs.items(), key=lambda pair: (pair[0][0], pair[0][1])):
        if tenant in tenants:
            yield tenants[tenant], integration


def _said(egress: Egress) -> bool:
    return bool(egress.allow or egress.private or egress.deny)


def _database(desired: Desired, tenant: Manifest, integration: Manifest) -> Iterator[Diagnostic]:
    spec, bounds = integration.spec, tenant.spec
    assert isinstance(spec, IntegrationSpec)
    assert isinstance(bounds, TenantSpec)
    connector = desired.find(tenant.key.name, "Connector", *connector_name(spec.connector))
    if connector is None or not isinstance(connector.spec, ConnectorSpec) or connector.spec.runtime != "sql":
        return
    url = settings_of(spec, connector.spec).get("url")
    for name, _ in servers(url) if isinstance(url, str) else ():
        host = "127.0.0.1" if is_local(name) else name
        denied = _names(bounds.egress.deny, host, name)
        if not denied and _may_be(bounds.egress, name, host):
            continue
        does = "denies" if denied else "doesn't name"
        where = name or "this machine"
        yield Diagnostic(
            "SYN916",
            f"{integration.key} is at {where}, which the egress of tenant {tenant.key.name} {does}",
            integration.place_of("spec", "config", "url"),
            Severity.error if denied else Severity.warning,
            help="Name the host or its network in spec.egress.private of the Tenant, or, where it is public, in "
            "spec.egress.allow: databases are reached within the same bounds as APIs.",
            subject=str(integration.key),
            related=(Related(tenant.place_of("spec", "egress"), "what its flows may reach"),),
        )


def _may_be(egress: Egress, name: str, host: str) -> bool:
    """Whether a host may turn out to be within bounds, by what manifests tell of it."""
    if _names((*egress.private, *egress.allow), name, host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # the DNS says where it is
        return not egress.allow or any("/" in entry or _is_address(entry) for entry in (*egress.allow, *egress.private))
    return not egress.allow and address.is_global


def _names(entries: tuple[str, ...], *hosts: str) -> bool:
    from syncline.sdk.http.egress import names_host  # with all of HTTP, which `validate` needs for nothing else

    return any(names_host(entries, host) for host in hosts)


def _is_address(entry: str) -> bool:
    try:
        ipaddress.ip_address(entry.strip("[]"))
    except ValueError:
        return False
    return True
