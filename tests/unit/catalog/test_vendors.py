"""The catalogue's vendors: what their connectors ask for is what the vendors' OpenAPI documents describe.

A function plays the server and gives two pages; every request that comes of it is validated by openapi-core against the
vendor's parameters: no unknown path, no missing parameter, no value of another type.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec import structs
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

from syncline.connectors.rest.check import check
from syncline.connectors.rest.reading.source import RestSource
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.record import logical_schema
from syncline.manifests.catalog import catalog
from syncline.model.key import ObjectKey
from syncline.sdk.source import Instance, SourceRequest
from tests.rest_streams import FakeClock, FunctionTransport, answer, read

if TYPE_CHECKING:
    from syncline.sdk.http import Request

FOLDER = Path(__file__).resolve().parents[2] / "vendors"
SID = "AC" + "0" * 32
CONFIG: dict[str, dict[str, str]] = {
    "hubspot": {"properties": "email,firstname"},
    "okta": {"url": "https://example.okta.com", "since": "2023-11-01T00:00:00Z"},
    "pagerduty": {"since": "2023-11-10T00:00:00Z"},
    "twilio": {"account": SID},
}
CHANGED = "2023-11-02T10:00:30.500Z"
SENT = "Thu, 02 Nov 2023 10:00:30 +0000"
#: A record of each stream, as the vendor sends it.
RECORDS: dict[tuple[str, str], dict[str, Any]] = {
    ("hubspot", "contacts"): {"id": "1", "properties": {"email": "a@example.com", "lastmodifieddate": CHANGED}},
    ("hubspot", "companies"): {"id": "1", "properties": {"name": "Acme", "hs_lastmodifieddate": CHANGED}},
    ("hubspot", "deals"): {"id": "1", "properties": {"amount": "10.00", "hs_lastmodifieddate": CHANGED}},
    ("hubspot", "tickets"): {"id": "1", "properties": {"subject": "Help", "hs_lastmodifieddate": CHANGED}},
    ("okta", "users"): {
        "id": "00u1",
        "status": "ACTIVE",
        "lastUpdated": CHANGED,
        "profile": {"login": "a@example.com"},
    },
    ("okta", "groups"): {"id": "00g1", "lastUpdated": "2023-11-02T10:00:30.500Z", "profile": {"name": "Everyone"}},
    ("okta", "logs"): {"uuid": "6f1c2a34-1b2c-4d5e-8f90-a1b2c3d4e5f6", "published": "2023-11-02T00:00:00Z"},
    ("pagerduty", "incidents"): {"id": "P1", "incident_number": 1, "created_at": "2023-11-11T00:00:00Z"},
    ("pagerduty", "services"): {"id": "P2", "name": "api"},
    ("pagerduty", "users"): {"id": "P3", "email": "a@example.com"},
    ("twilio", "messages"): {"sid": "SM1", "date_sent": SENT, "price": None, "num_segments": "1"},
    ("twilio", "calls"): {"sid": "CA1", "start_time": SENT, "duration": "12"},
}


class Asked:
    """A request as openapi-core reads it."""

    def __init__(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.method = request.method.lower()
        self.host_url, self.path = f"{parts.scheme}://{parts.netloc}", parts.path
        self.content_type = request.headers.get("Content-Type", "application/json")
        self.body = request.body or None
        query = ImmutableMultiDict(parse_qsl(parts.query, keep_blank_values=True))
        self.parameters = RequestParameters(query=query, header=Headers(list(request.headers.items())))


def instance(vendor: str) -> Instance:
    """An instance of the newest version of a shipped connector."""
    key = max(k for k in catalog() if (k.kind, k.base) == ("Connector", vendor))
    spec = catalog()[key].spec
    assert isinstance(spec, ConnectorSpec)
    defaults = {n: p.default for n, p in spec.config.properties.items() if isinstance(p.default, str)}
    integration = IntegrationSpec.model_validate({"connector": vendor})
    return Instance(vendor, spec, integration, {**defaults, **CONFIG.get(vendor, {})}, Path())


def validate(vendor: str, requests: list[Request]) -> None:
    """Raises what openapi-core finds wrong with a request."""
    document = json.loads((FOLDER / f"{vendor}.json").read_text(encoding="utf-8"))
    api = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))
    known = {
        path: {p["name"] for method in item.values() for p in method["parameters"] if p["in"] == "query"}
        for path, item in document["paths"].items()
    }
    for request in requests:
        found = api.unmarshal_request(Asked(request))
        assert not found.errors, (request.url, found.errors)
        names = {name for name, _ in parse_qsl(urlsplit(request.url).query, keep_blank_values=True)}
        assert any(names <= parameters for parameters in known.values()), (request.url, names)


def two_pages(vendor: str, stream: str, record: dict[str, Any]) -> FunctionTransport:
    """A vendor that has a record on each of two pages, and then none."""
    count = 0

    def respond(request: Request) -> Any:
        nonlocal count
        count += 1
        first = count == 1
        other = {**record, next(iter(record)): f"{record[next(iter(record))]}x"}
        rows = [record] if first else [other] if count == 2 else []
        path = urlsplit(request.url).path
        match vendor:
            case "hubspot":
                return answer({"total": 2 if first else len(rows), "results": rows})
            case "okta":
                link = f'<https://example.okta.com{path}?after=000&limit=200>; rel="next"'
                return answer(rows, link=link) if first else answer(rows)
            case "pagerduty":
                return answer({stream: rows, "offset": 0, "limit": 100, "more": first})
            case _:
                return answer(
                    {stream: rows, "next_page_uri": f"{path}?PageSize=1000&Page=1&PageToken=PA1" if first else None}
                )

    return FunctionTransport(respond)


@pytest.mark.parametrize(("vendor", "stream"), RECORDS)
def test_requests_are_what_the_vendor_documents(vendor: str, stream: str) -> None:
    """First pages, next pages and spans of time: each is valid, and both pages' records are read."""
    made = instance(vendor)
    declared = made.connector.streams[stream]  # type: ignore[attr-defined]  # a rest connector
    schema = logical_schema(declared.record_schema, declared.key)
    transport = two_pages(vendor, stream, RECORDS[vendor, stream])

    batches = read(
        RestSource(made, SourceRequest(stream, schema, ()), transport=transport, clock=FakeClock(), chance=lambda: 1.0)
    )

    assert len(transport.sent) >= 2
    validate(vendor, transport.sent)
    assert sum(batch.frame.height for batch in batches) == 2
    assert [bad for batch in batches for bad in batch.malformed] == []


