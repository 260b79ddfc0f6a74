"""What texts of a connector read that nothing gives: found by `validate`, and not by the first run, or by none."""

from __future__ import annotations

import pytest

from syncline.manifests.demands.expressions import check_expressions
from syncline.manifests.desired import Desired
from syncline.manifests.load import load_text
from syncline.manifests.shelf import Catalog

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec:
  version: 1.3.0
  auth: [AUTH]
  config: {properties: {site: {}, since: {format: date}}}
  http: {url: "https://api.example.com", errors: [{when: "RULE", do: retry, wait: "headers.\\"retry-after\\" || body.again"}]}
  streams:
    tickets:
      get: /tickets
      query: {q: ["TEXT"]}
      cursor: {field: at, start: START, into: {query.since: start}}
      errors: [{when: "OWN", do: skip}]
      filter: "FILTER"
      schema: {properties: {id: {type: integer}, at: {type: string, format: date-time}}}
"""
GOOD = {
    "AUTH": 'basic, {type: hmac, canonical: "{{ hostname }}{{ config.site }}", send: {headers.X: "{{ signature }}"}}',
    "TEXT": "{{ config.site | default('') }}",
    "START": "config.since",
    "RULE": "status == `400` && contains(body.errors[?code == 'x'].text[], 'y') || not_null(headers.date, body)",
    "OWN": "body.{a: status, b: x} | a == b",
    "FILTER": "!config('site') || contains(split(config('since')), at)",
}


def found(**changed):
    text = CONNECTOR
    for name, value in (GOOD | changed).items():
        text = text.replace(name, value)
    loaded = load_text(text, "helpdesk.yaml")
    assert not loaded.diagnostics
    return [(d.code, d.place.line, d.suggestion) for d in check_expressions(Desired.of(loaded.manifests, Catalog({})))]


def test_what_is_there():
    """Declared settings, names of a signed request, and facts of an answer, however they are written."""
    assert found() == []


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"TEXT": "{{ config.sight }}"}, (12, "config.site")),
        ({"TEXT": "{{ config.sight | default('') }}"}, (12, "config.site")),
        ({"START": "config.sinze"}, (13, "config.since")),
        ({"START": "config.since, window: config.sinze"}, (13, "config.since")),
        ({"START": "config.since, lookback: config.cite"}, (13, "config.site")),
        ({"START": "config.since, startWithin: config.cite"}, (13, "config.site")),
        ({"FILTER": "config('sites')"}, (15, "config.site")),
        ({"FILTER": "contains(split(config('sinze')), at)"}, (15, "config.since")),
        ({"AUTH": '{type: hmac, canonical: "{{ config.sites }}"}'}, (6, "config.site")),
        ({"AUTH": '{type: hmac, canonical: "{{ metod }}"}'}, (6, "method")),
        ({"AUTH": '{type: hmac, canonical: "{{ signature }}"}'}, (6, "")),
        ({"AUTH": '{type: hmac, canonical: "x", send: {headers.X: "{{ signatur }}"}}'}, (6, "signature")),
        ({"RULE": "statuss == `400`"}, (8, "status")),
        ({"RULE": "error.code == 'x'"}, (8, "")),
        ({"OWN": "length(errors[?code == 'x']) > `0`"}, (14, "")),
        ({"OWN": "bodies | code == 'x'"}, (14, "body")),
    ],
)
def test_what_is_not_there(changed, place):
    """At its place, with what was meant where that is near."""
    assert found(**changed) == [("SYN213", *place)]


ENDLESS = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec:
  version: 1.3.0
  http: {url: "https://api.example.com"}
  streams:
    exports:
      job:
        create: {post: /exports}
        id: body.id
        poll: {get: "/exports/{{ job.id }}", every: 1s, maxEvery: 1m, done: body.done}
        download: {get: "/exports/{{ job.id }}/file"}
      cursor: {field: at, window: 7d, start: "2026-01-01", into: {query.since: start, query.until: end}}
      page: {page: query.page, size: {query.size: 100}}
      schema: {properties: {at: {type: string, format: date-time}}}
"""


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("window: 7d", "window: 0s", "helpdesk.yaml:14:35"),
        ("every: 1s", "every: 0s", "helpdesk.yaml:12:53"),
        ("maxEvery: 1m", "maxEvery: 0s", "helpdesk.yaml:12:67"),
        ("size: 100", "size: 0", "helpdesk.yaml:15:51"),
    ],
)
def test_what_would_never_end(before, after, place):
    """Spans without length, polls without a wait and pages without records are refused before anything is asked."""
    assert load_text(ENDLESS, "helpdesk.yaml").diagnostics == ()
    wrong = load_text(ENDLESS.replace(before, after), "helpdesk.yaml").diagnostics
    assert [(d.code, str(d.place)) for d in wrong] == [("SYN205", place)]
