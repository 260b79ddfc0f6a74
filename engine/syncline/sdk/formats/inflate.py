"""Compressed bodies, opened within bounds: gzip (RFC 1952), zstd (RFC 8878) and zip. Nothing is written to a disk.

A bomb is refused while it unpacks: by its size, by how many times larger it gets, by its number of entries. Data after
the end of a gzip member that is no further member is damage, as is a wrong checksum.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Literal

from msgspec import Struct

from syncline.model.errors import Again, Invalid

Compression = Literal["auto", "none", "gzip", "zstd", "zip"]

_CHUNK = 64 * 1024
#: Unpacked bytes made at once.
_STEP = 1024 * 1024
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
#: How an archive begins that has no files.
_NO_FILES = b"PK\x05\x06"
_ZIP = (b"PK\x03\x04", _NO_FILES)
#: Size below which the ratio isn't looked at: small texts may well be one character, repeated.
_RATIO_FROM = 16 * 1024 * 1024


class Bounds(Struct, frozen=True):
    """How much is unpacked: bytes in all, bytes for each compressed byte, files of an archive.

    Tables of numbers and texts shrink to a tenth, logs to a thirtieth; deflate can make 1,032 of one.

    >>> Bounds(max_bytes=1 << 20).max_ratio
    500
    """

    max_bytes: int
    max_ratio: int = 500
    max_entries: int = 1000


class Entry(Struct, frozen=True):
    """A file of an archive: its name (empty: the body itself) and its content.

    >>> Entry("users.csv", b"id,name")
    Entry(name='users.csv', data=b'id,name')
    """

    name: str
    data: bytes


def opened(data: bytes, compression: Compression, bounds: Bounds) -> list[Entry]:
    """
    The files in a body: one, but for archives, whose files come in their order. `auto` looks at the first bytes.

    Raises `Again` (SYN411) for damage and `Invalid` (SYN492) for what is past the bounds, encrypted or hostile.

    >>> import gzip
    >>> opened(gzip.compress(b"id,name"), "auto", Bounds(1 << 20))
    [Entry(name='', data=b'id,name')]
    """
    if compression == "auto":
        compression = _found(data)
    match compression:
        case "gzip":
            return [Entry("", gunzipped(data, bounds))]
        case "zstd":
            return [Entry("", unzstd(data, bounds))]
        case "zip":
            return unzipped(data, bounds)
        case _:
            return [Entry("", data)]


def _found(data: bytes) -> Compression:
    if data[:2] == _GZIP:
        return "gzip"
    return "zstd" if data[:4] == _ZSTD else "zip" if data[:4] in _ZIP else "none"


def gunzipped(data: bytes, bounds: Bounds) -> bytes:
    """A gzip body's content, of all its members.

    >>> import gzip
    >>> gunzipped(gzip.compress(b"a") + gzip.compress(b"b"), Bounds(10))
    b'ab'
    """
    meter = _Meter(bounds)
    content = bytearray()
    rest = data
    while rest:
        if rest[:2] != _GZIP:
            raise Again(
                "the answer is damaged: it is no gzip, or goes on after its end",
                code="SYN411",
                help="Compare `compression` of the stream with what the API sends.",
            )
        rest = _member(rest, meter, content)
    return bytes(content)


def unzstd(data: bytes, bounds: Bounds) -> bytes:
    """A zstd body's content, of all its frames.

    >>> import pyarrow
    >>> unzstd(pyarrow.compress(b"a", codec="zstd", asbytes=True) * 2, Bounds(10))
    b'aa'
    """
    import pyarrow as pa

    meter, content = _Meter(bounds), bytearray()
    meter.packed = len(data)
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            while piece := stream.read(_STEP):
                meter.count(len(piece))
                content += piece
    except OSError as error:
        raise Again(f"the answer is damaged: its zstd can't be read: {error}", code="SYN411") from error
    return bytes(content)


def unzipped(data: bytes, bounds: Bounds) -> list[Entry]:
    """The files of a zip archive, in its order; folders and the resource forks of macOS are none.

    >>> file = io.BytesIO()
    >>> with zipfile.ZipFile(file, "w") as archive:
    ...     archive.writestr("a.csv", "id")
    >>> unzipped(file.getvalue(), Bounds(10))
    [Entry(name='a.csv', data=b'id')]
    """
    meter = _Meter(bounds)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if not archive.infolist() and data[:4] != _NO_FILES:
                raise zipfile.BadZipFile("its list of files is empty, and there is something before it")
            entries = files_of(archive)
            check_entries(entries, bounds.max_entries)
            return [Entry(entry.filename, _entry(archive, entry, meter)) for entry in entries]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise Again(f"the answer is damaged: its zip archive can't be read: {error}", code="SYN411") from error


def files_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive, in its order, without folders and the resource forks of macOS. `BadZipFile` for one
    without a name, which only damage makes.

    >>> data = io.BytesIO()
    >>> with zipfile.ZipFile(data, "w") as archive:
    ...     archive.writestr("year/", "")
    ...     archive.writestr("year/a.csv", "id")
    ...     [entry.filename for entry in files_of(archive)]
    ['year/a.csv']
    """
    if not all(entry.filename for entry in archive.infolist()):
        raise zipfile.BadZipFile("a file in it has no name")
    return [e for e in archive.infolist() if not e.is_dir() and not e.filename.startswith("__MACOSX/")]


