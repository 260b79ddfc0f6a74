"""Findings about webhooks that integrations declare at their systems."""

from __future__ import annotations

import pytest

from syncline import workflow
from tests import repository

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: forge}
spec:
  version: 1.0.0
  title: Forge
  auth: [bearer]
  config:
    properties:
      repository: {type: string}
  http: {url: "https://forge.example.com"}
  check: {get: /me}
  webhooks:
    stream: hooks
    create: {post: /hooks, body: {url: "{{ webhook.url }}"}}
    delete: {delete: "/hooks/{{ webhook.id }}"}
  streams:
    hooks: {get: /hooks, records: data, key: [id]}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: forge, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: FORGE}}}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: again, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: FORGE}}}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: other, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: OTHER}}}
"""

#: An integration `two`, as `one` is but for what is given.
TWO = """\
apiVersion: syncline/v1
kind: Integration
metadata: {{name: two, tenant: acme}}
spec:
  connector: forge@^1
  auth: {auth}
  config: {{repository: {repository}}}
  limits: {{account: {account}}}
  webhooks:
    tags: {{url: "{url}"}}
"""
ONE = (
    TWO.format(auth="forge", repository="a", account="null", url="https://x.example/hook")
    .replace("two", "one")
    .replace("tags", "push")
)


def found(root, two: str, one: str = ONE):
    """The findings of SYN725 in a repository with both."""
    files = {"forge.yaml": CONNECTOR, "one.yaml": one, "two.yaml": two}
    settings = repository.write(root, {**repository.CUSTOMERS, **files})
    diagnostics = workflow.validate(settings, mapping_tests=False).diagnostics
    assert {d.code for d in diagnostics if d.severity == "error"} <= {"SYN725"}, diagnostics
    return [d for d in diagnostics if d.code == "SYN725"]


@pytest.mark.parametrize(
    ("auth", "account", "first"),
    [("forge", "null", "null"), ("again", "null", "null"), ("other", "shared", "shared")],
)
def test_a_webhook_is_declared_once_at_an_account(tmp_path, auth, account, first):
    """Two integrations of one account that have webhooks to one URL are told of, with the places of both."""
    two = TWO.format(auth=auth, repository="a", account=account, url="https://x.example/hook")
    (finding,) = found(tmp_path, two, ONE.replace("account: null", f"account: {first}"))
    assert finding.subject == "acme/Integration/two"
    assert "'push' of acme/Integration/one is sent to https://x.example/hook from the same account" in finding.message
    assert str(finding.place) == "two.yaml:10:17"
    assert [str(related.place) for related in finding.related] == ["one.yaml:10:17"]


def test_an_integration_names_a_url_once(tmp_path):
    """Two webhooks of one integration to one URL are told of as well."""
    two = TWO.format(auth="other", repository="b", account="null", url="https://y.example/hook")
    (finding,) = found(tmp_path, two + '    more: {url: "https://y.example/hook"}\n')
    assert finding.message.startswith("the webhook 'tags' is sent to")
    assert (str(finding.place), str(finding.related[0].place)) == ("two.yaml:11:17", "two.yaml:10:17")


@pytest.mark.parametrize(
    ("auth", "repository_", "account", "url"),
    [
        ("other", "a", "null", "https://x.example/hook"),
        ("forge", "b", "null", "https://x.example/hook"),
        ("forge", "a", "null", "https://x.example/other"),
        ("forge", "b", "shared", "https://x.example/hook"),
    ],
)
def test_other_accounts_and_urls_are_left_alone(tmp_path, auth, repository_, account, url):
    """Webhooks of other credentials, of another place at the system, or to another URL are each their own."""
    assert found(tmp_path, TWO.format(auth=auth, repository=repository_, account=account, url=url)) == []
