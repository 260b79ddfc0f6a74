"""
A file on the disk that only this process can read: without a name, and sealed with a key that is nowhere else.

Blocks of 256 KiB are sealed with AES-256-GCM, by their number as nonce, which no two have. Once the process ends, the
file is gone, and where a disk still has its blocks, they can't be read.
"""

from __future__ import annotations

import io
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a block in clear. The tag comes on top.
BLOCK = 256 * 1024
_TAG = 16
#: Blocks in clear at the same time: parts of a file are read by several threads.
_KEPT = 8


class Spool(io.RawIOBase):
    """
    Written once from its start to its end, then read anywhere, by several threads.

    >>> spool = Spool(None)
    >>> spool.write(b"in clear"), spool.seal()
    (8, 8)
    >>> spool.pread(3, 5)
    b'clear'
    """

    def __init__(self, folder: Path | None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with this
        self._coming = bytearray()
        self._blocks = 0
        self._size = 0
        self._at = 0
        self._block: Callable[[int], bytes] = lru_cache(maxsize=_KEPT)(self._read_block)

    def write(self, data: object, /) -> int:
        """Adds bytes; OSError where the disk has no room for them."""
        piece = memoryview(data)  # type: ignore[arg-type]  # any buffer, as the base class says
        self._coming += piece
        while len(self._coming) >= BLOCK:
            self._write_block(bytes(self._coming[:BLOCK]))
            del self._coming[:BLOCK]
        return piece.nbytes

    def seal(self) -> int:
        """Ends writing; the size in bytes."""
        if self._coming:
            self._write_block(bytes(self._coming))
            self._coming.clear()
        return self._size

    def pread(self, offset: int, count: int) -> bytes:
        """The bytes that are there from an offset on, at most so many; from any thread."""
        end = min(offset + count, self._size)
        pieces = []
        while offset < end:
            number, start = divmod(offset, BLOCK)
            piece = self._block(number)[start : start + end - offset]
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Where `readinto` reads next."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: object, /) -> int:
        """Reads on."""
        room = memoryview(buffer)  # type: ignore[arg-type]  # any buffer, as the base class says
        found = self.pread(self._at, room.nbytes)
        room[: len(found)] = found
        self._at += len(found)
        return len(found)

    def close(self) -> None:
        """Lets go of the file, which is gone with that; of one that couldn't be made as well."""
        if hasattr(self, "_file"):
            self._file.close()
        super().close()

    def _write_block(self, block: bytes) -> None:
        sealed = memoryview(self._cipher.encrypt(_nonce(self._blocks), block, None))
        while sealed:
            sealed = sealed[self._file.write(sealed) :]
        self._blocks += 1
        self._size += len(block)

    def _read_block(self, number: int) -> bytes:
        sealed = os.pread(self._file.fileno(), BLOCK + _TAG, number * (BLOCK + _TAG))
        return self._cipher.decrypt(_nonce(number), sealed, None)


class Spooled:
    """A spool as the content of a file; see `position.Content`. Nobody else can change it."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def read(self, offset: int, count: int) -> bytes:
        """Exactly these bytes."""
        return self._spool.pread(offset, count)

    def finished(self) -> None:
        """Nothing can have happened to it."""


def _nonce(number: int) -> bytes:
    return number.to_bytes(12)
