"""SOCKS 5 proxies: what they are told, what may be reached through them, and what becomes of each answer of theirs."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress

import pytest

from syncline.model.errors import Denied
from syncline.model.secret import Secret
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Proxy, Request, TransportError
from tests.api_server import Reply, api_server

LOCAL = Egress(private=("127.0.0.0/8",))
WELCOME, CONNECTED = b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"


def through(port, **how):
    bounds, lookup = how.pop("egress", LOCAL), how.pop("resolve", None)
    proxy = Proxy("127.0.0.1", port, protocol="socks5", **how)
    return HttpTransport(SystemClock(), 1 << 20, egress=bounds, lookup=lookup, proxies=[proxy])


def sent(port, url, *, timeout=30.0, **how):
    with closing(through(port, **how)) as client:
        return client.send(Request("GET", url), timeout)


@contextmanager
def answering(*answers, pause=None, closes=False):
    """A server that gives each answer after a message of its one client; the port and what it was told."""
    told: list[bytes] = []

    def serve():
        with suppress(OSError):
            sock, _ = server.accept()
            with sock:
                for answer in answers:
                    told.append(sock.recv(1024))
                    for part in [answer] if pause is None else [bytes([byte]) for byte in answer]:
                        sock.sendall(part)
                        if pause is not None:
                            done.wait(pause)
                if not closes:
                    told.append(sock.recv(1024))

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], told
        done.set()
    thread.join(5)


def test_it_is_told_the_address_that_was_checked():
    """A name is looked up here, once, also for plain http; the request says the name all the same."""
    asked = []

    def resolve(host, timeout):
        asked.append(host)
        return (host,) if host[0].isdigit() else ("127.0.0.9",)

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with answering(WELCOME, CONNECTED, answer) as (port, told):
        assert sent(port, "http://api.invalid:81/x", resolve=resolve).body == b"ok"
    assert told[:2] == [b"\x05\x01\x00", b"\x05\x01\x00\x01\x7f\x00\x00\x09\x00\x51"]
    assert b"GET /x HTTP/1.1\r\n" in told[2]
    assert b"Host: api.invalid:81\r\n" in told[2]
    assert asked == ["api.invalid", "127.0.0.1"]


def test_it_is_told_a_name_where_it_looks_names_up():
    """With `lookup: proxy` the name itself goes to it, and is never looked up here."""

    def resolve(host, timeout):
        assert host == "127.0.0.1"
        return (host,)

    bounds = Egress(private=("127.0.0.1",), allow=("api.invalid",), literals=False)
    with answering(WELCOME, CONNECTED, b"HTTP/1.1 204 No\r\n\r\n") as (port, told):
        assert sent(port, "http://api.invalid/", resolve=resolve, egress=bounds, lookup="proxy").status == 204
    assert told[1] == b"\x05\x01\x00\x03\x0bapi.invalid\x00\x50"


def test_an_ipv6_address():
    """Goes as sixteen bytes, and the reply may hold one too."""
    reply = b"\x05\x00\x00\x04" + bytes(16) + b"\x00\x50"
    with answering(WELCOME, reply, b"HTTP/1.1 204 No\r\n\r\n") as (port, told):
        assert sent(port, "http://[::1]:80/", egress=Egress(private=("127.0.0.1", "::1"))).status == 204
    assert told[1] == b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50"


@pytest.mark.parametrize("way", ["here", "proxy"])
def test_hosts_out_of_bounds_are_not_asked_of_it(way):
    """Private, metadata and oddly written addresses, and names nobody named, are refused before it is connected to."""

    def resolve(host, timeout):
        return {"inside.example": ("10.0.0.1",), "meta.example": ("169.254.169.254",)}.get(host, (host,))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        for host in ("inside.example", "meta.example", "10.0.0.1", "169.254.169.254", "2130706433"):
            with pytest.raises(Denied):
                sent(
                    server.getsockname()[1],
                    f"http://{host}/",
                    resolve=resolve,
                    lookup=way,
                    egress=Egress(private=("127.0.0.1",), literals=False),
                )
        with pytest.raises(TimeoutError):
            server.accept()


def test_it_must_be_allowed_itself():
    """A proxy at a private address that nobody named is not connected to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        with pytest.raises(Denied, match="private address"):
            sent(server.getsockname()[1], "http://8.8.8.8/", egress=Egress(literals=False))
        with pytest.raises(TimeoutError):
            server.accept()


