"""Tests of the daemon's HTTP server: what it answers, and how it is bounded."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from http.client import HTTPConnection

import pytest

from syncline.daemon.http import listening as module
from syncline.daemon.http.listening import Reply, address, listening
from syncline.model.errors import Invalid


def echo(asked):
    return Reply(200, {"method": asked.method, "path": asked.path, "size": len(asked.body)}, {"X-Of": "us"})


def said(port, text):
    """What is answered to raw bytes, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(text)
        found = b""
        while more := connection.recv(4096):
            found += more
        return found


def status(port, text):
    return int(said(port, text).split(b" ")[1])


def test_it_answers_get_and_post():
    """Method, path and body reach whoever answers; JSON and headers come back."""
    with listening(("127.0.0.1", 0), echo, max_body=100) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        with closing(connection):
            connection.request("POST", "/a?b=c", body=b"12345")
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("X-Of")) == (200, "us")
            assert json.load(answer) == {"method": "POST", "path": "/a?b=c", "size": 5}


def test_bodies_are_bounded_before_they_are_read():
    """A body that is too long, has no length, a length that isn't one, or comes in chunks is refused unread."""
    with listening(("127.0.0.1", 0), echo, max_body=100) as port:
        post = b"POST / HTTP/1.1\r\n"
        assert status(port, post + b"Content-Length: 101\r\n\r\n") == 413
        assert status(port, post + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n") == 413
        assert status(port, post + b"\r\n") == 411
        assert status(port, post + b"Content-Length: -1\r\n\r\n") == 411
        assert status(port, post + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n") == 411
        assert status(port, b"DELETE / HTTP/1.1\r\n\r\n") == 501
    with listening(("127.0.0.1", 0), echo) as port:
        assert status(port, post + b"Content-Length: 1\r\n\r\nx") == 405


def test_a_connection_ends_at_its_deadline(monkeypatch):
    """One that never says all it announced is cut off, and the next one is answered."""
    monkeypatch.setattr(module, "DEADLINE", 0.3)
    with listening(("127.0.0.1", 0), echo, max_body=100) as port:
        assert said(port, b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nhalf") == b""
        assert status(port, b"GET / HTTP/1.1\r\n\r\n") == 200


def test_connections_at_once_are_bounded(monkeypatch):
    """While all places are taken, further connections are closed; when one is free again, it serves the next."""
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    with listening(("127.0.0.1", 0), echo) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as first:
            first.sendall(b"GET / HTTP/1.1\r\n")
            with socket.create_connection(("127.0.0.1", port), timeout=30) as second:
                assert second.recv(10) == b""
            first.sendall(b"\r\n")
            assert first.recv(15).startswith(b"HTTP/1.0 200")
        for _ in range(3):
            while not (found := said(port, b"GET / HTTP/1.1\r\n\r\n")):
                pass
            assert b"200" in found


@pytest.mark.parametrize("text", ["8088", "", "host:", "host:x", "host:65536", "host:٣"])
def test_what_is_no_address_is_refused(text):
    """HOST:PORT with a port of digits."""
    with pytest.raises(Invalid) as caught:
        address(text)
    assert caught.value.code == "SYN666"


def test_a_port_that_is_taken_is_a_person_s_business():
    """The message names the address; it is no traceback."""
    with (
        listening(("127.0.0.1", 0), echo) as port,
        pytest.raises(Invalid, match="can't be listened at") as caught,
        listening(("127.0.0.1", port), echo),
    ):
        pass
    assert caught.value.code == "SYN666"
