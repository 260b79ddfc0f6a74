"""Versions of connectors compared: what is breaking, what isn't, and which version that demands."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from syncline.kinds.connector import ConnectorSpec
from syncline.manifests.demands.bumps import bump, finding, pairs, side_by_side
from syncline.manifests.evolution import Level, demanded, evolved
from syncline.manifests.load import load_text
from tests.repository import desired

BASE: dict[str, Any] = {
    "version": "1.3.0",
    "auth": ["bearer", "api_key"],
    "config": {
        "properties": {"url": {"format": "uri"}, "site": {"enum": ["eu", "us"], "default": "eu"}},
        "required": ["url"],
    },
    "http": {"url": "{{ config.url }}", "timeout": "30s"},
    "streams": {
        "tickets": {
            "get": "/tickets",
            "key": ["id"],
            "cursor": {"field": "at", "lookback": "5m"},
            "schema": {
                "required": ["id"],
                "properties": {
                    "id": {"type": "integer"},
                    "at": {"type": "string", "format": "date-time"},
                    "who": {"type": "object", "properties": {"mail": {"type": "string", "x-class": "pii.email"}}},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}
TICKETS = ("streams", "tickets")
FIELDS = (*TICKETS, "schema", "properties")


def spec(data: dict[str, Any]) -> ConnectorSpec:
    """A connector's spec."""
    return ConnectorSpec.model_validate_json(json.dumps(data))


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The base with another value at a path; None removes it."""
    data = copy.deepcopy(BASE)
    node = data
    for name in path[:-1]:
        node = node.setdefault(name, {})
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "level"),
    [
        (("title",), "Helpdesk", Level.fix),
        (("http", "timeout"), "60s", Level.fix),
        (("http", "url"), "https://other.example.com", Level.breaking),
        (("auth",), ["bearer"], Level.breaking),
        (("auth",), ["bearer", "api_key", "basic"], Level.additive),
        (("auth",), ["bearer", "api_key", "none"], Level.additive),
        (("auth",), ["bearer", {"type": "api_key", "name": "X-Other"}], Level.breaking),
        (("config", "properties", "page"), {"type": "integer"}, Level.additive),
        (("config", "properties", "site"), None, Level.breaking),
        (("config", "required"), ["url", "site"], Level.additive),
        (("config", "required"), [], Level.additive),
        (("config", "properties", "url", "type"), "integer", Level.breaking),
        (("config", "properties", "site", "enum"), ["eu"], Level.breaking),
        (("config", "properties", "site", "enum"), ["eu", "us", "jp"], Level.additive),
        (("config", "properties", "site", "default"), "us", Level.breaking),
        (("config", "properties", "url", "secret"), True, Level.breaking),
        (("streams", "users"), {"get": "/users"}, Level.additive),
        (TICKETS, None, Level.breaking),
        ((*TICKETS, "get"), "/v2/tickets", Level.fix),
        ((*TICKETS, "key"), ["id", "at"], Level.breaking),
        ((*TICKETS, "cursor"), None, Level.breaking),
        ((*TICKETS, "cursor", "field"), "id", Level.breaking),
        ((*TICKETS, "cursor", "type"), "integer", Level.breaking),
        ((*TICKETS, "cursor", "lookback"), "1h", Level.fix),
        ((*TICKETS, "schema"), None, Level.breaking),
        ((*FIELDS, "new"), {"type": "string"}, Level.additive),
        ((*FIELDS, "new"), {"type": "string", "nullable": False}, Level.breaking),
        ((*FIELDS, "at"), None, Level.breaking),
        ((*FIELDS, "id", "type"), "number", Level.breaking),
        ((*FIELDS, "id", "type"), "string", Level.breaking),
        ((*FIELDS, "at", "nullable"), False, Level.breaking),
        ((*TICKETS, "schema", "required"), [], Level.breaking),
        ((*FIELDS, "at", "format"), "date", Level.fix),
        ((*FIELDS, "at", "description"), "When", Level.fix),
        ((*FIELDS, "who", "properties", "mail"), None, Level.breaking),
        ((*FIELDS, "who", "properties", "name"), {"type": "string"}, Level.additive),
        ((*FIELDS, "who", "properties", "mail", "x-class"), None, Level.breaking),
        ((*FIELDS, "at", "x-class"), "pii.time", Level.additive),
        ((*FIELDS, "tags", "items", "type"), "integer", Level.breaking),
        (("deprecated",), {"date": "2026-01-01", "reason": "v1 ends"}, Level.additive),
        ((*TICKETS, "cursor", "order"), "descending", Level.fix),
        ((*TICKETS, "cursor", "window"), "1d", Level.fix),
        ((*TICKETS, "for"), {"in": ["a"], "as": "team"}, Level.breaking),
        ((*TICKETS, "write"), {"create": {"post": "/tickets"}}, Level.additive),
        ((*TICKETS, "erase"), {"delete": {"delete": "/people/{{ subject }}"}}, Level.additive),
        ((*TICKETS, "fields"), {"rename": {"a": "b"}}, Level.fix),
        (("notify",), {"send": {"post": "/messages"}}, Level.additive),
    ],
)
def test_levels(path, value, level):
    """One change each, and nothing else is said to have changed."""
    found = evolved(spec(BASE), spec(changed(path, value)))

    assert {change.level for change in found} == {level}, found


@pytest.mark.parametrize(
    ("path", "value", "level"),
    [
        ((*TICKETS, "for"), {"in": ["a"], "as": "team"}, Level.breaking),
        ((*TICKETS, "write"), {"create": {"post": "/tickets"}}, Level.breaking),
        ((*TICKETS, "erase"), {"delete": {"delete": "/people/{{ subject }}"}}, Level.breaking),
        (("notify",), {"send": {"post": "/messages"}}, Level.breaking),
    ],
)
def test_what_is_taken_away_is_breaking(path, value, level):
    """What flows, people and subscriptions use isn't there any more."""
    (found,) = evolved(spec(changed(path, value)), spec(BASE))
    assert (found.level, found.path, found.message) == (level, ("spec", *path), "removed")


