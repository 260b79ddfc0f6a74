"""The head of an answer, read at once where it came whole and is plain.

The standard library gives the headers of each answer to the parser of e-mail, which takes four times as long. It still
reads every head that isn't plain: one that came in pieces, that bends the grammar, that is an interim answer's or that
leaves open where its body ends.
"""

from __future__ import annotations

import http.client
import re
from typing import Any, Final

#: A status line and fields by the grammar of RFC 9112, none of them folded. A name has the characters of a token.
_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\t -~]*)\r\n((?:[!#-'*+.0-9A-Z^-z|~-]+:[\t -~\x80-\xff]*\r\n){1,64})\r\n"
)
_LONGEST: Final = 16 * 1024
_LENGTH: Final = re.compile("[0-9]{1,15}")
#: What says where a body ends and what becomes of the connection. Plain is a length, and a connection that is kept.
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection"})
#: Answers with these have no body, whatever their headers say.
_BODILESS: Final = frozenset({204, 304})
#: What may come before an answer beside 100 (RFC 9110, 15.2); 101 is one itself.
_INTERIM: Final = frozenset(range(102, 200))


class HeadedResponse(http.client.HTTPResponse):
    r"""An `HTTPResponse` that reads a plain head in one go; its file has `peek`.

    >>> from io import BufferedReader, BytesIO
    >>> class Sock:
    ...     def makefile(self, mode):
    ...         return BufferedReader(BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"))
    >>> answer = HeadedResponse(Sock())
    >>> answer.begin()
    >>> answer.status, answer.getheaders(), answer.read()
    (200, [('Content-Length', '2')], b'[]')
    """

    _fields: list[tuple[str, str]] | None = None

    def getheaders(self) -> list[tuple[str, str]]:
        """The header fields, in their order."""
        return super().getheaders() if self._fields is None else self._fields

    def begin(self, **bounds: Any) -> None:
        """Reads the head, past those of interim answers. Raises as `HTTPResponse.begin` does."""
        bodiless = self._method == "HEAD"  # type: ignore[attr-defined]  # of the standard library
        while self._fields is None and self.headers is None and (bodiless or not self._plain()):
            super().begin(**bounds)
            if self.status in _INTERIM:  # which the standard library takes for the answer
                self.headers = None  # as before it began

    def _plain(self) -> bool:
        """Reads a plain head; of any other it takes nothing."""
        found = _HEAD.match(self.fp.peek(), 0, _LONGEST)
        if found is None or (status := int(found[1])) in _BODILESS:
            return False
        fields = list[tuple[str, str]]()
        framing: dict[str, str] = {}
        for line in found[3].decode("latin-1").split("\r\n")[:-1]:
            name, _, text = line.partition(":")
            value = text.strip("\t ")
            fields.append((name, value))
            lower = name.lower()
            if lower in _FRAMING:
                if lower in framing:
                    return False
                framing[lower] = value
        length = framing.get("content-length", "")
        kept = framing.get("connection", "keep-alive").lower() == "keep-alive"
        if _LENGTH.fullmatch(length) is None or not kept or "transfer-encoding" in framing:
            return False
        self.fp.read(found.end())
        self.version, self.status, self.reason = 11, status, found[2].decode().strip()
        self.code, self._fields = status, fields
        self.chunked, self.will_close, self.length = False, False, int(length)
        return True
