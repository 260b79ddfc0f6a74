"""Files that answers name, at the API and at declared hosts."""

from __future__ import annotations

import gzip
from urllib.parse import urlsplit

import pytest

from syncline.model.errors import Invalid, SynclineError
from syncline.model.secret import Secret
from syncline.sdk.http import Response
from syncline.sdk.source import Credentials
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source

FILES = """
streams:
  exports:
    get: /exports
    records: data[]
    key: [id]
    schema: {properties: {id: {type: integer}, url: {type: string}}}
  items:
    for: {each: exports, as: export}
    file: {url: "{{ export.url }}", hosts: [files.store.example]}
    decode: jsonl
    compression: gzip
    schema: {properties: {n: {type: integer}}}
"""


def files(*urls):
    def api(request):
        parts = urlsplit(request.url)
        if parts.path == "/exports":
            return answer({"data": [{"id": n, "url": url} for n, url in enumerate(urls)]})
        lines = b"".join(b'{"n": %d}\n' % n for n in range(2))
        return Response(200, {"content-type": "application/octet-stream"}, gzip.compress(lines))

    return api


def test_files_that_records_name_are_read():
    """Records come out of the files whose URLs a listing has, at the API by path or URL, or at a declared host."""
    transport = FunctionTransport(
        files("/f/1?x=1", "http://api.example/f/2", "http://files.store.example/f/3?sig=a%2Fb")
    )
    made = instance(FILES, credentials=Credentials("bearer", secrets={"token": Secret("s3cret")}))
    found = rows(read(source(made, transport=transport, paths=("n",))))
    assert [row["n"] for row in found] == [0, 1] * 3
    asked = {request.url: "Authorization" in request.headers for request in transport.sent[1:]}
    assert asked == {
        "http://api.example/f/1?x=1": True,
        "http://api.example/f/2": True,
        "http://files.store.example/f/3?sig=a%2Fb": False,
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/x",
        "http://files.store.example.evil.example/",
        "ftp://files.store.example/",
        "//evil.example/",
    ],
)
def test_files_elsewhere_are_refused(url):
    """A URL at a host that isn't declared, or of another scheme, is never asked for."""
    transport = FunctionTransport(files(url))
    with pytest.raises(SynclineError) as caught:
        read(source(instance(FILES), transport=transport, paths=("n",)))
    assert caught.value.code in {"SYN498", "SYN406"}
    assert all(urlsplit(request.url).hostname == "api.example" for request in transport.sent)


def test_other_hosts_need_https():
    """Where the API itself is asked by https, so are files elsewhere."""
    made = instance(FILES, url="https://api.example")
    transport = FunctionTransport(files("http://files.store.example/1"))
    with pytest.raises(Invalid) as caught:
        read(source(made, transport=transport, paths=("n",)))
    assert caught.value.code == "SYN498"


@pytest.mark.parametrize(
    ("location", "code"),
    [("http://files.store.example/f?sig=1", ""), ("http://evil.example/f", "SYN498"), ("file:///etc/passwd", "SYN406")],
)
def test_a_file_may_be_redirected_to_a_declared_host(location, code):
    """A redirect of a file leads to a declared host, without credentials, or nowhere."""
    there = files("/f/1")

    def api(request):
        return answer(b"", status=302, location=location) if "/f/1" in request.url else there(request)

    transport = FunctionTransport(api)
    made = instance(FILES, credentials=Credentials("bearer", secrets={"token": Secret("s3cret")}))
    opened = source(made, transport=transport, paths=("n",))
    if code:
        with pytest.raises(SynclineError) as caught:
            read(opened)
        assert caught.value.code == code
    else:
        assert [row["n"] for row in rows(read(opened))] == [0, 1]
        assert "Authorization" not in transport.sent[-1].headers
    assert {urlsplit(r.url).hostname for r in transport.sent} <= {"api.example", "files.store.example"}
