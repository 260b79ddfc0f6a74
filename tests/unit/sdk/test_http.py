"""The transport against real sockets: TLS, whole answers, kept connections; and requests that show no secrets."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from syncline.model.errors import Invalid
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Pool, Request, TransportError, checked_url
from tests.api_server import Reply, api_server

LOCAL = Egress(private=("127.0.0.0/8",))


def certificate(folder: Path, *, address: str = "127.0.0.1", days: int = 1) -> Path:
    """A self-signed certificate for an address, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(pem) + private)
    return path


def fetch(url: str, context: ssl.SSLContext | None = None) -> bytes:
    transport = HttpTransport(SystemClock(), 1 << 20, context=context, egress=LOCAL)
    try:
        return transport.send(Request("GET", url), 60.0).body
    finally:
        transport.close()


def server_context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.mark.parametrize(
    ("made", "trusted"),
    [({}, False), ({"address": "127.0.0.2"}, True), ({"days": -1}, True)],
    ids=["unknown authority", "another host", "expired"],
)
def test_bad_certificates_are_refused(made, trusted, tmp_path):
    """A certificate that is unknown, for another host or expired ends the exchange for good, before anything is sent."""
    pem = certificate(tmp_path, **made)
    context = ssl.create_default_context(cafile=str(pem)) if trusted else None
    with api_server(lambda _: Reply({}), server_context(pem)) as api, pytest.raises(TransportError) as caught:
        fetch(api.url, context)
    assert caught.value.permanent
    assert "certificate refused" in str(caught.value)
    assert api.asked == []


def test_a_good_certificate_is_accepted(tmp_path):
    """With a trusted certificate for its address, a server is read."""
    pem = certificate(tmp_path)
    with api_server(lambda _: Reply({"a": 1}), server_context(pem)) as api:
        assert fetch(f"{api.url}/x", ssl.create_default_context(cafile=str(pem))) == b'{"a": 1}'


def test_one_connection_is_kept():
    """Requests one after another go over one connection, also after an error status."""
    taken = []

    def handler(asked):
        return Reply({}, status=500 if asked.path == "/bad" else 200)

    class Watched(Pool):
        def take(self, key):
            taken.append(super().take(key))
            return taken[-1]

    with api_server(handler) as api:
        transport = HttpTransport(SystemClock(), 1 << 20, egress=LOCAL, pool=(pool := Watched(SystemClock())))
        for path in ("/", "/bad", "/", "/?x=1"):
            transport.send(Request("GET", api.url + path), 60.0)
        transport.close()
        pool.close()
    assert taken[0] is None
    assert None not in taken[1:]
    assert len(set(taken[1:])) == 1


def test_an_announced_giant_is_not_read():
    """An answer that announces more than the bound is refused by its header alone."""
    with api_server(lambda _: Reply(b"x" * 2_000_000)) as api, pytest.raises(Invalid) as caught:
        fetch(api.url)
    assert caught.value.code == "SYN407"


def test_requests_show_neither_query_nor_headers():
    """What a debugger or a log shows of a request has no secret."""
    request = Request("GET", "https://h/x?api_key=canary", {"Authorization": "canary"}, b"canary")
    assert repr(request) == "Request(GET https://h/x)"


@pytest.mark.parametrize(
    "url", ["https://h/\r\nX: 1", "https://h/\x00", "https://ü/", "gopher://h/", "https://h%2f@x/"]
)
def test_urls_that_are_none(url):
    """Control characters, other alphabets and other schemes are no URLs to ask."""
    with pytest.raises(Invalid):
        checked_url(url)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "1\r\nX-B: 2"},
        {"X-A": "1\nGET /other HTTP/1.1"},
        {"X-A": "1\r"},
        {"X-A": "\x00"},
        {"X-A": "\N{EURO SIGN}"},
        {"X-A\r\nX-B": "1"},
        {"X A": "1"},
        {"X:A": "1"},
        {"": "1"},
    ],
)
def test_nothing_in_a_header_begins_another(headers):
    """What would be another header, another request or nothing that HTTP has isn't sent."""
    with api_server(lambda _: Reply({})) as api:
        transport = HttpTransport(SystemClock(), 1 << 20, egress=LOCAL)
        with pytest.raises(Invalid, match="can't carry"):
            transport.send(Request("GET", f"{api.url}/a", headers), 30.0)
        transport.close()
    assert api.asked == []


def test_a_request_says_where_it_goes_and_how_long_it_is():
    """Host has the port that isn't the scheme's own, and what may have a body says its length, which 0 is too."""
    with api_server(lambda _: Reply({})) as api:
        transport = HttpTransport(SystemClock(), 1 << 20, egress=LOCAL)
        for request in (
            Request("GET", f"{api.url}/a?b=c"),
            Request("POST", f"{api.url}/a"),
            Request("POST", f"{api.url}/a", {"host": "other.example"}, b"ab"),
            Request("PUT", f"{api.url}/a", {}, b"x" * 200_000),
        ):
            transport.send(request, 30.0)
        transport.close()
    place = api.url.removeprefix("http://")
    told = [(a.method, a.headers["host"], a.headers.get("content-length"), len(a.body)) for a in api.asked]
    assert told == [
        ("GET", place, None, 0),
        ("POST", place, "0", 0),
        ("POST", "other.example", "2", 2),
        ("PUT", place, "200000", 200_000),
    ]
