"""HTTP proxies: tunnels and whole URLs, what may be reached through them, and whose error it was."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from contextlib import closing

import pytest

from syncline.model.errors import Denied
from syncline.model.secret import Secret
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Pool, Proxy, Request, Tls, TransportError
from tests.api_server import Reply, api_server
from tests.proxy_server import proxy_server
from tests.unit.sdk.test_http import certificate, server_context

LOCAL = Egress(private=("127.0.0.0/8",))


def through(proxy, **how):
    how.setdefault("egress", LOCAL)
    return HttpTransport(SystemClock(), 1 << 20, proxies=[proxy] if proxy is not None else [], **how)


def sent(proxy, url, **how):
    with closing(through(proxy, **how)) as client:
        return client.send(Request("GET", url, {"Authorization": "Bearer t0k3n"}), 30.0)


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("pki"))


def ca(pem):
    return Tls(ca=pem.read_text().partition("-----BEGIN PRIVATE")[0])


def test_https_goes_through_a_tunnel(pem):
    """The proxy is told where to, and nothing else; the API's certificate is verified through it."""
    with api_server(lambda _: Reply({"a": 1}), server_context(pem)) as api, proxy_server() as proxy:
        found = sent(Proxy("127.0.0.1", proxy.port), f"{api.url}/x?q=1", tls=ca(pem))
        with pytest.raises(TransportError, match="certificate refused"):
            sent(Proxy("127.0.0.1", proxy.port), api.url)
    assert found.body == b'{"a": 1}'
    assert [(asked.method, asked.path) for asked in proxy.asked] == [("CONNECT", api.url.removeprefix("https://"))] * 2
    assert "authorization" not in proxy.asked[0].headers
    assert [asked.headers["authorization"] for asked in api.asked] == ["Bearer t0k3n"]


def test_http_is_asked_by_whole_urls():
    """Without TLS, requests go to the proxy with the whole URL, one after another over one connection."""
    with api_server(lambda asked: Reply({"q": asked.query})) as api, proxy_server() as proxy:
        client = through(Proxy("127.0.0.1", proxy.port))
        found = [client.send(Request("GET", f"{api.url}/x?q={n}"), 30.0).body for n in range(3)]
        client.close()
    assert found == [b'{"q": {"q": "0"}}', b'{"q": {"q": "1"}}', b'{"q": {"q": "2"}}']
    assert [asked.path for asked in proxy.asked] == [f"{api.url}/x?q={n}" for n in range(3)]
    assert {asked.headers["host"] for asked in proxy.asked} == {api.url.removeprefix("http://")}
    assert proxy.connections == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_credentials_go_to_the_proxy_alone(scheme, pem):
    """The proxy gets its user name and password with each request to it; the API gets neither."""
    expected = "Basic " + b64encode(b"alice:canary-\xc3\xa9").decode()

    def refuse(asked):
        return 0 if asked.headers.get("proxy-authorization") == expected else 407

    tls = server_context(pem) if scheme == "https" else None
    with api_server(lambda _: Reply({}), tls) as api, proxy_server(refuse) as proxy:
        known = Proxy("127.0.0.1", proxy.port, "alice", Secret("canary-é"))
        assert sent(known, api.url, tls=ca(pem)).status == 200
        for other in (Proxy("127.0.0.1", proxy.port), Proxy("127.0.0.1", proxy.port, "alice", Secret("wrong"))):
            with pytest.raises(TransportError) as caught:
                sent(other, api.url, tls=ca(pem))
            assert (caught.value.code, caught.value.permanent, caught.value.unsent) == ("SYN540", True, True)
    assert len(api.asked) == 1
    assert "proxy-authorization" not in api.asked[0].headers
    assert "canary" not in repr(known) + str(known)


def test_a_407_of_an_api_is_its_own(pem):
    """Behind a tunnel it is the API that answers 407, and that is an answer."""
    with api_server(lambda _: Reply({}, status=407), server_context(pem)) as api, proxy_server() as proxy:
        assert sent(Proxy("127.0.0.1", proxy.port), api.url, tls=ca(pem)).status == 407