def test_credentials_are_sent_where_it_asks_for_them():
    """By RFC 1929, after it chose that; where it asks for none it isn't told them."""
    known = {"username": "alice", "password": Secret("canary-é")}
    gone = b"HTTP/1.1 204 No\r\n\r\n"
    with answering(b"\x05\x02", b"\x01\x00", CONNECTED, gone) as (port, told):
        sent(port, "http://127.0.0.1/", **known)
    assert told[:2] == [b"\x05\x02\x00\x02", b"\x01\x05alice\x09canary-\xc3\xa9"]
    with answering(WELCOME, CONNECTED, gone) as (port, told):
        sent(port, "http://127.0.0.1/", **known)
    assert b"canary" not in b"".join(told)


@pytest.mark.parametrize(
    ("answers", "code", "permanent"),
    [
        ((b"\x05\xff",), "SYN540", True),
        ((b"\x05\x02",), "SYN542", False),
        ((WELCOME, b"\x05\x02\x00\x01" + bytes(6)), "SYN543", True),
        *(((WELCOME, bytes([5, reply, 0, 1, *bytes(6)])), "SYN541", False) for reply in (1, 3, 4, 5, 6, 7, 8, 99)),
        ((b"\x04\x5a",), "SYN542", False),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "SYN542", False),
        ((b"\x05",), "SYN542", False),
        ((WELCOME, b""), "SYN542", False),
        ((WELCOME, b"\x05\x00\x00\x09" + bytes(6)), "SYN542", False),
    ],
)
def test_what_it_answers_instead_of_connecting(answers, code, permanent):
    """Refusals for good, failures that pass, and what doesn't speak SOCKS: each is told as the proxy's, and unsent."""
    with answering(*answers, closes=True) as (port, _), pytest.raises(TransportError) as caught:
        sent(port, "http://127.0.0.1:1/", timeout=1.0)
    assert (caught.value.code, caught.value.permanent, caught.value.unsent) == (code, permanent, True)


def test_a_wrong_password_is_refused_for_good():
    """Its answer to the credentials counts, and neither is in the message."""
    with answering(b"\x05\x02", b"\x01\x01") as (port, _), pytest.raises(TransportError) as caught:
        sent(port, "http://127.0.0.1/", username="alice", password=Secret("canary-4711"))
    assert (caught.value.code, caught.value.permanent) == ("SYN540", True)
    assert "canary" not in f"{caught.value}{caught.value.help}"


def test_a_proxy_that_trickles_ends_in_time():
    """One deadline holds for all of the exchange, whatever byte of it comes next."""
    clock = SystemClock()
    began = clock.monotonic()
    with answering(WELCOME, CONNECTED, pause=0.3) as (port, _), pytest.raises(TransportError) as caught:
        sent(port, "http://127.0.0.1/", timeout=1.0)
    assert caught.value.kind == "timeout"
    assert clock.monotonic() - began < 2


def test_another_address_is_tried_where_it_reaches_one_only():
    """A host's next address is asked for where it can't reach the first."""
    ports: list[int] = []

    def resolve(host, timeout):
        return (host,) if host[0].isdigit() else ("::1", "127.0.0.1")

    def serve():
        for reply in (8, 0):
            sock, _ = server.accept()
            with sock:
                sock.recv(64)
                sock.sendall(WELCOME)
                ports.append(sock.recv(64)[3])
                sock.sendall(bytes([5, reply, 0, 1, *bytes(6)]))
                if not reply:
                    sock.recv(4096)
                    sock.sendall(b"HTTP/1.1 204 No\r\n\r\n")

    bounds = Egress(private=("api.invalid", "127.0.0.1"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        assert sent(server.getsockname()[1], "http://api.invalid/", resolve=resolve, egress=bounds).status == 204
    assert ports == [4, 1]


def test_connections_are_reused_through_it():
    """Requests to one server go over one tunnel, one after another."""
    with api_server(lambda asked: Reply({"q": asked.query})) as api, socket.create_server(("127.0.0.1", 0)) as server:
        made = []

        def serve():
            with suppress(OSError):
                while True:
                    sock, _ = server.accept()
                    made.append(sock)
                    sock.recv(64)
                    sock.sendall(WELCOME)
                    told = sock.recv(64)
                    there = socket.create_connection(("127.0.0.1", int.from_bytes(told[-2:], "big")))
                    sock.sendall(CONNECTED)
                    threading.Thread(target=_pump, args=(there, sock), daemon=True).start()
                    threading.Thread(target=_pump, args=(sock, there), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        with closing(through(server.getsockname()[1])) as client:
            for n in range(3):
                assert client.send(Request("GET", f"{api.url}/?q={n}"), 30.0).status == 200
        assert len(made) == 1


def _pump(one, other):
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
