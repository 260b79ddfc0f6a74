"""The `rest` runtime from outside: its check, its endpoints, its templates, and declarations that can't run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import syncline
from syncline.connectors.registry import runtime
from syncline.connectors.rest.reading.source import RestSource
from syncline.model.codes import CODES
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.source import Credentials, SourceRequest
from tests.api_server import Reply, api_server, pages
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source

TEXT = """
streams:
  items: {get: /items, records: data, key: [id], schema: {properties: {id: {type: integer}}}}
"""


def test_it_is_registered():
    """The runtime is found by its name, reads and writes, and says that it has no transactions."""
    found = runtime("rest")
    assert found.open_source is not None
    assert found.open_destination is not None
    assert not found.transactional


def test_check_sends_the_declared_request():
    """The check asks what the connector declares, with credentials, and takes an answer that isn't JSON."""
    with api_server(lambda _: Reply(b"pong", content_type="text/plain")) as api:
        bearer = Credentials("bearer", {}, {"token": Secret("canary-1")})
        found = runtime("rest").check(instance("check: {get: /me}\n" + TEXT, url=api.url, credentials=bearer))
    assert (found.place, found.status, found.system) == ("GET /me", 200, api.url)
    assert [(a.path, a.headers["authorization"]) for a in api.asked] == [("/me", "Bearer canary-1")]


def test_check_without_a_declaration_asks_for_a_first_page():
    """Without a declared check the first stream's first page is asked for."""
    with api_server(lambda _: Reply({"data": []})) as api:
        assert runtime("rest").check(instance(TEXT, url=api.url)).place == "GET /items"
        assert len(api.asked) == 1


def test_check_tells_refused_credentials_apart():
    """Refused credentials stall; a system that is down may answer again."""
    text = "check: {get: /me}\nhttp: {retry: {attempts: 1}}\n" + TEXT
    with api_server(lambda _: Reply({}, status=401)) as api, pytest.raises(Stalled):
        runtime("rest").check(instance(text, url=api.url))
    with pytest.raises(Again):
        runtime("rest").check(instance(text, url=api.url))


def test_a_source_opens_by_the_runtime():
    """What the registry opens reads a real server."""
    with api_server(pages([{"id": 1}], 5, "cursor")) as api:
        opens = runtime("rest").open_source
        assert opens is not None
        opened = opens(instance(TEXT, url=api.url), SourceRequest("items", None, ("id",)))
        batches = list(opened.read(None))
        opened.close()
    assert rows(batches) == [{"id": "1"}]
    assert opened.schema.open


@pytest.mark.parametrize(("region", "host"), [("eu", "eu.example"), ("us", "us.example"), ("", "eu.example")])
def test_endpoints_by_region(region, host):
    """An integration's endpoint in its region is asked instead of the connector's URL."""
    endpoints = [{"region": "eu", "url": "https://eu.example/v1"}, {"region": "us", "url": "https://us.example/v1"}]
    transport = FunctionTransport(lambda _: answer({"data": []}))
    made = replace(instance(TEXT, integration={"endpoints": endpoints}), region=region)
    read(source(made, transport=transport))
    assert transport.sent[0].url == f"https://{host}/v1/items"


def test_no_endpoint_in_the_region():
    """A region without an endpoint is an error: data isn't read from another one."""
    made = instance(TEXT, integration={"endpoints": [{"region": "eu", "url": "https://eu.example"}]})
    with pytest.raises(Invalid, match="no endpoint in region us"):
        source(replace(made, region="us"))


def test_the_url_is_filled_from_the_configuration():
    """A configuration value fills its part of the URL and can't become another host."""
    transport = FunctionTransport(lambda _: answer({"data": []}))
    url = "https://{{ config.site }}.example/api"
    read(source(instance(TEXT, url=url, config={"site": "acme"}), transport=transport))
    assert transport.sent[0].url == "https://acme.example/api/items"
    with pytest.raises(Invalid) as caught:
        source(instance(TEXT, url=url, config={"site": "evil.example/#"}))
    assert caught.value.code == "SYN406"


@pytest.mark.parametrize(
    ("declared", "path"),
    [
        ("/things of/ä", "/things%20of/%C3%A4"),
        ("/things%20of/%C3%A4", "/things%20of/%C3%A4"),
        ("/ä/{{ config.team }}", "/%C3%A4/a%20b%2F%C3%A4"),
        ("/things of?name=ä b", "/things%20of?name=%C3%A4%20b"),
        ("http://api.example/v 1/ä", "/v%201/%C3%A4"),
    ],
)
def test_paths_are_percent_encoded(declared, path):
    """What a URL can't hold is sent percent-encoded (RFC 3987, 3.1), what is encoded already as it is."""
    transport = FunctionTransport(lambda _: answer({"data": []}))
    text = TEXT.replace("get: /items", f'get: "{declared}"')
    read(source(instance(text, url="http://api.example", config={"team": "a b/ä"}), transport=transport))
    assert [request.url for request in transport.sent] == [f"http://api.example{path}"]