@pytest.mark.parametrize(
    ("status", "code", "permanent"),
    [
        (502, "SYN541", False),
        (503, "SYN541", False),
        (500, "SYN541", False),
        (429, "SYN541", False),
        (403, "SYN543", True),
        (405, "SYN543", True),
        (302, "SYN543", True),
    ],
)
def test_refusals_of_tunnels(status, code, permanent, pem):
    """What the proxy can't do is tried again, what it won't do isn't; neither is an answer of the API."""
    with (
        api_server(lambda _: Reply({}), server_context(pem)) as api,
        proxy_server(lambda _: status) as proxy,
        pytest.raises(TransportError, match=f"status {status}") as caught,
    ):
        sent(Proxy("127.0.0.1", proxy.port), api.url, tls=ca(pem))
    assert (caught.value.code, caught.value.permanent, caught.value.unsent) == (code, permanent, True)
    assert api.asked == []


def listening(answer):
    """The port of a server that says `answer` to whoever connects; None: that says nothing."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        sock, _ = server.accept()
        with sock:
            sock.recv(65536)
            if answer is not None:
                sock.sendall(answer)
                return
            sock.recv(65536)

    threading.Thread(target=serve, daemon=True).start()
    return server, server.getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "code", "kind"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "SYN542", "connection"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n", "SYN542", "connection"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"1" * 100_000, "SYN542", "connection"),
        (b"", "SYN542", "connection"),
        (None, "SYN541", "timeout"),
    ],
    ids=["another protocol", "too many headers", "an endless header", "closes", "says nothing"],
)
def test_what_is_no_proxy(answer, code, kind):
    """What answers like no proxy, or not at all, ends in words, in time and within bounds."""
    server, port = listening(answer)
    with server, pytest.raises(TransportError) as caught, closing(through(Proxy("127.0.0.1", port))) as client:
        client.send(Request("GET", "https://127.0.0.1:1/"), 0.5 if answer is None else 30.0)
    assert (caught.value.code, caught.value.kind, caught.value.unsent) == (code, kind, True)


def test_a_proxy_that_is_not_there():
    """A refused connection is the proxy's fault in words, for http as for https."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for url in ("http://127.0.0.1:1/", "https://127.0.0.1:1/"):
        with pytest.raises(TransportError, match=rf"proxy 127\.0\.0\.1:{port} can't be used: Connection ref") as caught:
            sent(Proxy("127.0.0.1", port), url)
        assert caught.value.code == "SYN542"


def test_connections_belong_to_their_proxy():
    """Another proxy, another user of the same proxy, or none get no connection that was made for one."""
    with api_server(lambda _: Reply({})) as api, proxy_server() as one, proxy_server() as other:
        pool = Pool(SystemClock())
        first = Proxy("127.0.0.1", one.port, "alice", Secret("a"))
        for same in (first, Proxy("127.0.0.1", one.port, "alice", Secret("a"))):
            sent(same, api.url, pool=pool)
        assert one.connections == 1
        for proxy in (Proxy("127.0.0.1", one.port, "alice", Secret("b")), Proxy("127.0.0.1", other.port), None):
            sent(proxy, api.url, pool=pool)
        pool.close()
    assert (one.connections, other.connections, len(api.asked)) == (2, 1, 5)
    assert len(one.asked) == 3


def test_bypassed_hosts_are_reached_directly():
    """What `bypass` names, by name or by network, doesn't go through the proxy."""
    with api_server(lambda _: Reply({})) as api, proxy_server() as proxy:
        for bypass in (("127.0.0.0/8",), ("*.0.0.1",), ("127.0.0.1",)):
            assert sent(Proxy("127.0.0.1", proxy.port, bypass=bypass), api.url).status == 200
        assert proxy.asked == []
        sent(Proxy("127.0.0.1", proxy.port, bypass=("10.0.0.0/8", "*.example.com")), api.url)
    assert len(proxy.asked) == 1


def test_the_proxy_is_told_the_address_that_was_checked(pem):
    """A name is looked up here, once; the tunnel goes to what was found, and the certificate is for the name."""
    asked = []

    def lookup(host, timeout):
        asked.append(host)
        return (host,) if host[0].isdigit() else ("127.0.0.1",)

    with api_server(lambda _: Reply({}), server_context(pem)) as api, proxy_server() as proxy:
        port = api.url.rpartition(":")[2]
        with pytest.raises(TransportError, match="certificate refused"):
            sent(Proxy("127.0.0.1", proxy.port), f"https://api.invalid:{port}/", lookup=lookup, tls=ca(pem))
    assert proxy.asked[0].path == f"127.0.0.1:{port}"
    assert asked == ["api.invalid", "127.0.0.1"]


