"""tinyproxy and Squid between Syncline and an API: tunnels, whole URLs, credentials, refusals."""

from __future__ import annotations

import socket
from contextlib import closing

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


@pytest.fixture(params=["tinyproxy", "squid"])
def proxy(request):
    """Each proxy in turn."""
    return request.getfixturevalue(request.param)


def known(proxy, password="", **how):
    return Proxy("127.0.0.1", proxy.port, proxy.user, Secret(password or proxy.password), **how)


def sent(proxy, url, *, egress=NEAR, tls=Tls()):  # noqa: B008 - a frozen value
    with closing(HttpTransport(SystemClock(), 1 << 20, egress=egress, tls=tls, proxies=[proxy])) as transport:
        return transport.send(Request("GET", url), 60.0)


def test_a_sync_through_a_proxy(tmp_path, kinto, proxy):
    """Pages and what changed come through the proxy, whole URLs in its log; its password is nowhere."""
    secrets = {"KINTO_PASSWORD": kinto.password, "PROXY_PASSWORD": proxy.password}
    config = {"url": kinto.url, "bucket": f"proxied-{proxy.name}"}
    password = "{secretRef: {provider: env, key: PROXY_PASSWORD}}"
    more = f"proxy: {{url: '{proxy.url}', username: {proxy.user}, password: {password}}}"
    made = house(
        tmp_path, "kinto", config, Flow("notes", FIELDS, read="incremental"), auth=AUTH, secrets=secrets, more=more
    )
    records = kinto.collection(config["bucket"], "notes")
    for n in range(7):
        kinto.put(records, f"r{n}", title=f"Note {n}")

    assert made.run("notes")["inserted"] == 7
    kinto.put(records, "r3", title="Changed")
    assert made.run("notes")["updated"] == 1
    assert made.rows("SELECT count(*), count(DISTINCT id) FROM notes") == [(7, 7)]
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
def test_no_credentials(proxy, served, kinto, scheme):
    """A proxy that asks for credentials is told as that, for good."""
    api, tls = served
    with pytest.raises(TransportError) as caught:
        sent(Proxy("127.0.0.1", proxy.port), api.url if scheme == "https" else kinto.url, tls=tls)
    assert (caught.value.code, caught.value.permanent) == ("SYN540", True)


def test_a_wrong_password(proxy, served):
    """It is told as the proxy's refusal, for good, whichever status the proxy has for it."""
    api, tls = served
    with pytest.raises(TransportError) as caught:
        sent(known(proxy, "wrong"), api.url, tls=tls)
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


def test_a_port_that_the_proxy_refuses(squid):
    """What the proxy's own rules don't allow is told as that, for good."""
    with pytest.raises(TransportError) as caught:
        sent(known(squid), "https://127.0.0.1:1/")
    assert (caught.value.code, caught.value.permanent) == ("SYN543", True)
