"""Proxies of others between Syncline and an API: tunnels, whole URLs, TLS inside TLS, SOCKS, credentials, refusals."""

from __future__ import annotations

import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from syncline.model.errors import Denied
from syncline.model.secret import Secret
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Proxy, Request, Tls, TransportError
from tests.api_server import Reply, api_server
from tests.peers.house import Flow, house
from tests.peers.pki import SERVER, Authority

FIELDS = ("to: id, from: id, required: true", "to: title, from: title")
AUTH = "{type: basic, username: syncline, password: {secretRef: {provider: env, key: KINTO_PASSWORD}}}"
NEAR = Egress(private=("127.0.0.1",), literals=False)


PASSWORDS = ["tinyproxy", "squid", "tinyproxy_tls", "squid_tls", "microsocks"]


@pytest.fixture(params=[*PASSWORDS, "dante"])
def proxy(request):
    """Each proxy in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=PASSWORDS)
def closed(request):
    """Each proxy that asks for a password."""
    return request.getfixturevalue(request.param)


def spoken(proxy):
    return {"protocol": proxy.protocol, "tls": Tls(ca=proxy.ca)}


def known(proxy, password="", **how):
    secret = Secret(password or proxy.password) if proxy.user else None
    return Proxy("127.0.0.1", proxy.port, proxy.user, secret, **{**spoken(proxy), **how})


def sent(proxy, url, *, egress=NEAR, tls=Tls()):  # noqa: B008 - a frozen value
    with closing(HttpTransport(SystemClock(), 1 << 20, egress=egress, tls=tls, proxies=[proxy])) as transport:
        return transport.send(Request("GET", url), 60.0)


def test_a_sync_through_a_proxy(tmp_path, kinto, proxy):
    """Pages and what changed come through the proxy, whose log has them; its password is nowhere."""
    secrets = {"KINTO_PASSWORD": kinto.password, "PROXY_PASSWORD": proxy.password or "unused-canary-4711"}
    config = {"url": kinto.url, "bucket": f"proxied-{proxy.name}"}
    (tmp_path / "proxy-ca.pem").write_text(proxy.ca)
    flow, more = Flow("notes", FIELDS, read="incremental"), proxy.declared
    made = house(tmp_path, "kinto", config, flow, auth=AUTH, secrets=secrets, more=more)
    records = kinto.collection(config["bucket"], "notes")
    for n in range(7):
        kinto.put(records, f"r{n}", title=f"Note {n}")

    assert made.run("notes")["inserted"] == 7
    kinto.put(records, "r3", title="Changed")
    assert made.run("notes")["updated"] == 1
    assert made.rows("SELECT count(*), count(DISTINCT id) FROM notes") == [(7, 7)]
    if proxy.protocol == "socks5":
        parts = urlsplit(kinto.url)
        assert proxy.logged(f"{parts.hostname}{'.' if proxy.name == 'dante' else ':'}{parts.port}") >= 1
    else:
        assert proxy.logged(f"{kinto.url}{records}") >= 4
    made.proved()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """An authority of the test's, and a server's certificate of it."""
    made = Authority(tmp_path_factory.mktemp("pki"))
    return made, made.issue(SERVER)


@pytest.fixture
def served(authority):
    """An API over TLS, with what trusts it."""
    import ssl

    made, files = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with api_server(lambda asked: Reply({"path": asked.path}), context) as api:
        yield api, Tls(ca=made.ca.read_text())


def test_tls_is_verified_through_the_tunnel(proxy, served):
    """What comes through is the API's, whose certificate counts: without its authority nothing is asked."""
    api, tls = served
    assert sent(known(proxy), f"{api.url}/x", tls=tls).body == b'{"path": "/x"}'
    with pytest.raises(TransportError, match="certificate refused"):
        sent(known(proxy), api.url)
    assert len(api.asked) == 1
    assert "proxy-authorization" not in api.asked[0].headers


def test_a_proxy_looks_up_a_name(proxy, served):
    """Told a name, it finds the address itself; the tenant has to name the host for that."""
    api, tls = served
    url = f"https://localhost:{api.url.rpartition(':')[2]}/"
    by_name = known(proxy, lookup="proxy")
    with pytest.raises(Denied):
        sent(by_name, url, tls=tls)
    allowed = Egress(allow=("localhost",), private=("127.0.0.1",), literals=False)
    assert sent(by_name, url, tls=tls, egress=allowed).status == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_credentials(closed, served, kinto, scheme):
    """A proxy that asks for credentials is told as that, for good."""
    api, tls = served
    with pytest.raises(TransportError) as caught:
        sent(Proxy("127.0.0.1", closed.port, **spoken(closed)), api.url if scheme == "https" else kinto.url, tls=tls)
    assert (caught.value.code, caught.value.permanent) == ("SYN540", True)


def test_a_wrong_password(closed, served):
    """It is told as the proxy's refusal, for good, whichever status the proxy has for it."""
    api, tls = served
    with pytest.raises(TransportError) as caught:
        sent(known(closed, "wrong"), api.url, tls=tls)
    assert (caught.value.code, caught.value.permanent) == ("SYN540", True)
    assert api.asked == []


def test_tinyproxy_answers_in_place_of_an_api_without_tls(tinyproxy, kinto):
    """It refuses a wrong password with 401, which over plain http can't be told from the API's own."""
    assert sent(known(tinyproxy, "wrong"), kinto.url).status == 401


def test_nothing_behind_the_proxy(proxy):
    """A server that isn't there is told as what the proxy can't reach, and tried again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        sent(known(proxy), f"https://127.0.0.1:{port}/")
    assert (caught.value.code, caught.value.permanent) == ("SYN541", False)


@pytest.mark.parametrize("name", ["squid", "squid_tls", "dante"])
def test_a_port_that_the_proxy_refuses(request, name):
    """What the proxy's own rules don't allow is told as that, for good."""
    with pytest.raises(TransportError) as caught:
        sent(known(request.getfixturevalue(name)), "https://127.0.0.1:1/")
    assert (caught.value.code, caught.value.permanent) == ("SYN543", True)


@pytest.mark.parametrize("name", ["tinyproxy_tls", "squid_tls"])
def test_a_proxy_whose_certificate_is_not_trusted(request, name, served):
    """Without its authority nothing is sent to it, its password neither; that is told as the proxy's, for good."""
    api, tls = served
    with pytest.raises(TransportError, match="its certificate is refused") as caught:
        sent(known(request.getfixturevalue(name), tls=Tls()), api.url, tls=tls)
    assert (caught.value.code, caught.value.permanent, caught.value.unsent) == ("SYN570", True, True)
    assert api.asked == []


@pytest.mark.parametrize("name", ["tinyproxy_tls", "squid_tls"])
def test_large_bodies_through_tls_inside_tls(request, name, authority):
    """Megabytes go either way through both, whole, and one connection serves request after request."""
    import ssl

    made, files = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    body = bytes(range(256)) * 20_000
    with (
        api_server(lambda asked: Reply(asked.body[::-1], content_type="application/octet-stream"), context) as api,
        closing(
            HttpTransport(
                SystemClock(),
                8 << 20,
                egress=NEAR,
                tls=Tls(ca=made.ca.read_text()),
                proxies=[known(request.getfixturevalue(name))],
            )
        ) as transport,
    ):
        for _ in range(5):
            assert transport.send(Request("POST", f"{api.url}/x", {}, body), 60.0).body == body[::-1]
        assert transport.spoken.version == "TLSv1.3"
