"""Offline proof that an entry is in a log (C2SP tlog-proof@v1), and that a log continues an earlier checkpoint."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from syncline.audit import checkpoint as checkpoints
from syncline.audit import tiles, tree
from syncline.audit.add_checkpoint import Submission
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.fetch import Fetcher, node_reader, read_entries
from syncline.audit.malformed import Malformed
from syncline.audit.note import VerifierKey, decode
from syncline.model.errors import Invalid

HEADER: Final = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,19})")
_MAX_STEPS: Final = 64


class Proof(Struct, frozen=True):
    """An inclusion proof with the checkpoint (a signed note, verbatim) it leads to. `extra` is not authenticated."""

    index: int
    steps: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The text form, for a file with the extension `.tlog-proof`."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(step).decode() for step in self.steps]
        return ("\n".join(lines) + "\n\n").encode() + self.note

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Read the text form strictly."""
        head, blank, note = data.partition(b"\n\n")
        try:
            header, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Malformed("a proof must be ASCII before its checkpoint") from None
        if header != HEADER or not blank:
            raise Malformed(f"a proof begins with {HEADER!r} and ends in a checkpoint")
        extra = decode(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
        found = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if found is None:
            raise Malformed("a proof needs a line with its index")
        steps = tuple(decode(line) for line in lines)
        if len(steps) > _MAX_STEPS or any(len(step) != tree.HASH_SIZE for step in steps):
            raise Malformed(f"a proof has at most {_MAX_STEPS} hashes of 32 bytes")
        return cls(int(found[1]), steps, note, extra)


def prove_entry(fetcher: Fetcher, index: int) -> tuple[bytes, Proof]:
    """Return an entry with its proof, reading only the tiles that it needs.

    Raises Invalid when the log has no such entry, FileNotFoundError or Malformed when it is damaged there.
    """
    note = fetcher.fetch(tiles.CHECKPOINT)
    # What is wrong in the log makes a proof that does not verify; who proves need not be trusted.
    size = checkpoints.unverified(note).size
    if not 0 <= index < size:
        raise Invalid(f"the log has no entry {index}: its entries are numbered from 0 to {size - 1}", code="SYN904")
    entry = next(read_entries(fetcher, size, index, index + 1), None)
    if entry is None:
        raise Malformed(f"entry {index} is missing from its bundle")
    steps = tree.prove_inclusion(index, size, node_reader(fetcher, size))
    return entry, Proof(index, tuple(steps), note)


def verify_entry(data: bytes, entry: bytes, origin: str | None, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Verify a proof offline; returns the checkpoint that it leads to, or raises `Malformed`."""
    proof = Proof.parse(data)
    head = checkpoints.verify(proof.note, origin, keys)
    if not tree.verify_inclusion(proof.index, head.size, tree.leaf_hash(entry), proof.steps, head.root):
        raise Malformed(f"the entry is not number {proof.index} of the log of {head.size} entries")
    return head


def prove_consistency(fetcher: Fetcher, key: VerifierKey, old: Checkpoint) -> tuple[Checkpoint, Submission]:
    """The checkpoint of now, and the proof that it continues an earlier one, in the form in which witnesses take it.

    Raises Invalid where it doesn't.
    """
    data = fetcher.fetch(tiles.CHECKPOINT)
    head = checkpoints.verify(data, key.name, [key])
    steps = [] if old.size in {0, head.size} else prove_history(fetcher, old, head) if old.size < head.size else []
    proof = Submission(old.size, tuple(steps), data)
    verify_history(proof, old, key)
    return head, proof


def verify_history(proof: Submission, old: Checkpoint, key: VerifierKey) -> Checkpoint:
    """The checkpoint that a proof shows to continue `old`; Invalid says what is wrong with it."""
    try:
        head = checkpoints.verify(proof.note, old.origin, [key])
    except Malformed as error:
        raise Invalid(f"the checkpoint isn't the log's: {error}", code="SYN910") from None
    if proof.old != old.size:
        raise Invalid(f"the proof is for {proof.old:,} entries, and the checkpoint has {old.size:,}", code="SYN910")
    if old.size > head.size:
        raise Invalid(f"the log has {head.size:,} entries, and had {old.size:,}: it went back", code="SYN910")
    same = old.size == head.size
    holds = (
        not proof.steps and (old.root == head.root if same else old.root == tree.EMPTY_ROOT)
        if same or not old.size
        else tree.verify_consistency(old.size, head.size, old.root, head.root, proof.steps)
    )
    if not holds:
        raise Invalid(f"{head.size:,} entries don't continue the checkpoint of {old.size:,}", code="SYN910")
    return head


def prove_history(fetcher: Fetcher, old: Checkpoint, new: Checkpoint) -> list[bytes]:
    """Return the hashes that prove that `new` continues `old` (for `tree.verify_consistency`)."""
    return tree.prove_consistency(old.size, new.size, node_reader(fetcher, new.size))
