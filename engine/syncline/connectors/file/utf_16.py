"""Text in UTF-16, as spreadsheets write it (`Unicode text`), made UTF-8, which everything else here reads."""

from __future__ import annotations

import codecs

from syncline.connectors.file.position import OpenFile

_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def is_utf_16(file: OpenFile) -> bool:
    """Whether a file begins with the byte order mark of UTF-16 (RFC 2781, section 3.2)."""
    return file.read(0, min(file.size, 2)) in _MARKS


class AsUtf8:
    """The text of a file in UTF-16, in UTF-8. Without a byte order mark its bytes are taken for little-endian.

    What is no UTF-16, half a pair or half a unit, becomes bytes that are no UTF-8: the record that has them is refused.
    """

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        mark = file.read(0, min(file.size, 2))
        self._at = len(mark) if mark in _MARKS else 0
        decoder = codecs.getincrementaldecoder(_MARKS.get(mark, "utf-16-le"))
        self._decoder = decoder("surrogatepass")

    def read(self, count: int, /) -> bytes:
        """The next bytes, about so many; none at the end."""
        while self._at < self._file.size:
            data = self._file.read(self._at, min(count, self._file.size - self._at))
            self._at += len(data)
            if text := self._decoder.decode(data):
                return text.encode("utf-8", "surrogatepass")
        rest, _ = self._decoder.getstate()
        self._decoder.reset()
        return b"\xff" if rest else b""
