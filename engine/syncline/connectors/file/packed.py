"""Packed files (gzip, zstd, zip): unpacked, within bounds, into a file without a name, and then read like any other.
So is text in UTF-16 made UTF-8.

Positions count unpacked bytes. A run that goes on unpacks anew; what is compared to know a file again is the packed
one. The unpacked copy has no name from its first byte on, and is sealed with a key that is in memory only, so that
nothing of it stays behind, whatever happens.
"""

from __future__ import annotations

import errno
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.file.places.patterns import matcher
from syncline.connectors.file.places.place import Place, Room
from syncline.connectors.file.position import OpenFile
from syncline.connectors.file.spool import Spool, Spooled
from syncline.connectors.file.utf_16 import AsUtf8, is_utf_16
from syncline.kinds.file_stream import PACKED, Packing
from syncline.model.errors import Invalid, Stalled
from syncline.sdk.formats.inflate import check_entries, files_of

#: How many times larger than packed a file may get, and from which size on that is looked at.
MAX_RATIO, _RATIO_FROM = 500, 64 * 1024 * 1024
#: Most files of an archive.
MAX_MEMBERS = 1_000
#: How large a file may get at most, in bytes.
MAX_BYTES = 100 * 1024**3
_STEP = 1024 * 1024


class _Reading(Protocol):
    def read(self, count: int, /) -> bytes: ...


class Found(Struct, frozen=True):
    """A file to read: its name for people and checkpoints, the file under the root, and which member of it."""

    name: str
    file: str
    member: str = ""


def members(place: Place, names: tuple[str, ...], packing: Packing, within: str = "") -> tuple[Found, ...]:
    """
    The files of a stream, in the order of names: those of archives, in their order, as `archive.zip/name`.

    `within` is a glob over the names inside archives; without one, all are read.
    """
    chosen = matcher(within) if within else None
    found: list[Found] = []
    for name in names:
        if packing == "zip" or (packing == "auto" and PurePosixPath(name).suffix.lower() == ".zip"):
            inside = [each for each in _archived(place, name) if chosen is None or chosen(each.member)]
            if chosen is not None and not inside:
                raise Invalid(
                    f"no file in {name} matches {within!r}",
                    code="SYN450",
                    help="Check the stream's `members`, and whether the archive is complete.",
                )
            found += inside
        else:
            found.append(Found(name, name))
    if not found:
        raise Invalid(
            f"there is no file in {', '.join(names)}", code="SYN450", help="Check whether the archive is complete."
        )
    return tuple(found)


@contextmanager
def opened(
    place: Place, found: Found, packing: Packing, encoding: str = ""
) -> Iterator[tuple[OpenFile, Callable[[], OpenFile]]]:
    """
    A file as it lies there, and what gives its content: unpacked when it is asked for first, and in UTF-8 where
    `encoding` is `utf-16`, or `auto` and it begins as UTF-16 does.
    """
    file = place.open(found.file, found.name)
    content: list[OpenFile] = []

    def unpacked() -> OpenFile:
        if not content:
            content.append(_unpacked(file, found, place.spool, way(found, packing)))
            if encoding == "utf-16" or (encoding == "auto" and is_utf_16(content[0])):
                content.append(_as_utf_8(content[0], place.spool))
        return content[-1]

    try:
        yield file, unpacked
    finally:
        for one in (file, *content):
            one.handle.close()


@contextmanager
def beginning(
    place: Place, found: Found, packing: Packing, encoding: str, count: int
) -> Iterator[tuple[OpenFile, OpenFile]]:
    """A file as it lies there, and its content; of one that is packed or in UTF-16, its first `count` bytes."""
    file = place.open(found.file, found.name)
    try:
        packed = way(found, packing)
        content = file
        if packed != "none":
            with _damage(found.name), _reading(file, found, packed) as reading:
                content = _beginning(reading, file, count)
        if encoding == "utf-16" or (encoding == "auto" and is_utf_16(content)):
            content = _beginning(AsUtf8(content), file, count)
        yield file, content
    finally:
        file.handle.close()


def _beginning(reading: _Reading, file: OpenFile, count: int) -> OpenFile:
    data = b""
    while len(data) < count and (piece := reading.read(count - len(data))):
        data += piece
    return OpenFile(file.name, io.BytesIO(data), len(data), file.mtime, far=_Held(data))