class _Meter:
    """Counts what is unpacked of `packed` bytes so far: raises as soon as it is too much."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.packed = 0
        self.total = 0

    def count(self, size: int) -> None:
        self.total += size
        if self.total > self.bounds.max_bytes:
            raise too_large(self.bounds.max_bytes)
        if self.total > _RATIO_FROM and self.total > self.packed * self.bounds.max_ratio:
            raise Invalid(
                f"the answer unpacks to more than {self.bounds.max_ratio} times its size",
                code="SYN492",
                help="It looks like a bomb, so it was not unpacked further. If it is none, have the API send it plain.",
            )


def too_large(max_bytes: int) -> Invalid:
    """The error of an answer that is larger than it may be.

    >>> too_large(1 << 20).code
    'SYN407'
    """
    return Invalid(
        f"an answer has more than {max_bytes:,} bytes",
        code="SYN407",
        help="Ask for smaller pages, or raise http.maxBody of the connector.",
    )


def _member(data: bytes, meter: _Meter, content: bytearray) -> bytes:
    """Unpacks one gzip member; what follows it."""
    inflater = zlib.decompressobj(wbits=31)
    feed = memoryview(data)
    at = 0
    pending: bytes = b""
    try:
        while not inflater.eof:
            piece = pending or bytes(feed[at : at + _CHUNK])
            if not piece:
                raise Again("the answer is damaged: its gzip data ends early", code="SYN411")
            at += 0 if pending else len(piece)
            found = inflater.decompress(piece, _STEP)
            pending = inflater.unconsumed_tail
            meter.packed += len(piece) - len(pending) - len(inflater.unused_data)
            meter.count(len(found))
            content += found
    except zlib.error as error:
        raise Again("the answer is damaged: its gzip data is wrong", code="SYN411") from error
    return data[at - len(inflater.unused_data) :] if inflater.unused_data or at < len(data) else b""


def check_entries(entries: list[zipfile.ZipInfo], most: int, what: str = "the archive") -> None:
    """Refuses (SYN492) an archive with too many files, or one of whose files is hostile or can't be read.

    >>> check_entries([zipfile.ZipInfo("../a")], 10)
    Traceback (most recent call last):
    syncline.model.errors.Invalid: the archive's file '../a' would leave its folder
    """
    if len(entries) > most:
        raise Invalid(f"{what} has more than {most:,} files", code="SYN492")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        wrong = ""
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or not name.isprintable():
            wrong = "would leave its folder"
        elif name in seen:
            wrong = "is in the archive twice"
        elif entry.flag_bits & 0x1:
            wrong = "is encrypted"
        elif entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            wrong = "is packed in an uncommon way"
        if wrong:
            raise Invalid(f"{what}'s file {name[:80]!a} {wrong}", code="SYN492", help="Nothing of it was used.")
        seen.add(name)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, meter: _Meter) -> bytes:
    """The content of an entry, its checksum checked."""
    content = bytearray()
    meter.packed += entry.compress_size
    with archive.open(entry) as file:
        while piece := file.read(_CHUNK):
            meter.count(len(piece))
            content += piece
    if len(content) != entry.file_size:
        raise Again(f"the answer is damaged: {entry.filename[:80]!a} ends early", code="SYN411")
    return bytes(content)
