"""Heads of answers: a plain one is read as the standard library reads it, and any other by the standard library."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.sdk.http.head import HeadedResponse


class Sock:
    """A socket whose answer has arrived: whole, or byte by byte."""

    def __init__(self, data: bytes, pieces: int = 1 << 16) -> None:
        self._data, self._pieces = data, pieces

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(Pieces(self._data, self._pieces), 1 << 16)


class Pieces(io.RawIOBase):
    def __init__(self, data: bytes, size: int) -> None:
        self._file, self._size = io.BytesIO(data), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._file.readinto(memoryview(buffer)[: self._size])


def read(kind, data: bytes, method: str | None = None, pieces: int = 1 << 16) -> tuple[object, ...]:
    """All that is known of an answer, or the error that reading it gives."""
    answer = kind(Sock(data, pieces), method=method)
    try:
        answer.begin()
    except http.client.HTTPException as error:
        return type(error), str(error)
    facts = (answer.version, answer.status, answer.reason, answer.length, answer.chunked, answer.will_close)
    headers = [(name, value.strip("\t ")) for name, value in answer.getheaders()]
    try:
        return facts, headers, b"" if answer.chunked else answer.read()
    except http.client.IncompleteRead as error:
        return facts, headers, error.partial


PLAIN = b"HTTP/1.1 200 OK\r\nServer: s\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 2\r\n"


@pytest.mark.parametrize("more", [b"", b"Connection: Keep-Alive\r\n", b"X-Name: \xe4\xf6\r\nEmpty:\r\n"])
def test_a_plain_head_is_read_at_once(more, monkeypatch):
    """A plain head has what the standard library reads of it, and no parser of e-mail is asked."""
    data = PLAIN + more + b"\r\n[]further"
    expected = read(http.client.HTTPResponse, data)
    monkeypatch.setattr(http.client, "parse_headers", None)
    assert read(HeadedResponse, data) == expected
    assert expected[2] == b"[]"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Folded: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 9\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 101 + b"Content-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"SSH-2.0\r\n\r\n",
        b"",
    ],
)
def test_any_other_head_is_the_standard_librarys(head):
    """A head that conflicts, folds, is damaged, interim or without a length means what it does there, or is refused."""
    data = head + b"[]"
    assert read(HeadedResponse, data) == read(http.client.HTTPResponse, data)


@pytest.mark.parametrize("method", [None, "HEAD"])
def test_interim_answers_are_no_answers(method):
    """What comes before the answer is passed over: else the next request would be given the answer to this one."""
    hints = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    for head in (PLAIN, b"HTTP/1.1 204 No Content\r\n"):
        data = head + b"\r\n[]"
        assert read(HeadedResponse, hints + data, method) == read(HeadedResponse, data, method)


def test_an_answer_to_head_has_no_body():
    """The length in an answer to HEAD isn't of a body that comes."""
    data = PLAIN + b"\r\n[]"
    assert read(HeadedResponse, data, "HEAD") == read(http.client.HTTPResponse, data, "HEAD")


@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_head_in_pieces(size):
    """However a head is cut into pieces, it is the same head."""
    data = PLAIN + b"\r\n[]"
    assert read(HeadedResponse, data, pieces=size) == read(http.client.HTTPResponse, data)


_LINES = st.sampled_from([
    b"Content-Length: 2", b"Content-Length: 4", b"Transfer-Encoding: chunked", b"Connection: close", b"X: 1", b" folded",
    b"Connection: keep-alive", b"connection: Keep-Alive, Upgrade", b"X:\t1 ", b"X\x01: 1", b"", b": 1", b"X: \xff",
])  # fmt: skip


@given(st.lists(_LINES, max_size=6), st.sampled_from([b"\r\n", b"\n"]))
def test_heads_mean_what_they_meant(lines, end):
    """Of any lines in a head, the answer is the standard library's, but for blanks around values."""
    data = end.join([b"HTTP/1.1 200 OK", *lines, b"", b"[]: {}"])
    assert read(HeadedResponse, data) == read(http.client.HTTPResponse, data)