class _Held(Struct, frozen=True):
    """Bytes in memory, as the content of a file; see `Content`."""

    data: bytes

    def read(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + count]

    def finished(self) -> None:
        """Nobody changes them."""


def _archived(place: Place, name: str) -> Iterator[Found]:
    file = place.open(name, name)
    with file.handle, _damage(name), zipfile.ZipFile(file.handle) as archive:
        entries = files_of(archive)
        check_entries(entries, MAX_MEMBERS, what=name)
        yield from [Found(f"{name}/{entry.filename}", name, entry.filename) for entry in entries]


def way(found: Found, packing: Packing) -> Packing:
    """How a file is packed."""
    if packing != "auto":
        return packing
    if found.member:
        return "zip"
    return PACKED.get(PurePosixPath(found.file).suffix.lower(), "none")


def _unpacked(file: OpenFile, found: Found, room: Room, packing: Packing) -> OpenFile:
    if packing == "none":
        return file
    if not file.size:
        raise _damaged(found.name, "it is empty, which nothing packed is")
    with _damage(found.name), _reading(file, found, packing) as reading:
        return _spooled(reading, file, room)


def _as_utf_8(file: OpenFile, room: Room) -> OpenFile:
    return replace(_spooled(AsUtf8(file), file, room), recoded_from="utf-16")


def _spooled(reading: _Reading, file: OpenFile, room: Room) -> OpenFile:
    with _on_disk(file.name, room):
        spool = Spool(room.folder)
    try:
        size = _copy(reading, spool, file.size, file.name, room)
    except BaseException:
        spool.close()
        raise
    return OpenFile(file.name, io.BufferedReader(spool), size, file.mtime, far=Spooled(spool))


@contextmanager
def _reading(file: OpenFile, found: Found, packing: Packing) -> Iterator[_Reading]:
    file.handle.seek(0)
    match packing:
        case "gzip":
            with gzip.GzipFile(fileobj=file.handle, mode="rb") as reading:
                yield reading
        case "zstd":
            import pyarrow as pa

            with pa.CompressedInputStream(pa.PythonFile(_Borrowed(file.handle), mode="r"), "zstd") as stream:
                yield stream
        case "zip":
            with zipfile.ZipFile(file.handle) as archive, archive.open(found.member) as member:
                yield member
        case "auto" | "none":
            yield file.handle


class _Borrowed(io.RawIOBase):
    """A file that whoever reads it doesn't close."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


def _copy(reading: _Reading, spool: Spool, packed: int, name: str, room: Room) -> int:
    size, most = 0, room.most
    while piece := reading.read(_STEP):
        size += len(piece)
        if size > MAX_BYTES or (size > _RATIO_FROM and size > packed * MAX_RATIO):
            raise Invalid(
                f"{name} unpacks to more than {min(MAX_BYTES, packed * MAX_RATIO):,} bytes",
                code="SYN492",
                help="It looks like a bomb, and was not unpacked further. If it is none, unpack it beforehand.",
            )
        if most is not None and size > most:
            raise Stalled(
                f"{name} unpacks to more than the {most:,} bytes of disk that the tenant's quota allows",
                code="SYN864",
                help="Raise spec.quotas.spool of the tenant, or have the file come in smaller parts.",
            )
        with _on_disk(name, room):
            spool.write(piece)
    with _on_disk(name, room):
        spool.seal()
    return size


@contextmanager
def _on_disk(name: str, room: Room) -> Iterator[None]:
    """What the disk refuses, for people: trouble of this machine, and no damage of the file."""
    try:
        yield
    except OSError as error:
        where = str(room.folder or "the folder for temporary files")
        raise Stalled(
            f"{name} can't be copied into {where} to be read: {error.strerror}",
            code="SYN452",
            help="Raise the limit of open files of the process (ulimit -n)."
            if error.errno in {errno.EMFILE, errno.ENFILE}
            else f"Make space in {where}, and let the user that runs Syncline write there.",
        ) from None


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Damage of a packed file, for people; whoever sent it sends it again."""
    try:
        yield
    # OSError is what gzip and Arrow call damage, RuntimeError what zip says of a file that needs a password.
    except (EOFError, OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise _damaged(name, str(error)) from None


def _damaged(name: str, why: str) -> Invalid:
    return Invalid(
        f"{name} is damaged: {why}",
        code="SYN715",
        help="Nothing of it was read. Get it anew; that its size is the sender's is worth a look.",
    )