def test_base_urls_are_percent_encoded():
    """The path of a base URL, the connector's and an endpoint's, is written as one likes; its host must be in ASCII."""
    transport = FunctionTransport(lambda _: answer({"data": []}))
    made = instance(TEXT, integration={"endpoints": [{"region": "eu", "url": "https://eu.example/ä b"}]})
    read(source(replace(made, region="eu"), transport=transport))
    read(source(instance(TEXT, url="https://{{ config.site }}.example/ä", config={"site": "a"}), transport=transport))
    sent = [request.url for request in transport.sent]
    assert sent == ["https://eu.example/%C3%A4%20b/items", "https://a.example/%C3%A4/items"]
    with pytest.raises(Invalid) as caught:
        source(instance(TEXT, url="https://bücher.example"))
    assert caught.value.code == "SYN406"


def test_templates_in_query_headers_and_body():
    """Values go into every part of a request; a parameter that comes out empty is left out."""
    text = """
http: {headers: {X-Team: "{{ config.team }}"}, query: {v: "2"}}
streams:
  items:
    post: /search
    query: {state: "{{ config.state | default('') }}", after: "{{ page.cursor | default('') }}"}
    body: {q: {team: "{{ config.team }}", deep: [1, "{{ config.team }}"]}, limit: 5}
    records: data
    page: {cursor: next}
    schema: {properties: {id: {type: integer}}}
"""
    replies = iter([answer({"data": [{"id": 1}], "next": "n2"}), answer({"data": [{"id": 2}]})])
    transport = FunctionTransport(lambda _: next(replies))
    assert len(rows(read(source(instance(text, config={"team": "a b"}), transport=transport)))) == 2
    first, second = transport.sent
    assert first.url == "http://api.example/search?v=2"
    assert second.url == "http://api.example/search?v=2&after=n2"
    assert first.headers["X-Team"] == "a b"
    assert first.body == b'{"q":{"team":"a b","deep":[1,"a b"]},"limit":5}'


def test_a_header_cannot_be_split():
    """A configuration value with a line break is no header value."""
    text = TEXT.replace("get: /items", 'get: /items, headers: {X-Team: "{{ config.team }}"}')
    with pytest.raises(Invalid) as caught:
        read(source(instance(text, config={"team": "a\r\nX-Admin: 1"}), transport=FunctionTransport(answer)))
    assert caught.value.code == "SYN431"


def test_secrets_are_not_for_templates():
    """A secret in the configuration is not there for templates."""
    text = TEXT.replace("get: /items", 'get: "/items/{{ config.pw }}"')
    with pytest.raises(Invalid) as caught:
        read(source(instance(text, config={"pw": Secret("canary-2")}), transport=FunctionTransport(answer)))
    assert caught.value.code == "SYN431"
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("get: /items", "get: /items, post: /items"), "SYN432"),
        (("get: /items, ", ""), "SYN432"),
        (("key:", "page: {cursor: next}, key:"), "SYN432"),
        (("key:", "page: {cursor: next, into: cookie.c}, key:"), "SYN432"),
        (("key:", "page: {page: query.p, offset: query.o}, key:"), "SYN432"),
        (("key:", "page: {last: done}, key:"), "SYN432"),
        (("get: /items", 'get: "/items/{{ range(3) }}"'), "SYN430"),
        (("get: /items", "get: https://elsewhere.example/items"), "SYN406"),
        (("key:", "for: {each: others, as: other}, key:"), "SYN432"),
        (("items:", "others:"), "SYN432"),
    ],
)
def test_declarations_that_cannot_run(change, code):
    """A declaration that is incomplete, contradictory or not supported is refused before anything is sent."""
    transport = FunctionTransport(lambda _: answer({"data": []}))
    with pytest.raises(Invalid) as caught:
        read(RestSource(instance(TEXT.replace(*change)), SourceRequest("items", None, ("id",)), transport=transport))
    assert caught.value.code == code
    assert transport.sent == []


def test_every_code_is_in_the_table():
    """Each code that the runtime raises has its entry; those of reading an API are raised there, or where it is run."""
    folder = Path(syncline.__file__).parent
    files = [*(folder / "connectors" / "rest").rglob("*.py"), *(folder / "sdk").rglob("*.py")]
    files.append(folder / "executor" / "batches" / "whole_pages.py")
    used = {code for file in files for code in re.findall(r"SYN\d{3}", file.read_text())}
    assert used - set(CODES) == set()
    assert {code for code in CODES if "SYN401" <= code < "SYN450"} <= used