def test_another_address_is_tried_where_the_proxy_reaches_one_only(pem):
    """A proxy that speaks IPv4 only is asked for the next address."""

    def refuse(asked):
        return 503 if asked.path.startswith("[") else 0

    def lookup(host, timeout):
        return (host,) if host[0].isdigit() else ("::1", "127.0.0.1")

    context = ssl.create_default_context(cafile=str(pem))
    context.check_hostname = False
    bounds = Egress(private=("api.invalid", "127.0.0.1"))
    with api_server(lambda _: Reply({}), server_context(pem)) as api, proxy_server(refuse) as proxy:
        url = f"https://api.invalid:{api.url.rpartition(':')[2]}/"
        found = sent(Proxy("127.0.0.1", proxy.port), url, lookup=lookup, egress=bounds, context=context)
    assert found.status == 200
    assert [asked.path[0] for asked in proxy.asked] == ["[", "1"]


def test_addresses_out_of_bounds_are_not_asked_of_a_proxy():
    """A private or never reached address is as far away through a proxy as without."""
    bounds = Egress(private=("127.0.0.1",))

    def lookup(host, timeout):
        return {"inside.example": ("10.0.0.1",), "meta.example": ("169.254.169.254",)}.get(host, (host,))

    with proxy_server() as proxy:
        for host in ("inside.example", "meta.example", "10.0.0.1", "169.254.169.254", "2130706433"):
            for way in ("here", "proxy"):
                known = Proxy("127.0.0.1", proxy.port, lookup=way)
                with pytest.raises(Denied):
                    sent(known, f"https://{host}/", egress=bounds, lookup=lookup)
    assert proxy.connections == 0


def test_the_proxy_itself_must_be_allowed():
    """A proxy at a private address is reached where that is named, or where whoever runs the machine named the proxy."""
    with api_server(lambda _: Reply({})) as api, proxy_server() as proxy:
        for bounds in (Egress(private=("10.0.0.0/8",), literals=False), Egress(private=("10.0.0.1",), literals=False)):
            with pytest.raises(Denied, match=r"127\.0\.0\.1 is a private address"):
                sent(Proxy("127.0.0.1", proxy.port), "http://10.0.0.1/", egress=bounds)
        with pytest.raises(Denied, match=r"127\.0\.0\.1 is not among the allowed|127\.0\.0\.1 is a private"):
            sent(Proxy("127.0.0.1", proxy.port), "http://8.8.8.8/", egress=Egress(("8.8.8.8",), literals=False))
        assert proxy.connections == 0
        trusted = Proxy("127.0.0.1", proxy.port, trusted=True)
        port = api.url.rpartition(":")[2]
        with pytest.raises(Denied):
            sent(trusted, api.url, egress=Egress(literals=False))
        bounds = Egress(private=("api.invalid",), literals=False)
        with proxy_server(names={"api.invalid": "127.0.0.1"}) as inner:
            known = Proxy("127.0.0.1", inner.port, lookup="proxy", trusted=True)
            assert sent(known, f"http://api.invalid:{port}/", egress=bounds).status == 200


def test_a_proxy_that_looks_names_up_reaches_only_named_hosts():
    """Addresses can't be checked here then: the tenant has to name the host, or the manifest of who has no tenant."""
    with api_server(lambda _: Reply({})) as api, proxy_server(names={"api.invalid": "127.0.0.1"}) as server:
        url = f"http://api.invalid:{api.url.rpartition(':')[2]}/"
        proxy = Proxy("127.0.0.1", server.port, lookup="proxy")
        near = ("127.0.0.1",)
        for bounds in (Egress(private=near), Egress(private=near, deny=("*.invalid",)).declaring(["api.invalid"])):
            with pytest.raises(Denied):
                sent(proxy, url, egress=bounds)
        with pytest.raises(Denied) as caught:
            sent(proxy, url, egress=Egress(private=near, literals=False).declaring(["api.invalid"]))
        assert caught.value.code == "SYN544"
        assert server.connections == 0
        for bounds in (
            Egress(private=near).declaring(["api.invalid"]),
            Egress(private=near, allow=("*.invalid",), literals=False),
            Egress(private=(*near, "api.invalid"), literals=False),
        ):
            assert sent(proxy, url, egress=bounds).status == 200


def test_http_by_name_needs_a_proxy_that_looks_up():
    """Without TLS the proxy would look the name up a second time, unchecked: refused, before anything is sent."""
    with proxy_server() as proxy, pytest.raises(Denied) as caught:
        sent(Proxy("127.0.0.1", proxy.port), "http://api.invalid/", lookup=lambda *_: ("127.0.0.1",))
    assert caught.value.code == "SYN545"
    assert proxy.connections == 0