def test_the_shape_of_records_without_a_schema():
    """Where no schema says what fields there are, another name of one is what mappings break at."""
    bare = changed((*TICKETS, "schema"), None)
    shaped = copy.deepcopy(bare)
    shaped["streams"]["tickets"]["fields"] = {"rename": {"id": "number"}}

    assert [c.level for c in evolved(spec(bare), spec(shaped))] == [Level.breaking]


@pytest.mark.parametrize(
    ("part", "value", "level"),
    [
        ("every", "1w", Level.breaking),
        ("columns", {"date": "start"}, Level.breaking),
        ("timeZone", "Europe/Berlin", Level.breaking),
        ("lookback", 3, Level.fix),
        ("delay", "6h", Level.fix),
    ],
)
def test_windows_are_a_cursor(part, value, level):
    """What windows there are, and what records say of them, is breaking; how often they are read again is a fix."""
    windows = {"every": "1d", "columns": {"day": "start"}}
    old, new = (
        changed((*TICKETS, "cursor"), {"type": "date", "start": "2026-01-01", "windows": found})
        for found in (windows, {**windows, part: value})
    )
    assert [c.level for c in evolved(spec(old), spec(new))] == [level]


def test_another_token_is_another_cursor():
    """A token of another place in the answer is none that the API knows."""
    old, new = (
        changed((*TICKETS, "cursor"), {"marker": place, "into": {"query.since": "start"}}) for place in ("sync", "next")
    )
    assert [c.level for c in evolved(spec(old), spec(new))] == [Level.breaking]


def test_a_setting_that_must_be_given_now():
    """Required without a default breaks who doesn't give it; added or made so."""
    data = changed(("config", "properties", "key"), {"type": "string"})
    data["config"]["required"].append("key")
    made = copy.deepcopy(data)
    data_before = copy.deepcopy(data)
    data_before["config"]["required"].remove("key")

    assert {c.level for c in evolved(spec(BASE), spec(made))} == {Level.breaking}
    assert {c.level for c in evolved(spec(data_before), spec(made))} == {Level.breaking}


def test_nothing_changed():
    """Writing the same in another way is no change, nor is the version itself."""
    assert evolved(spec(BASE), spec({**BASE, "version": "1.4.0"})) == ()
    assert evolved(spec(BASE), spec({**BASE, "auth": ["bearer", {"type": "api_key", "in": "header"}]})) == ()


def test_going_back_is_as_loud():
    """What is additive one way is breaking the other way, for streams, fields and ways of authenticating."""
    rng = random.Random(7)
    ways = [(("streams", "users"), {"get": "/users"}), ((*FIELDS, "new"), {"type": "string"})]
    for path, value in rng.sample(ways, 2):
        there, back = spec(BASE), spec(changed(path, value))
        assert [c.level for c in evolved(there, back)] == [Level.additive]
        assert [c.level for c in evolved(back, there)] == [Level.breaking]


