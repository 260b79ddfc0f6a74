"""The small languages inside connectors are compiled when manifests are validated."""

from __future__ import annotations

import pytest

from syncline.manifests.catalog import catalog
from syncline.manifests.demands.expressions import check_expressions
from syncline.manifests.desired import Desired
from syncline.manifests.load import load_text
from syncline.manifests.shelf import Catalog

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: api}
spec:
  version: 1.0.0
  config: {properties: {site: {}, since: {}}}
  http: {url: "https://example.com/{{ config.site }}", errors: [{when: "status == `404`", do: skip}]}
  check: {get: /me}
  streams:
    items:
      get: /items
      records: data[]
      query: {from: "{{ config.since }}"}
      page: {cursor: meta.next, into: query.cursor}
      write: {create: {post: /items, body: {name: "{{ record.name }}"}}}
    exports:
      filter: "status == 'open'"
      fields: {add: {site: "{{ config.site }}", mail: who.mail}}
      errors: [{when: "body.again", do: retry, wait: body.after, message: "busy until {{ body.after }}"}]
      job:
        create: {post: /exports, form: {since: "{{ now }}"}}
        id: body.key
        poll: {get: "/exports/{{ job.id }}", done: "body.done", failed: body.failed, message: body.why}
        download: {url: body.urls}
        delete: {delete: "/exports/{{ job.id }}"}
    files:
      for: {each: items, as: item}
      file: {url: "{{ item.url }}"}
    graph:
      post: /graphql
      graphql: {query: "query { a }", variables: {site: "{{ config.site }}"}}
    raw:
      post: /raw
      raw: {text: "<since>{{ config.since }}</since>"}
