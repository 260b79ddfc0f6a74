"""A file that is elsewhere, read in ranges: the bytes that are asked for, through a window that is kept in memory.

What a server gives must be of the file as it was when it was opened: whoever asks it says so by raising.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from syncline.connectors.file.position import SAMPLE

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Bytes that are asked for at once, at least, where there are so many: a round trip costs more than a few of them.
WINDOW = 8 * 1024 * 1024
#: Longest range that is kept to be read again: a format may look at the same part twice.
KEPT = 64 * 1024 * 1024

#: `fetch(offset, count)` gives exactly these bytes, or raises.
Fetch = Callable[[int, int], bytes]


class Ranges:
    """The bytes of a file of `size`, of which the `first` may be known already. For one thread at a time.

    >>> Ranges(lambda offset, count: b"0123456789"[offset : offset + count], 10).read(2, 3)
    b'234'
    """

    def __init__(self, fetch: Fetch, size: int, first: bytes = b"") -> None:
        self._fetch = fetch
        self._size = size
        self._start = 0
        self._kept = first

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes, which lie within the file."""
        end = offset + count
        kept_to = self._start + len(self._kept)
        if self._start <= offset and end <= kept_to:
            return self._kept[offset - self._start : end - self._start]
        if count <= SAMPLE and offset < self._start:
            return self._fetch(offset, count)  # a look back, after which reading goes on where it was
        had = self._kept[offset - self._start :] if self._start <= offset < kept_to else b""
        asked = offset + len(had)
        data = had + self._fetch(asked, min(max(end - asked, WINDOW), self._size - asked))
        self._start, self._kept = (offset, data) if len(data) <= KEPT else (end, data[count:])
        return data[:count]

    def finished(self) -> None:
        """Each range was of the same version."""


def handle(read: Fetch, size: int, close: Callable[[], None] = lambda: None) -> io.BufferedReader:
    """A file for libraries that want one: what it reads, it reads by `read(offset, count)`. Closing calls `close`.

    >>> handle(lambda offset, count: b"0123"[offset : offset + count], 4).read()
    b'0123'
    """
    return io.BufferedReader(_Handle(read, size, close))


class _Handle(io.RawIOBase):
    """What `handle` buffers."""

    def __init__(self, read: Fetch, size: int, close: Callable[[], None]) -> None:
        self._read = read
        self._size = size
        self._at = 0
        self._close = close

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to an offset, which may lie behind the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("negative seek position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads what there is."""
        view = memoryview(buffer).cast("B")
        count = min(len(view), max(self._size - self._at, 0))
        if count:
            view[:count] = self._read(self._at, count)
            self._at += count
        return count

    def close(self) -> None:
        """Releases what it reads from, once."""
        if not self.closed:
            super().close()
            self._close()
