"""Asks witnesses for cosignatures of a log's checkpoint, and keeps the cosigned checkpoint beside the log.

How bytes get to a witness is the caller's (`Post`). A witness that is out of reach keeps nothing from going on: the
checkpoint is then not cosigned by it. One that refuses says that the log isn't what it has seen, and that is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from syncline.audit import checkpoint as checkpoints
from syncline.audit import cosignature, durable, key_change, note, tiles
from syncline.audit.add_checkpoint import PATH, Submission
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.fetch import Fetcher
from syncline.audit.malformed import Malformed
from syncline.audit.note import VerifierKey
from syncline.audit.prove import prove_history
from syncline.audit.witness_policy import Witness, WitnessPolicy

#: Posts a body to a URL; the status and the body of the answer. Raises `Unreachable` where there is none.
Post = Callable[[str, bytes], tuple[int, bytes]]

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,19})\n")
_MAX_LINES: Final = 16 * 1024
#: What a witness answers where the checkpoint isn't signed by a key that it knows (C2SP tlog-witness).
_FORBIDDEN: Final = 403


class Unreachable(Exception):
    """A witness gave no answer; the message says why."""


class Asked(Struct, frozen=True):
    """
    What came of asking one witness. `refused`: it has seen another log than this one; `unknown`: it doesn't know the
    key that signs it.
    """

    witness: Witness
    time: int | None = None
    problem: str = ""
    refused: bool = False
    unknown: bool = False


class Cosigned(Struct, frozen=True):
    """A cosigned checkpoint, its note, and what each witness that was asked said."""

    checkpoint: Checkpoint
    note: bytes
    asked: tuple[Asked, ...]
    met: bool


def cosign(fetcher: Fetcher, key: VerifierKey, policy: WitnessPolicy, post: Post) -> Cosigned:
    """Asks every witness of a policy that has a URL to cosign the log's checkpoint as it is now; changes nothing."""
    data = fetcher.fetch(tiles.CHECKPOINT)
    head = checkpoints.verify(data, key.name, [key])
    known = _sizes(fetcher, policy)
    asked, lines = [], []
    for witness in policy.witnesses:
        if not witness.url:
            continue
        try:
            found, block = _ask(fetcher, data, head, witness, known.get(witness.key.name, 0), post)
            if found.unknown and _tell_of_changes(fetcher, key, witness, post):
                found, block = _ask(fetcher, data, head, witness, 0, post)
        except Unreachable as error:
            found, block = Asked(witness, problem=str(error)), ""
        asked.append(found)
        lines.append(block)
    cosigned = data + "".join(lines).encode()
    by = [one.key for one in cosignature.cosignatures(note.parse(cosigned), policy.keys)]
    return Cosigned(head, cosigned, tuple(asked), policy.met(by))


def keep(directory: Path, cosigned: Cosigned) -> None:
    """Puts a cosigned checkpoint beside the log, durably, where readers and auditors find it."""
    durable.replace(directory, tiles.COSIGNED, cosigned.note)


def _tell_of_changes(fetcher: Fetcher, key: VerifierKey, witness: Witness, post: Post) -> bool:
    """
    Has a witness that doesn't know the log's key cosign the changes of it, each of which it takes by the former key;
    whether it took one.
    """
    took = False
    try:
        changes = key_change.history_of(fetcher, [key]).changes
    except Malformed:
        return False
    for change in changes:
        took |= _ask(fetcher, change.note, change.head, witness, 0, post)[0].time is not None
    return took


def _sizes(fetcher: Fetcher, policy: WitnessPolicy) -> dict[str, int]:
    """The sizes that witnesses have cosigned as far as it is known here: a guess that saves a question."""
    try:
        found = note.parse(fetcher.fetch(tiles.COSIGNED))
        size = Checkpoint.parse(found.text).size
        return {one.key.name: size for one in cosignature.cosignatures(found, policy.keys)}
    except (OSError, Malformed):
        return {}


def _ask(fetcher: Fetcher, data: bytes, head: Checkpoint, witness: Witness, old: int, post: Post) -> tuple[Asked, str]:
    """Asks one witness, again where it has seen another size than was thought; what it said, and its lines."""
    for _ in range(3):
        if old > head.size:
            return _refused(witness, f"it has seen {old} entries, and the log has {head.size}: the log went back"), ""
        steps = _steps(fetcher, old, head)
        status, body = post(witness.url + PATH, Submission(old, steps, data).encode())
        if status == 200:
            return _taken(witness, head, body)
        seen = _SIZE.fullmatch(body) if status == 409 else None
        if seen is None:
            break
        old = int(seen[1])
    why = body[:200].decode(errors="replace").strip() or "no reason given"
    if status in {409, 422}:
        return _refused(witness, f"it refuses ({status}): {why}"), ""
    if status == _FORBIDDEN:
        why += " (it has to be told the key that signs this log now)"
    return Asked(witness, problem=f"it answers {status}: {why}", unknown=status == _FORBIDDEN), ""


def _steps(fetcher: Fetcher, old: int, head: Checkpoint) -> tuple[bytes, ...]:
    if old in {0, head.size}:
        return ()
    return tuple(prove_history(fetcher, Checkpoint(head.origin, old, head.root), head))


def _taken(witness: Witness, head: Checkpoint, body: bytes) -> tuple[Asked, str]:
    """The witness's own lines of its answer, verified; others are ignored."""
    try:
        if len(body) > _MAX_LINES or not body.endswith(b"\n"):
            raise Malformed("it doesn't end in a newline, or is too long")
        lines = [note.signature_of(line) for line in body.decode()[:-1].split("\n")]
        mine = [line for line in lines if (line.name, line.key_id) == (witness.key.name, witness.key.key_id)]
        found = cosignature.cosignatures(note.Note(head.text, tuple(mine)), [witness.key])
    except (Malformed, UnicodeDecodeError) as error:
        return Asked(witness, problem=f"its answer is no cosignature: {error}"), ""
    if not found:
        return Asked(witness, problem="its answer has no cosignature by the key in the policy"), ""
    return Asked(witness, found[0].time), mine[-1].line


def _refused(witness: Witness, why: str) -> Asked:
    return Asked(witness, problem=why, refused=True)


def verify_cosigned(
    data: bytes, keys: Sequence[VerifierKey], policy: WitnessPolicy
) -> tuple[Checkpoint, tuple[Witness, ...]]:
    """A checkpoint that its log signed and enough witnesses cosigned, and which; `Malformed` says what is missing."""
    if policy.logs and not set(keys) & set(policy.logs):
        raise Malformed(f"the policy doesn't list the log's key, {' or '.join(map(str, keys))}")
    head = checkpoints.verify(data, None, keys)
    by = {one.key for one in cosignature.cosignatures(note.parse(data), policy.keys)}
    present = tuple(witness for witness in policy.witnesses if witness.key in by)
    if not policy.met(by):
        names = ", ".join(witness.name for witness in present) or "nobody"
        raise Malformed(f"it is cosigned by {names}, and the policy demands {policy.demand()}")
    return head, present
