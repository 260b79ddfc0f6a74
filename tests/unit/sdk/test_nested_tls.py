"""TLS inside TLS: whose certificate counts, deadlines, bodies that are cut, and proxies that don't speak it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest

from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Proxy, Request, Tls, TransportError
from tests.api_server import Reply, api_server
from tests.proxy_server import proxy_server
from tests.unit.sdk.test_http import certificate, server_context

LOCAL = Egress(private=("127.0.0.0/8",))


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("other"))


def trusting(pem, **how):
    return Tls(ca=pem.read_text().partition("-----BEGIN PRIVATE")[0], **how)


@contextmanager
def behind_tls(port, pem):
    """A TLS server that passes what comes on to a port of this machine."""
    context = server_context(pem)

    def serve():
        with suppress(OSError):
            while True:
                sock, _ = server.accept()
                threading.Thread(target=_passed, args=(sock, context, port), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def _passed(sock, context, port):
    with (
        suppress(OSError),
        context.wrap_socket(sock, server_side=True) as secured,
        socket.create_connection(("127.0.0.1", port)) as there,
    ):
        secured.setblocking(False)
        there.setblocking(False)
        _pumped(secured, there)


def _pumped(one, two):
    open_ = {one: two, two: one}
    while open_:
        moved = False
        for here, there in tuple(open_.items()):
            try:
                data = here.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            moved = True
            if not data:
                return
            while data:
                try:
                    data = data[there.send(data) :]
                except (ssl.SSLWantWriteError, BlockingIOError):
                    time.sleep(0.001)
        if not moved:
            time.sleep(0.001)


@pytest.fixture
def proxy(pem):
    """An HTTP proxy that is spoken to over TLS: its port, and the one behind that."""
    with proxy_server() as inner, behind_tls(inner.port, pem) as port:
        yield port, inner


def sent(port, url, tls, *, of_proxy, timeout=30.0):
    how = {"protocol": "https", "tls": of_proxy}
    made = HttpTransport(
        SystemClock(), 1 << 20, egress=LOCAL, tls=tls, proxies=[Proxy("127.0.0.1", port, "alice", **how)]
    )
    with closing(made) as client:
        return client.send(Request("GET", url), timeout)


def test_each_certificate_is_verified_by_its_own_authorities(proxy, pem, other):
    """The proxy's by what is declared of the proxy, the API's by what is declared of the API."""
    port, inner = proxy
    with api_server(lambda _: Reply({"a": 1}), server_context(other)) as api:
        assert sent(port, api.url, trusting(other), of_proxy=trusting(pem)).body == b'{"a": 1}'
        with pytest.raises(TransportError, match="the proxy .* its certificate is refused") as caught:
            sent(port, api.url, trusting(other), of_proxy=trusting(other))
        assert (caught.value.code, caught.value.permanent) == ("SYN570", True)
        before = len(inner.asked)
        with pytest.raises(TransportError, match="^certificate refused") as caught:
            sent(port, api.url, trusting(pem), of_proxy=trusting(pem))
        assert caught.value.permanent
        assert len(inner.asked) == before + 1
    assert len(api.asked) == 1


def test_http_goes_to_it_by_whole_urls_over_tls(proxy, pem):
    """An API on http is asked by whole URLs, which only the proxy reads; credentials go encrypted to it."""
    port, inner = proxy
    with api_server(lambda _: Reply({"a": 1})) as api:
        assert sent(port, f"{api.url}/x", Tls(), of_proxy=trusting(pem)).body == b'{"a": 1}'
    assert inner.asked[0].path == f"{api.url}/x"
    assert "proxy-authorization" in inner.asked[0].headers


def test_keys_of_the_proxy_may_be_pinned(proxy, pem):
    """A proxy with another key than those that are pinned is told nothing."""
    port, inner = proxy
    with api_server(lambda _: Reply({}), server_context(pem)) as api, pytest.raises(TransportError) as caught:
        sent(port, api.url, trusting(pem), of_proxy=trusting(pem, pins=("sha256/" + "A" * 43 + "=",)))
    assert caught.value.code == "SYN833"
    assert "add it to proxy.tls.pins" in caught.value.help
    assert inner.asked == []


def test_an_older_tls_than_is_asked_for(pem):
    """A proxy that speaks only TLS 1.2 is refused for good, unless its `tls.min` says so."""
    context = server_context(pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with api_server(lambda _: Reply({}), context) as old:
        port = int(old.url.rpartition(":")[2])
        with pytest.raises(TransportError) as caught:
            sent(port, "http://127.0.0.1:1/", Tls(), of_proxy=trusting(pem))
        assert (caught.value.code, caught.value.permanent) == ("SYN570", True)
        assert sent(port, "http://127.0.0.1:1/", Tls(), of_proxy=trusting(pem, minimum="1.2")).status == 200


def test_a_proxy_without_tls(pem):
    """What answers in the open at an https proxy's address is refused for good, and sees no credentials."""
    with proxy_server() as plain, pytest.raises(TransportError) as caught:
        sent(plain.port, "http://127.0.0.1:1/", Tls(), of_proxy=trusting(pem))
    assert (caught.value.code, caught.value.permanent) == ("SYN570", True)
    assert "proxy-authorization" not in str(plain.asked)


@pytest.mark.parametrize("part", ["handshake", "answer"])
def test_an_api_that_hangs_behind_it_ends_in_time(proxy, pem, part):
    """The deadline holds inside both layers: for a server that says nothing, and for one that trickles its answer."""
    port, _ = proxy
    done = threading.Event()

    def serve():
        with suppress(OSError):
            sock, _ = server.accept()
            with sock:
                if part == "handshake":
                    done.wait(10)
                    return
                with server_context(pem).wrap_socket(sock, server_side=True) as secured:
                    secured.recv(65536)
                    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + b"x" * 50:
                        secured.sendall(bytes([byte]))
                        if done.wait(0.1):
                            return

    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(TransportError) as caught:
            sent(port, url, trusting(pem), of_proxy=trusting(pem), timeout=1.5)
        done.set()
    assert caught.value.kind == "timeout"
    assert 1.2 < time.monotonic() - began < 3


def test_an_answer_that_is_cut_is_no_answer(proxy, pem):
    """A body that ends early inside both layers is told as that."""
    port, _ = proxy
    with (
        api_server(lambda _: Reply({"a": "x" * 1000}, cut=100), server_context(pem)) as api,
        pytest.raises(TransportError, match="ended early"),
    ):
        sent(port, api.url, trusting(pem), of_proxy=trusting(pem))


def test_an_answer_whose_connection_closes_is_whole(proxy, pem):
    """`Connection: close` behind two layers of TLS: the body is read to its end all the same."""
    port, _ = proxy
    body = {"a": "x" * 200_000}
    with api_server(lambda _: Reply(body, headers={"Connection": "close"}), server_context(pem)) as api:
        assert len(sent(port, api.url, trusting(pem), of_proxy=trusting(pem)).body) > 200_000
