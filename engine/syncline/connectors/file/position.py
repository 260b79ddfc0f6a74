"""Where reading stands in a set of files, as the JSON that checkpoints keep.

    {"file": "b.csv", "at": {"offset": 8192, "line": 41}, "upto": 8192, "mark": "9f…",
     "done": {"a.csv": {"size": 4096, "mtime": 1700000000000000000, "digest": "3c…", "at": {…}}}}

`file` is the one being read, `at` what its format needs to continue, `mark` a digest that recognises the `upto` bytes
already read. `done` are files read to their end; `digest` is of their whole content, for incremental reads, or
`version` what their server calls it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from msgspec import Struct, field

from syncline.model.errors import Invalid, Stalled
from syncline.sdk.batch import Position

#: How much of the start and of the end of what was read is compared when reading resumes.
SAMPLE = 64 * 1024


class Done(Struct, frozen=True):
    """A file read to its end. `at` continues it if it grows; empty where its last record may not have been whole."""

    size: int
    mtime: int
    digest: str = ""
    at: Mapping[str, int] = field(default_factory=dict)
    version: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a position."""
        plain = {"size": self.size, "mtime": self.mtime, "digest": self.digest, "at": dict(self.at)}
        return plain | ({"version": self.version} if self.version else {})


class Progress(Struct, frozen=True):
    """What was read, and where to continue."""

    done: Mapping[str, Done] = field(default_factory=dict)
    file: str = ""
    at: Mapping[str, int] = field(default_factory=dict)
    upto: int = 0
    mark: str = ""
    plain: Mapping[str, Any] = field(default_factory=dict)  # `done` as plain data, which isn't made again each time

    def read_to_its_end(self, name: str, done: Done, most: int | None = None) -> Progress:
        """With one more file, which is the last; of them, no more than `most` are remembered."""
        known, plain = dict(self.done), dict(self.plain)
        for mapping in (known, plain):
            mapping.pop(name, None)
        known[name], plain[name] = done, done.to_json()
        while most is not None and len(known) > most:
            first = next(iter(known))
            del known[first], plain[first]
        return Progress(known, plain=plain)

    def reading(self, name: str, at: Mapping[str, int], upto: int, mark: str) -> Progress:
        """In the middle of a file."""
        return Progress(self.done, name, at, upto, mark, self.plain)

    def between(self) -> Progress:
        """In the middle of none."""
        return Progress(self.done, plain=self.plain)

    def to_json(self) -> Position:
        """Plain data, for a batch's position."""
        if not self.file:
            return {"done": self.plain}
        return {"file": self.file, "at": dict(self.at), "upto": self.upto, "mark": self.mark, "done": self.plain}

    @classmethod
    def from_json(cls, position: Position | None) -> Progress:
        """Reads a position; Invalid if it isn't one of ours."""
        try:
            found = dict(position or {})
            plain = found.pop("done", {})
            done = {
                str(n): Done(int(d["size"]), int(d["mtime"]), d["digest"], d["at"], d.get("version", ""))
                for n, d in plain.items()
            }
            return cls(done=done, plain=plain, **found)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Invalid(
                "the checkpoint isn't a position in files",
                code="SYN464",
                help="The stream was another kind of source before: reset its cursor to read it from the start.",
            ) from None


class Content(Protocol):
    """The bytes of a file that isn't on a disk of this machine."""

    def read(self, offset: int, count: int) -> bytes:
        """Exactly these bytes of it, as it was when it was opened; raises `changed` when it is another by now."""

    def finished(self) -> None:
        """Raises `changed` for a file that was overwritten while it was read."""


class OpenFile(Struct, frozen=True):
    """A file being read, as it was when it was opened: bytes that are added later are not part of it.

    `far` is its content, where that isn't on a disk of this machine. `version` is what its server calls the content,
    such as an ETag: as long as it is the same, so is every byte. Empty where nobody knows. `recoded_from` is the
    encoding of its text, where it is read as a copy in UTF-8.
    """

    name: str
    handle: BinaryIO
    size: int
    mtime: int
    version: str = ""
    far: Content | None = None
    recoded_from: str = ""

    @classmethod
    def open(cls, path: Path, name: str) -> OpenFile:
        """Opens a file for reading; Stalled when that isn't allowed or possible."""
        try:
            handle = path.open("rb", buffering=0)
        except OSError as error:
            raise Stalled(
                f"{name} can't be read: {error.strerror}", code="SYN452", help="Check its permissions."
            ) from None
        stat = os.fstat(handle.fileno())
        return cls(name, handle, stat.st_size, stat.st_mtime_ns)

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from an offset; Invalid when the file has become shorter."""
        if self.far is not None:
            if offset + count > self.size:
                raise changed(self.name, "it became shorter while it was read")
            return self.far.read(offset, count) if count else b""
        pieces = []
        while count:
            piece = os.pread(self.handle.fileno(), count, offset)
            if not piece:
                raise changed(self.name, "it became shorter while it was read")
            pieces.append(piece)
            offset += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def mark(self, upto: int) -> str:
        """A digest that recognises the first `upto` bytes: of their first and last 64 KiB."""
        if self.version:
            return hashlib.sha256(b"%d:%s" % (upto, self.version.encode())).hexdigest()[:32]
        first = min(SAMPLE, upto)
        last = min(SAMPLE, upto - first)
        sample = hashlib.sha256(b"%d:" % upto)
        sample.update(self.read(0, first))
        sample.update(self.read(upto - last, last))
        return sample.hexdigest()[:32]

    def digest(self, size: int) -> str:
        """SHA-256 of the first `size` bytes, in hex."""
        whole = hashlib.sha256()
        for offset in range(0, size, 1 << 20):
            whole.update(self.read(offset, min(1 << 20, size - offset)))
        return whole.hexdigest()

    def finished(self) -> None:
        """Refuses a file that was overwritten while it was read; one that only grew is fine."""
        if self.far is not None:
            self.far.finished()
            return
        stat = os.fstat(self.handle.fileno())
        if stat.st_size < self.size or (stat.st_size == self.size and stat.st_mtime_ns != self.mtime):
            raise changed(self.name, "it was overwritten while it was read")

    def check(self, progress: Progress) -> None:
        """Refuses to continue in a file whose part already read is no longer what it was."""
        if self.size < progress.upto:
            raise changed(self.name, f"{progress.upto:,} bytes of it were read, and now it has {self.size:,}")
        if self.mark(progress.upto) != progress.mark:
            raise changed(self.name, "the part that was read has other content now")


def changed(name: str, why: str) -> Invalid:
    """The error of a file that didn't keep still."""
    return Invalid(
        f"{name} changed since its reading began: {why}",
        code="SYN455",
        help="Restore the file to go on where the run stopped, or reset the cursor to read everything again.",
    )