@pytest.mark.parametrize("vendor", CONFIG)
def test_checks_are_what_the_vendor_documents(vendor: str) -> None:
    """The request of `syncline connector check` is one of the vendor's, too."""
    transport = FunctionTransport(lambda _: answer({"friendly_name": "Acme", "data": []}))

    found = check(instance(vendor), transport=transport, clock=FakeClock())

    validate(vendor, transport.sent)
    assert found.status == 200


@pytest.mark.parametrize("stream", ["users", "groups"])
def test_okta_is_read_incrementally(stream: str) -> None:
    """The first read asks for all; the next for those changed since a minute before the last one that was seen."""
    made = instance("okta")
    declared = made.connector.streams[stream]  # type: ignore[attr-defined]  # a rest connector
    schema = logical_schema(declared.record_schema, declared.key)
    request = SourceRequest(stream, schema, (), incremental=True)
    transport = FunctionTransport(lambda _: answer([RECORDS["okta", stream]]))

    def source() -> RestSource:
        return RestSource(made, request, transport=transport, clock=FakeClock(), chance=lambda: 1.0)

    first = read(source())
    read(source(), first[-1].position)

    validate("okta", transport.sent)
    assert [dict(parse_qsl(urlsplit(asked.url).query))["filter"] for asked in transport.sent] == [
        'lastUpdated gt "1970-01-01T00:00:00.000Z"',
        'lastUpdated gt "2023-11-02T09:59:30.000Z"',
    ]


