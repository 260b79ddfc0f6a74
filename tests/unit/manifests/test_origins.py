"""Requests that a connector writes out have to be at each endpoint that an integration has in place of its URL."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: desk}
spec:
  version: 1.0.0
  title: Desk
  config: {properties: {site: {type: string}}}
  http: {url: URL}
  check: {get: CHECK}
  streams:
    tickets: {get: TICKETS, records: "data[]"}
"""
INTEGRATION = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: desk, tenant: acme}
spec: {connector: desk@^1, config: {site: eu}, region: eu, endpoints: ENDPOINTS}
"""
BASE, EU, US = "https://desk.example", "https://eu.desk.example", "https://us.desk.example"


def told(endpoints: str, *, url: str = BASE, check: str = "/me", tickets: str = "/tickets") -> list[str]:
    """Place and message of each SYN406 about an integration with some endpoints."""
    connector = CONNECTOR.replace("URL", f'"{url}"').replace("CHECK", f'"{check}"').replace("TICKETS", f'"{tickets}"')
    results = [
        load_text(connector, "connector.yaml"),
        load_text(INTEGRATION.replace("ENDPOINTS", endpoints), "integration.yaml"),
        load_text(
            "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {regions: [eu, us]}\n", "t.yaml"
        ),
    ]
    found = [manifest for result in results for manifest in result.manifests]
    return [
        f"{d.place.line}:{d.place.column} {d.message}"
        for d in resolve(found).diagnostics
        if d.code == "SYN406" and d.place is not None and d.place.file == "integration.yaml"
    ]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"tickets": f"{EU}/tickets"},
        {"tickets": "https://{{ config.site }}.desk.example/tickets"},
        {"tickets": "https://eu.desk.example:443/tickets", "check": f"{EU}/me"},
    ],
)
def test_what_is_at_the_endpoint_is_well(how):
    """A path, what a template says, and a URL that is written out at the same origin, by its port as well."""
    assert told(f'[{{region: eu, url: "{EU}/v2"}}]', url="https://{{ config.site }}.desk.example", **how) == []


def test_a_request_at_another_origin_than_the_endpoint_is_told_at_the_endpoint():
    """A request that is written out at the connector's own URL is none of an endpoint that takes its place."""
    (found,) = told(f'[{{region: eu, url: "{EU}"}}]', tickets=f"{BASE}/tickets")
    assert found.endswith(f" streams.tickets.get of the connector goes to {BASE}, and this endpoint is at {EU}")


def test_each_endpoint_is_looked_at_and_told_once():
    """Of several regions the one that a request isn't at is told, with the first of such requests."""
    both = f'[{{region: eu, url: "{EU}"}}, {{region: us, url: "{US}"}}]'
    (found,) = told(both, url="https://{{ config.site }}.desk.example", check=f"{EU}/me", tickets=f"{EU}/tickets")
    assert found.endswith(f" check.get of the connector goes to {EU}, and this endpoint is at {US}")


def test_an_endpoint_that_a_template_gives_is_left_to_the_run():
    """Where it isn't known what an endpoint is, nothing is said."""
    assert told('[{region: eu, url: "https://{{ config.site }}.desk.example"}]', tickets=f"{EU}/tickets") == []