"""


def findings(text: str) -> list[tuple[str, str]]:
    """Code and place of each finding."""
    loaded = load_text(text, "api.yaml")
    assert not loaded.diagnostics
    return [(d.code, str(d.place)) for d in check_expressions(Desired.of(loaded.manifests, Catalog({})))]


def test_valid_expressions_give_no_finding() -> None:
    """A connector whose templates and expressions compile is passed over."""
    assert findings(CONNECTOR) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("get: /me", 'get: "/things of/ä?x=ü"'),
        ("get: /items", r'get: "/items/{{ config.since\n  | default(0) }}"'),
        ('"https://example.com/{{ config.site }}"', '"https://example.com/things of/ä"'),
        ('"https://example.com/{{ config.site }}"', '"https://{{ config.site }}.example.com/ä"'),
        ('"https://example.com/{{ config.site }}"', r'"https://example.com/\n"'),
    ],
)
def test_what_a_url_is_percent_encoded_for_is_no_finding(before: str, after: str) -> None:
    """Spaces and umlauts in a path are sent percent-encoded, and values may be written over several lines."""
    assert CONNECTOR.count(before)
    assert findings(CONNECTOR.replace(before, after, 1)) == []


@pytest.mark.parametrize(
    ("before", "after", "code", "place"),
    [
        ("records: data[]", 'records: "data[["', "SYN253", "api.yaml:12:16"),
        ("get: /me", r'get: "/me\n"', "SYN205", "api.yaml:8:16"),
        ("post: /items", r'post: "/items\there"', "SYN205", "api.yaml:15:30"),
        ("{post: /exports", r'{post: "/exports\n"', "SYN205", "api.yaml:21:24"),
        ('"https://example.com/{{ config.site }}"', "'https://bücher.example'", "SYN205", "api.yaml:7:15"),
        ('"https://example.com/{{ config.site }}"', "'ftp://example.com'", "SYN205", "api.yaml:7:15"),
        ('"https://example.com/{{ config.site }}"', "'https://ada@example.com'", "SYN205", "api.yaml:7:15"),
        ("cursor: meta.next", 'cursor: "meta."', "SYN253", "api.yaml:14:22"),
        ("status == `404`", "status ==", "SYN253", "api.yaml:7:72"),
        ("get: /items", 'get: "/{{ range(9) }}"', "SYN430", "api.yaml:11:12"),
        ("{{ config.since }}", "{% for x in y %}{% endfor %}", "SYN430", "api.yaml:13:21"),
        ("{{ record.name }}", "{{ record.name ", "SYN430", "api.yaml:15:51"),
        ("status == 'open'", "status = 'open'", "SYN253", "api.yaml:17:15"),
        ('site: "{{ config.site }}", mail', 'site: "{{ config.site", mail', "SYN430", "api.yaml:18:28"),
        ("who.mail", "who..mail", "SYN253", "api.yaml:18:55"),
        ("wait: body.after", "wait: body.", "SYN253", "api.yaml:19:54"),
        ("{{ body.after }}", "{{ body.after() }}", "SYN430", "api.yaml:19:75"),
        ("{{ now }}", "{{ start | nope }}", "SYN430", "api.yaml:21:48"),
        ("{{ now }}", "{{ now | minus('7 days') }}", "SYN430", "api.yaml:21:48"),
        ("{{ now }}", "{{ now | date('%Q') }}", "SYN430", "api.yaml:21:48"),
        ("id: body.key", "id: body.", "SYN253", "api.yaml:22:13"),
        ("body.done", "body..done", "SYN253", "api.yaml:23:52"),
        ("body.urls", "body..urls", "SYN253", "api.yaml:24:25"),
        ('delete: "/exports/{{ job.id }}', 'delete: "/exports/{{ job.id', "SYN430", "api.yaml:25:26"),
        ("{{ item.url }}", "{{ item.url | }}", "SYN430", "api.yaml:28:19"),
        ('variables: {site: "{{ config.site }}', 'variables: {site: "{{ 1 + 1 }}', "SYN430", "api.yaml:31:57"),
        ("<since>{{ config.since }}", "<since>{{ [] }}", "SYN430", "api.yaml:34:19"),
    ],
)
def test_each_place_of_an_expression_is_compiled(before: str, after: str, code: str, place: str) -> None:
    """A mistake in any of them is found, at its place."""
    assert before in CONNECTOR

    assert findings(CONNECTOR.replace(before, after, 1)) == [(code, place)]


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("get: /items", 'get: "/items/{{ config.password }}"', "api.yaml:11:12"),
        ("{{ config.since }}", "{{ config.password | default('') }}", "api.yaml:13:21"),
        ("{{ record.name }}", "{{ record.name if config.password else '' }}", "api.yaml:15:51"),
        ("<since>{{ config.since }}", "<since>{{ config.password }}", "api.yaml:34:19"),
    ],
)
def test_a_secret_setting_is_in_no_template_of_a_request(before: str, after: str, place: str) -> None:
    """URLs, parameters and bodies are shown: a setting that is declared as secret is found where one reads it."""
    text = CONNECTOR.replace("since: {}}", "since: {}, password: {secret: true}}", 1)

    assert findings(text) == []
    assert findings(text.replace(before, after, 1)) == [("SYN254", place)]


@pytest.mark.parametrize(
    ("before", "after", "code", "place"),
    [
        ("status == 'open'", "config('site') && config('since')", "", ""),
        ("cursor: meta.next, ", "cursor: meta.next, last: \"config('site')\", ", "", ""),
        ("each: items, ", "each: items, only: \"contains(split(config('site')), id)\", ", "", ""),
        ("status == 'open'", "config(site)", "SYN253", "api.yaml:17:15"),
        ("status == 'open'", "config()", "SYN253", "api.yaml:17:15"),
        ("status == 'open'", "config('site', 'x')", "SYN253", "api.yaml:17:15"),
        ("status == 'open'", "config(`7`)", "SYN253", "api.yaml:17:15"),
        ("status == 'open'", "contains(split(tags), 'a')", "SYN253", "api.yaml:17:15"),
        ("status == 'open'", "items[?id == config('password')]", "SYN254", "api.yaml:17:15"),
        ("each: items, ", "each: items, only: \"config('password')\", ", "SYN254", "api.yaml:27:32"),
        ("cursor: meta.next", "cursor: \"config('site')\"", "SYN253", "api.yaml:14:22"),
        ("records: data[]", "records: \"config('site')\"", "SYN253", "api.yaml:12:16"),
        ("status == `404`", "config('site')", "SYN253", "api.yaml:7:72"),
        ("who.mail", "config('site')", "SYN253", "api.yaml:18:55"),
    ],
)
def test_settings_stand_in_conditions(before: str, after: str, code: str, place: str) -> None:
    """In those of the connector itself, by their names, where they are no secrets; nowhere else."""
    text = CONNECTOR.replace("since: {}}", "since: {}, password: {secret: true}}", 1)
    assert before in text

    assert findings(text.replace(before, after, 1)) == ([(code, place)] if code else [])


def test_the_catalogue_compiles() -> None:
    """Every shipped connector passes its own check."""
    assert check_expressions(Desired.of(catalog().values(), Catalog({}))) == []


AUTH = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: api}
spec:
  version: 1.0.0
  auth:
  - type: session
    steps: [{post: "/login/{{ config.site }}", body: {p: "{{ auth.p }}"}, take: {t: body.t}}]
    send: {headers.X-T: "{{ t }}"}
  - {type: hmac, canonical: "{{ method }}", send: {headers.X-S: "{{ signature }}"}}
  - {type: http_signature, components: ["@method", content-digest, x-trace;sf, x-trace;key=a], structures: {X-Trace: dictionary}}
  config: {properties: {site: {}}}
  http: {url: "https://example.com"}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: a}
spec: {type: oauth2, grant: device_code, clientId: a, tokenUrl: "https://{{ config.site }}/t"}
"""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("{{ auth.p }}", "{{ auth.p( }}"), "SYN430"),
        (("/login/{{ config.site }}", "/login/{{ 7 * 7 }}"), "SYN430"),
        (("take: {t: body.t}", "take: {t: 'body.'}"), "SYN253"),
        (("{{ signature }}", "{{ range(3) }}"), "SYN430"),
        (("{{ method }}", "{% for x in y %}"), "SYN430"),
        (("https://{{ config.site }}/t", "https://{{ config.site }/t"), "SYN430"),
    ],
)
def test_expressions_of_authentication(change: tuple[str, str], code: str) -> None:
    """Templates and expressions of logins and signatures are compiled, in connectors and in AuthConfigs."""
    assert findings(AUTH) == []
    assert [found for found, _ in findings(AUTH.replace(*change))] == [code]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (('post: "/login', 'get: /x, post: "/login'), "SYN211"),
        (("body: {p", "form: {a: b}, body: {p"), "SYN211"),
        (("headers.X-T", "header"), "SYN216"),
        (("headers.X-S", "body.sig"), "SYN216"),
        (("@method", "@status"), "SYN270"),
        (("@method", "x trace"), "SYN270"),
        (("@method", "x-trace;KEY=a"), "SYN270"),
        (("@method", "x-trace; key=a"), "SYN270"),
        (("x-trace;key=a", "x-trace;key"), "SYN270"),
        (("x-trace;key=a", "date;sf"), "SYN270"),
    ],
)
def test_what_else_is_wrong_with_a_login(change: tuple[str, str], code: str) -> None:
    """A step has one method and one body; values go into headers, query or cookies, and a signature
    not into the body; what a message signature covers is in requests, once.
    """
    assert [d.code for d in load_text(AUTH.replace(*change), "api.yaml").diagnostics] == [code]


@pytest.mark.parametrize(
    ("url", "codes"),
    [("https://eu.example.com/things of/ä", []), ("https://bücher.example", ["SYN205"]), ("https://", ["SYN205"])],
)
def test_endpoints_can_be_asked(url: str, codes: list[str]) -> None:
    """A path is percent-encoded when it is sent; a host that isn't in ASCII, or isn't there, would stop every run."""
    head = "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: api, tenant: acme}\n"
    found = findings(f"{head}spec: {{connector: c, endpoints: [{{region: eu, url: '{url}'}}]}}\n")
    assert found == [(code, "api.yaml:4:52") for code in codes]