@pytest.mark.parametrize(
    ("old", "level", "expected"),
    [
        ("1.3.2", Level.breaking, "2.0.0"),
        ("1.3.2", Level.additive, "1.4.0"),
        ("1.3.2", Level.fix, "1.3.3"),
        ("0.3.2", Level.breaking, "0.4.0"),
        ("0.3.2", Level.additive, "0.3.3"),
        ("0.3.2", Level.fix, "0.3.3"),
        ("2.0.0-rc.9", Level.breaking, "2.0.0-rc.10"),
        ("2.0.0-beta", Level.fix, "2.0.0-beta.1"),
    ],
)
def test_demands(old, level, expected):
    """Semantic versioning, and below 1.0.0 what ranges make of it; a pre-release promises nothing to what follows it."""
    path = {Level.breaking: ("http", "url"), Level.additive: ("streams", "x"), Level.fix: ("title",)}[level]
    value = {Level.breaking: "https://x.example", Level.additive: {"get": "/x"}, Level.fix: "T"}[level]

    assert demanded(old, evolved(spec(BASE), spec(changed(path, value)))) == expected


def text(version: str, streams: str, name: str = "helpdesk") -> str:
    return (
        f"apiVersion: syncline/v1\nkind: Connector\nmetadata: {{name: {name}}}\n"
        f"spec: {{version: {version}, http: {{url: 'https://a.example'}}, streams: {{{streams}}}}}\n"
    )


def connectors(*texts: str) -> list[Any]:
    return [m for i, t in enumerate(texts) for m in load_text(t, f"{i}.yaml").manifests]


def test_a_finding_shows_what_demands_more():
    """At the version, with the changes at their places; more than is demanded is never wrong."""
    old, new, enough = connectors(
        text("1.3.0", "a: {get: /a}, b: {get: /b}"),
        text("1.3.1", "a: {get: /a}, c: {get: /c}"),
        text("3.0.0", "a: {get: /a}"),
    )

    found = finding(bump(old, new))

    assert found is not None
    assert (found.code, str(found.place), found.suggestion) == ("SYN260", "1.yaml:4:17", "2.0.0")
    assert found.message == "Connector/helpdesk went from 1.3.0 to 1.3.1; 1 breaking change needs 2.0.0"
    assert [r.message for r in found.related] == ["breaking: streams.b: stream removed"]
    assert finding(bump(old, enough)) is None


def test_the_same_version_with_other_content():
    """A change without another version is told as that."""
    old, new = connectors(text("1.3.0", "a: {get: /a}"), text("1.3.0", "a: {get: /b}"))

    found = finding(bump(old, new))

    assert found is not None
    assert found.message == "Connector/helpdesk 1.3.0 changed without another version; 1 fix change needs 1.3.1"


def test_versions_that_live_side_by_side_are_compared_in_order():
    """Each with the one before it, whatever the order of files."""
    texts = {"b": text("1.4.0", ""), "a": text("1.3.0", "a: {get: /a}"), "c": text("2.0.0", "z: {get: /z}")}

    assert [d.message for d in side_by_side(desired(texts))] == [
        "Connector/helpdesk went from 1.3.0 to 1.4.0; 1 breaking change needs 2.0.0"
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.3.0", "2.0.0-rc.1", True),
        ("1.3.0", "1.4.0-rc.1", False),
        ("2.0.0-rc.1", "2.0.0-rc.1.1", True),
        ("2.0.0-rc.1", "2.0.0-rc.1", False),
        ("2.0.0-rc.2", "2.0.0-rc.1", False),
        ("2.0.0-rc.1", "2.0.0", True),
        ("2.0.0", "2.0.0-rc.1", False),
    ],
)
def test_a_breaking_change_of_a_pre_release(old, new, expected):
    """One of the version that is demanded is enough; after one, whatever is higher."""
    before, after = connectors(text(old, "a: {get: /a}"), text(new, ""))

    assert bump(before, after).enough is expected


def test_a_release_is_compared_with_the_release_before_it():
    """Candidates between them neither hide a breaking change nor have to be told by their numbers."""
    texts = {
        "a": text("1.3.0", "a: {get: /a}"),
        "b": text("1.4.0-rc.1", "a: {get: /a}, c: {get: /c}"),
        "c": text("1.4.0-rc.2", "a: {get: /a}, d: {get: /d}"),
        "d": text("1.4.0", "d: {get: /d}"),
    }

    assert [d.message for d in side_by_side(desired(texts))] == [
        "Connector/helpdesk went from 1.3.0 to 1.4.0; 1 breaking change needs 2.0.0"
    ]


def test_pairs():
    """A version with itself, a new one with the one before it, new names with nothing."""
    old = connectors(text("1.3.0", ""), text("2.0.0", ""), text("1.0.0", "", "gone"))
    new = connectors(text("1.3.0", ""), text("1.3.5", ""), text("2.1.0", ""), text("1.0.0", "", "fresh"))

    assert [(a.key.name, b.key.name) for a, b in pairs(old, new)] == [
        ("helpdesk@1.3.0", "helpdesk@1.3.0"),
        ("helpdesk@1.3.0", "helpdesk@1.3.5"),
        ("helpdesk@2.0.0", "helpdesk@2.1.0"),
    ]