def test_okta_is_asked_for_its_log_as_often_as_it_allows() -> None:
    """Okta allows 50 requests a minute for its log, and each endpoint says for itself what is left."""
    made = instance("okta")
    made = replace(made, config={**made.config, "since": "2015-01-01T00:00:00Z"})
    clock, times = FakeClock(), []

    def respond(_: Request) -> Any:
        times.append(clock.time)
        return answer([])

    declared = made.connector.streams["logs"]  # type: ignore[attr-defined]  # a rest connector
    schema = logical_schema(declared.record_schema, declared.key)
    request = SourceRequest("logs", schema, (), incremental=True)
    read(RestSource(made, request, transport=FunctionTransport(respond), clock=clock, chance=lambda: 1.0))

    assert len(times) > 100
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[50:], strict=False))
    limits = made.connector.http.limits  # type: ignore[attr-defined]
    assert {limit.match for limit in limits} == {f"/api/v1/{name}" for name in made.connector.streams}  # type: ignore[attr-defined]


def test_what_becomes_of_an_incident_at_pagerduty_is_read() -> None:
    """PagerDuty finds incidents by when they were created: those of the last days are asked for again, and their changes come."""
    made = instance("pagerduty")
    declared = made.connector.streams["incidents"]  # type: ignore[attr-defined]  # a rest connector
    schema = logical_schema(declared.record_schema, declared.key)
    request = SourceRequest("incidents", schema, (), incremental=True)
    old, new = (
        {**RECORDS["pagerduty", "incidents"], "id": f"P{day}", "created_at": f"2023-11-{day}T00:00:00Z"}
        for day in (11, 13)
    )
    old["status"] = "triggered"

    def respond(asked: Request) -> Any:
        query = dict(parse_qsl(urlsplit(asked.url).query))
        since, until = (dt.datetime.fromisoformat(query[name]) for name in ("since", "until"))
        created = {dt.datetime.fromisoformat(incident["created_at"]): incident for incident in (old, new)}
        found = [incident for time, incident in created.items() if since <= time < until]
        return answer({"incidents": found, "offset": 0, "limit": 100, "more": False})

    transport = FunctionTransport(respond)

    def found(position: Any) -> list[Any]:
        source = RestSource(made, request, transport=transport, clock=FakeClock(), chance=lambda: 1.0)
        return read(source, position)

    first = found(None)
    old["status"] = "resolved"
    second = found(first[-1].position)

    validate("pagerduty", transport.sent)
    assert [batch.frame.filter(id="P11")["status"].to_list() for batch in (*first, *second)] == [
        ["triggered"],
        ["resolved"],
    ]


def test_every_stream_is_covered() -> None:
    """A stream that is added to one of these connectors needs a record here."""
    streams = {
        (vendor, stream)
        for vendor in CONFIG
        for stream in instance(vendor).connector.streams  # type: ignore[attr-defined]  # a rest connector
    }

    assert streams == set(RECORDS)


def test_a_wrong_request_is_found() -> None:
    """The check itself can fail: another path, and a value of another type."""
    transport = two_pages("pagerduty", "users", RECORDS["pagerduty", "users"])
    made = instance("pagerduty")
    read(RestSource(made, SourceRequest("users", None, ("id",)), transport=transport, clock=FakeClock()))
    request = transport.sent[0]

    for url in ("https://api.pagerduty.com/usres?limit=100", "https://api.pagerduty.com/users?limit=many"):
        with pytest.raises(AssertionError):
            validate("pagerduty", [structs.replace(request, url=url)])
    with pytest.raises(AssertionError):
        validate("pagerduty", [structs.replace(request, url="https://api.pagerduty.com/users?limit=1&pagesize=2")])


def test_a_wrong_body_is_found() -> None:
    """The check itself can fail for bodies, too: a list that is a text, an operator that isn't one."""
    transport = two_pages("hubspot", "contacts", RECORDS["hubspot", "contacts"])
    read(
        RestSource(
            instance("hubspot"), SourceRequest("contacts", None, ("id",)), transport=transport, clock=FakeClock()
        )
    )
    request = transport.sent[0]
    validate("hubspot", [request])

    for good, bad in (('["email","firstname","lastmodifieddate"]', '"email"'), ('"GTE"', '"ge"')):
        assert good in request.body.decode()
        with pytest.raises(AssertionError):
            validate("hubspot", [structs.replace(request, body=request.body.decode().replace(good, bad).encode())])


def test_keys_are_versioned() -> None:
    """The catalogue's connectors are found by their versions."""
    assert ObjectKey("", "Connector", "twilio@1.1.0") in catalog()
