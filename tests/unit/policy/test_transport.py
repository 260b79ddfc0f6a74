"""Transport: what reaches another machine without TLS, by whichever manifest says so."""

from __future__ import annotations

import pytest

from syncline.policy.check import diagnostics
from tests.repository import CUSTOMERS
from tests.unit.policy.decisions import decide, denied

API = """\
apiVersion: syncline/v1
kind: Connector
metadata: {{name: api}}
spec:
  version: 1.0.0
  config: {{properties: {{url: {{format: uri, default: "http://127.0.0.1"}}, host: {{}}}}}}
  http: {{url: "{url}"}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {{name: api, tenant: acme}}
spec: {{connector: api@^1, region: eu-west, {settings}}}
"""
DATABASE = """\
apiVersion: syncline/v1
kind: Integration
metadata: {{name: lake, tenant: acme}}
spec: {{connector: postgresql@^1, region: eu-west, config: {{url: "{url}"}}}}
"""


def test_what_is_asked_of_tls_demands_it() -> None:
    """A database with `tls` is spoken to with its certificate verified, whatever mode its URL has."""
    url = "postgresql://db.example.com/lake?sslmode=disable"
    declared = DATABASE.format(url=url).replace("region: eu-west", "region: eu-west, tls: {ca: ca.pem}")

    assert [r.rule for r in decide({**CUSTOMERS, "db.yaml": DATABASE.format(url=url)}) if r.rule == "transport"]
    assert not [r.rule for r in decide({**CUSTOMERS, "db.yaml": declared}) if r.rule == "transport" and not r.allowed]


@pytest.mark.parametrize(
    ("url", "settings", "rules"),
    [
        ("{{ config.url }}", "config: {url: 'http://api.example.com'}", ["transport"]),
        ("{{ config.url }}", "config: {url: 'HTTP://api.example.com'}", ["transport"]),
        ("{{ config.url }}", "config: {url: 'http://127.0.0.1:1'}", []),
        ("{{ config.url }}", "config: {url: 'https://api.example.com'}", []),
        ("http://api.example.com", "", ["transport"]),
        ("http://{{ config.host }}/v1", "config: {host: api.example.com}", ["transport"]),
        ("http://{{ config.host }}/v1", "", ["transport"]),
        ("http://{{ config.host }}/v1", "config: {host: localhost}", []),
        ("http://127.8.0.1/", "", []),
        ("http://[::1]:8080/", "", []),
        ("http://api.example.com", "endpoints: [{region: eu-west, url: 'https://api.example.com'}]", []),
        ("https://api.example.com", "endpoints: [{region: eu-west, url: 'http://api.example.com'}]", ["transport"]),
    ],
)
def test_other_machines_are_reached_over_tls(url: str, settings: str, rules: list[str]) -> None:
    """Plain HTTP is for this machine only: in a setting, in an endpoint, and in the connector's own URL."""
    assert denied({**CUSTOMERS, "api.yaml": API.format(url=url, settings=settings)}) == rules


def test_a_connectors_url_is_named_with_its_place() -> None:
    """The finding about a connector's URL stands there, and is about the integration that uses it."""
    (result,) = [
        r for r in decide({**CUSTOMERS, "api.yaml": API.format(url="http://x.example", settings="")}) if not r.allowed
    ]

    assert result.object == "acme/Integration/api"
    assert result.diagnostic is not None
    assert str(result.diagnostic.place) == "api.yaml:7:15"


def test_a_connectors_default_is_an_address_too() -> None:
    """A setting that the integration leaves out is what the connector says."""
    text = API.format(url="{{ config.url }}", settings="").replace("http://127.0.0.1", "http://api.example.com")

    assert denied({**CUSTOMERS, "api.yaml": text}) == ["transport"]


