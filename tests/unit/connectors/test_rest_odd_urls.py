"""URLs that real servers send: with blanks, umlauts and other things in them, in next pages, Link, Location and files."""

from __future__ import annotations

import pytest

from syncline.model.errors import Invalid, SynclineError
from tests.api_server import Reply, api_server
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source
from tests.unit.connectors.test_rest_files import FILES, files

ITEMS = """
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    schema: {properties: {id: {type: integer}}}
"""
#: As it is written by servers that don't care.
ODD = "/näxt pages?q=a b|ü&p=50%"
SENT = ("/n%C3%A4xt%20pages", {"q": "a b|ü", "p": "50%"})


def served(first):
    """An API whose first answer is given, and whose next page has another record."""

    def handler(asked):
        if asked.path == "/items":
            return first
        assert (asked.path, dict(asked.query)) == SENT
        return Reply({"data": [{"id": 2}]})

    return handler


def in_header(text):
    """Text as bytes of UTF-8 in a header."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("page", "first"),
    [
        ("{next: next}", Reply({"data": [{"id": 1}], "next": ODD})),
        ("{next: {header: Next}}", Reply({"data": [{"id": 1}]}, headers={"Next": in_header(ODD)})),
        ("{link: next}", Reply({"data": [{"id": 1}]}, headers={"Link": in_header(f'<{ODD}>; rel="next"')})),
    ],
)
def test_next_pages_with_odd_urls_are_read(page, first):
    """Blanks, umlauts, bars and lone percent signs in a next page's URL arrive as they were meant."""
    text = ITEMS.replace("key: [id]", f"key: [id]\n    page: {page}")
    with api_server(served(first)) as api:
        found = rows(read(source(instance(text, url=api.url))))
    assert [row["id"] for row in found] == [1, 2]


def test_redirects_to_odd_urls_are_followed():
    """A Location of raw UTF-8 with blanks leads where browsers go."""
    first = Reply(b"", status=302, headers={"Location": in_header(ODD)})
    with api_server(served(first)) as api:
        found = rows(read(source(instance(ITEMS, url=api.url))))
    assert [row["id"] for row in found] == [2]


@pytest.mark.parametrize(
    "location",
    [
        "\\\\evil.example\\x",
        "http://api.example\\@evil.example/",
        "http://evil.example\\.api.example/",
        "//169.254.169.254/a b",
    ],
)
def test_odd_redirects_elsewhere_are_refused(location):
    """Nothing is sent to a host that backslashes or blanks hide, nor is another path of the API taken for it."""
    sent = []

    def api(request):
        sent.append(request.url)
        return answer({"data": []}) if "@" in request.url else answer(b"", status=302, location=location)

    transport = FunctionTransport(api)
    if location.startswith("http://api.example\\"):  # browsers ask the API for a path
        read(source(instance(ITEMS), transport=transport))
        assert sent[1:] == ["http://api.example/@evil.example/"]
        return
    with pytest.raises(SynclineError) as caught:
        read(source(instance(ITEMS), transport=transport))
    assert (caught.value.code, sent) == ("SYN406", ["http://api.example/items"])


def test_files_with_odd_urls_are_read():
    """A file that a record names with blanks and umlauts is asked for; a host that is dressed up is refused."""
    transport = FunctionTransport(files("/f/ä b?x=1|2", "http://files.store.example/f 3?sig=a%2Fb"))
    found = rows(read(source(instance(FILES), transport=transport, paths=("n",))))
    assert [row["n"] for row in found] == [0, 1] * 2
    assert [request.url for request in transport.sent[1:]] == [
        "http://api.example/f/%C3%A4%20b?x=1%7C2",
        "http://files.store.example/f%203?sig=a%2Fb",
    ]

    transport = FunctionTransport(files("http://evil.example\\.files.store.example/"))
    with pytest.raises(Invalid):
        read(source(instance(FILES), transport=transport, paths=("n",)))
    assert len(transport.sent) == 1
