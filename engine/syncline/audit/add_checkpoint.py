"""What a log and a witness say to each other (C2SP tlog-witness, `add-checkpoint`), as values.

Pure. The request is the size that the witness has seen, a consistency proof from there, and the checkpoint; the answer
is a status, and the witness's signature lines or, with 409, the size that it has seen.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from syncline.audit.malformed import Malformed
from syncline.audit.tree import HASH_SIZE

PATH: Final = "/add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
MAX_STEPS: Final = 63
MAX_BODY: Final = 128 * 1024
"""Longest request that is read, in bytes: 63 hashes, and a checkpoint with many signatures."""

_OLD = re.compile(rb"old (0|[1-9][0-9]{0,19})")


class Submission(Struct, frozen=True):
    """A checkpoint (a signed note, verbatim) with the proof that it continues a tree of `old` entries."""

    old: int
    steps: tuple[bytes, ...]
    note: bytes

    def encode(self) -> bytes:
        """The body of a request."""
        lines = [b"old %d" % self.old, *map(base64.b64encode, self.steps)]
        return b"\n".join(lines) + b"\n\n" + self.note

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Read a body strictly."""
        head, blank, note = body.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        found = _OLD.fullmatch(first)
        if found is None or not blank:
            raise Malformed("a request begins with a line `old SIZE`, and an empty line comes before the checkpoint")
        if len(lines) > MAX_STEPS:
            raise Malformed(f"a proof has at most {MAX_STEPS} lines")
        return cls(int(found[1]), _steps(lines), note)


def _steps(lines: Sequence[bytes]) -> tuple[bytes, ...]:
    steps = []
    for line in lines:
        try:
            step = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            step = b""
        if len(step) != HASH_SIZE or base64.b64encode(step) != line:
            raise Malformed(f"{line[:80]!r} is no line of a proof")
        steps.append(step)
    return tuple(steps)