@pytest.mark.parametrize(
    ("url", "severities"),
    [
        ("postgresql://db.example.com/lake?sslmode=disable", ["error"]),
        ("postgresql://db.example.com/lake?sslmode=allow", ["error"]),
        ("postgresql:///lake?host=db.example.com&sslmode=disable", ["error"]),
        ("postgresql://localhost,db.example.com/lake?sslmode=disable", ["error"]),
        ("postgresql://db.example.com:5432/lake", []),
        ("postgresql://db.example.com/lake?sslmode=prefer", ["warning"]),
        ("postgresql://db.example.com/lake?sslmode=verify-full", []),
        ("postgresql://db.example.com/lake?sslmode=require", []),
        ("postgresql://127.0.0.1:5432/lake?sslmode=disable", []),
        ("postgresql://[::1]:5432/lake", []),
        ("postgresql:///lake?host=/run/postgresql", []),
    ],
)
def test_databases_are_reached_over_tls(url: str, severities: list[str]) -> None:
    """An sslmode without TLS is denied for another machine; one that only prefers it is warned of. Without one it is demanded."""
    found = diagnostics(decide({**CUSTOMERS, "lake.yaml": DATABASE.format(url=url)}))

    assert [d.severity for d in found] == severities


@pytest.mark.parametrize(
    ("config", "severities"),
    [
        ("url: 'mariadb://db.example.com/lake'", []),
        ("url: 'mariadb://db.example.com/lake', tls: verify", []),
        ("url: 'mariadb://db.example.com/lake', tls: 'off'", ["error"]),
        ("url: 'mariadb://127.0.0.1/lake', tls: 'off'", []),
    ],
)
def test_mariadb_is_reached_over_tls(config: str, severities: list[str]) -> None:
    """TLS is what MariaDB is spoken to over unless it is switched off, which is denied for another machine."""
    text = DATABASE.format(url="URL").replace('url: "URL"', config).replace("postgresql@^1", "mariadb@^1")
    found = diagnostics(decide({**CUSTOMERS, "lake.yaml": text}))

    assert [d.severity for d in found] == severities


OAUTH = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {{name: api, tenant: acme}}
spec: {{type: oauth2, grant: client_credentials, clientId: a, {own}clientSecret: {{secretRef: {{provider: env, key: K}}}}}}
"""


@pytest.mark.parametrize(
    ("own", "offered", "rules"),
    [
        ("", "https://id.example.com/token", []),
        ("", "http://id.example.com/token", ["transport"]),
        ("", "http://127.0.0.1:7001/token", []),
        ("tokenUrl: 'http://id.example.com/token', ", "https://id.example.com/token", ["transport"]),
        ("tokenUrl: 'https://id.example.com/token', ", "http://id.example.com/token", []),
    ],
)
def test_tokens_are_got_over_tls(own: str, offered: str, rules: list[str]) -> None:
    """Credentials are sent to a token endpoint: it is reached over TLS, whoever declares it."""
    api = API.format(url="https://api.example.com", settings="auth: api")
    api = api.replace("version: 1.0.0", f"version: 1.0.0\n  auth: [{{type: oauth2, tokenUrl: '{offered}'}}]")

    assert denied({**CUSTOMERS, "api.yaml": api, "auth.yaml": OAUTH.format(own=own)}) == rules


@pytest.mark.parametrize(
    ("url", "rules"), [("http://hooks.example.com/a", ["transport"]), ("https://hooks.example.com/a", [])]
)
def test_webhooks_go_over_tls(url: str, rules: list[str]) -> None:
    """A subscription's webhook on another machine is reached over TLS."""
    hook = f"""\
apiVersion: syncline/v1
kind: Subscription
metadata: {{name: ops, tenant: acme}}
spec: {{on: [incident], do: {{webhook: {{url: "{url}", secret: {{secretRef: {{provider: env, key: K}}}}}}}}}}
"""
    assert denied({**CUSTOMERS, "hook.yaml": hook}) == rules


@pytest.mark.parametrize(
    ("host", "tls", "rules"),
    [("mail.example.com", "none", ["transport"]), ("mail.example.com", "starttls", []), ("localhost", "none", [])],
)
def test_mail_goes_over_tls(host: str, tls: str, rules: list[str]) -> None:
    """A mail server on another machine gets nothing in the clear; one on this machine may."""
    mail = f"""\
apiVersion: syncline/v1
kind: Integration
metadata: {{name: mail, tenant: acme}}
spec: {{connector: smtp@^1, region: eu-west, config: {{host: {host}, tls: {tls}, from: a@example.com}}}}
"""
    assert denied({**CUSTOMERS, "mail.yaml": mail}) == rules
