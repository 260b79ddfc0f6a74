"""Reading a response whole: bounded before and after decompression, and never half of it."""

from __future__ import annotations

import http.client
import zlib

from syncline.model.errors import Invalid
from syncline.sdk.formats.inflate import too_large
from syncline.sdk.http.message import Response, TransportError

_CHUNK = 256 * 1024
#: Unpacked bytes made at once, so that a bomb is noticed before it has grown.
_STEP = 1024 * 1024
#: From this size on, what unpacks to more than `_RATIO` times its size is taken for a bomb (deflate reaches 1,032).
_RATIO_FROM = 16 * 1024 * 1024
_RATIO = 500


class Cut(http.client.IncompleteRead):
    """The connection ended inside a body; `response` is what came of it.

    >>> Cut(http.client.IncompleteRead(b"[1, ", 2), Response(200, {}, b"[1, ")).response.body
    b'[1, '
    """

    def __init__(self, error: http.client.IncompleteRead, response: Response) -> None:
        super().__init__(error.partial, error.expected)
        self.response = response


def read_response(answer: http.client.HTTPResponse, max_body: int, *, unpack: bool = True) -> Response:
    """
    The whole response, its body unpacked unless it is wanted as it is sent.

    Raises `Invalid` (SYN407) for too large a body, `TransportError` for a damaged one, `Cut`.

    Example: `read_response(connection.getresponse(), max_body=1 << 20)`, of a connection of `http.client`.
    """
    length = answer.length
    if length is not None and length > max_body:
        raise too_large(max_body)
    headers: dict[str, str] = {}
    for field, value in answer.getheaders():
        name = field.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    encoding = ((unpack and headers.get("content-encoding")) or "identity").lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise TransportError(f"unknown Content-Encoding {encoding[:40]!a}", "connection", permanent=True)
    part = bytearray()
    try:
        if encoding == "identity" and length is not None:
            body = answer.read()
        else:
            body = _streamed(answer, max_body, part, inflate=encoding != "identity")
    except http.client.IncompleteRead as error:
        part += error.partial if encoding == "identity" else b""
        raise Cut(error, Response(answer.status, headers, bytes(part))) from error
    except TransportError as error:
        error.part = Response(answer.status, headers, bytes(part))
        raise
    return Response(answer.status, headers, body)


def _streamed(answer: http.client.HTTPResponse, max_body: int, body: bytearray, *, inflate: bool) -> bytes:
    """The body, into `body`, which holds what came of it where this raises."""
    inflater = zlib.decompressobj(wbits=31) if inflate else None
    declared, received = answer.length, 0
    while chunk := answer.read(_CHUNK):
        received += len(chunk)
        if received > max_body:
            raise too_large(max_body)
        if inflater is None:
            body += chunk
        else:
            _unpack(inflater, chunk, body, received, max_body)
    cut = declared is not None and received < declared
    if cut or (inflater is not None and received and not inflater.eof):
        raise TransportError("the answer ended early", "connection")
    return bytes(body)


def _unpack(inflater: zlib._Decompress, chunk: bytes, body: bytearray, received: int, max_body: int) -> None:
    while chunk and not inflater.eof:
        try:
            body += inflater.decompress(chunk, _STEP)
        except zlib.error as error:
            body += b"" if body else chunk  # it may be no gzip at all
            raise TransportError("damaged gzip data", "connection") from error
        if len(body) > max_body:
            raise too_large(max_body)
        chunk = inflater.unconsumed_tail
        if len(body) > _RATIO_FROM and len(body) > (received - len(chunk)) * _RATIO:
            raise _bomb(received)


def _bomb(received: int) -> Invalid:
    return Invalid(
        f"an answer's first {received:,} bytes unpack to more than {_RATIO} times that",
        code="SYN407",
        help="No data that is worth reading packs so well. Ask the API for it uncompressed: Accept-Encoding: identity.",
    )
