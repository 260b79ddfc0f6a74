"""Checkpoints (C2SP tlog-checkpoint): the signed statement that a log has this size and this root.

Pure. A checkpoint is a note whose text is origin, size, root hash and optional extension lines.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from syncline.audit import note
from syncline.audit.malformed import Malformed
from syncline.audit.tree import HASH_SIZE

_SIZE = re.compile(r"0|[1-9][0-9]{0,19}")


class Checkpoint(Struct, frozen=True):
    """What a log says about itself. `root` is 32 bytes; `extensions` are opaque, non-empty lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note's text, with its final newline."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        if not all(lines) or any("\n" in line for line in lines) or len(self.root) != HASH_SIZE:
            raise Malformed("a checkpoint needs an origin, a root of 32 bytes and non-empty extension lines")
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text strictly."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise Malformed("a checkpoint needs three non-empty lines: origin, size and root hash")
        if not _SIZE.fullmatch(lines[1]):
            raise Malformed(f"{lines[1][:80]!r} is not a tree size")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except (binascii.Error, ValueError):
            raise Malformed(f"{lines[2][:80]!r} is not a root hash") from None
        found = cls(lines[0], int(lines[1]), root, tuple(lines[3:]))
        if found.text != text:
            raise Malformed(f"{lines[2][:80]!r} is not a root hash in canonical form")
        return found


def unverified(data: bytes) -> Checkpoint:
    """The checkpoint that a note holds, whoever signed it."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"a checkpoint must be UTF-8: {error.reason} at byte {error.start}") from None
    return Checkpoint.parse(text.rpartition("\n\n")[0] + "\n")


def sign(checkpoint: Checkpoint, signers: Iterable[note.Signer]) -> bytes:
    """Return the signed note of a checkpoint."""
    return note.sign(checkpoint.text, signers)


def verify(data: bytes, origin: str | None, keys: Sequence[note.VerifierKey]) -> Checkpoint:
    """Return the checkpoint when it is this log's and a trusted key signed it; `Malformed` says what is wrong."""
    found = Checkpoint.parse(note.verify(data, keys).text)
    if origin is not None and found.origin != origin:
        raise Malformed(f"this is a checkpoint of {found.origin!r}, not of {origin!r}")
    return found
