"""A witness (C2SP tlog-witness): cosigns what continues the last checkpoint that it saw of a log, and nothing else.

Promises:

- Of one origin, all checkpoints that it ever cosigned continue each other. Each is on disk before its cosignature is
  given away; a witness that dies between the two has cosigned nothing that it forgot.
- A key of a log that isn't the one which it was told counts where that one, or one that followed it, named it in a
  change of keys that this witness has cosigned. From then on the former key's checkpoints are refused.
- A record that can't be read is no licence to begin anew: it answers 500 until it is restored.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from syncline.audit import checkpoint as checkpoints
from syncline.audit import cosignature, durable, key_change, note, tree
from syncline.audit.add_checkpoint import SIZE_TYPE, Submission
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.key_change import KeyChange, KeyHistory
from syncline.audit.malformed import Malformed
from syncline.audit.note import Signer, VerifierKey
from syncline.audit.waiting import lock

_TEXT: Final = "text/plain; charset=utf-8"
_EMPTY: Final = Checkpoint("", 0, tree.EMPTY_ROOT)


class Answer(Struct, frozen=True):
    """What the witness answers: an HTTP status, a body and its type."""

    status: int
    body: bytes
    kind: str = _TEXT


class Witness:
    """A witness that keeps its records in a folder. Threads and processes may each open the same one."""

    def __init__(
        self, folder: Path, signer: Signer, logs: Sequence[VerifierKey], clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._signer = signer
        self._clock = clock
        self._turn = threading.Lock()
        self._logs: Mapping[str, list[VerifierKey]] = {
            key.name: [other for other in logs if other.name == key.name] for key in logs
        }
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Checks a submission, remembers its checkpoint and cosigns it; or says why not, as the protocol has it."""
        try:
            asked = Submission.parse(body)
            # Nothing of it is believed yet: the origin says whose key it is to be held against.
            claimed = Checkpoint.parse(note.parse(asked.note).text)
        except Malformed as error:
            return _refusal(400, str(error))
        if claimed.origin not in self._logs:
            return _refusal(404, "this witness doesn't know the log of that origin")
        if asked.old > claimed.size:
            return _refusal(400, f"the old size {asked.old} is larger than the checkpoint's, {claimed.size}")
        with self._locked():
            try:
                keys, others = self._keys(claimed.origin)
            except (OSError, ValueError) as error:
                return _refusal(500, f"the record of this log's keys is damaged: {error}")
            try:
                head = checkpoints.verify(asked.note, claimed.origin, (*keys.at(claimed.size), *others))
                change = key_change.parse(asked.note) if key_change.is_change(head) else None
            except Malformed as error:
                return _refusal(403, str(error))
            return self._decide(asked, head, keys, change)

    def last(self, origin: str) -> Checkpoint:
        """The last checkpoint of a log that was cosigned, of size 0 where there is none; `Malformed`: unreadable."""
        try:
            data = (self._folder / _name(origin)).read_bytes()
        except FileNotFoundError:
            return _EMPTY
        found = Checkpoint.parse(note.verify(data, [cosignature.cosigner(self._signer)]).text)
        if found.origin != origin:
            raise Malformed("it is of another log")
        return found

    def _keys(self, origin: str) -> tuple[KeyHistory, tuple[VerifierKey, ...]]:
        """The keys of a log that lead on from one that this witness was told, and others that it was told."""
        told = tuple(self._logs[origin])
        try:
            found = [base64.b64decode(line) for line in (self._folder / _keys_name(origin)).read_bytes().splitlines()]
        except FileNotFoundError:
            return KeyHistory(told), ()
        changes = [key_change.parse(data) for data in found]
        if not {key for change in changes for key in (change.former, change.next)} & set(told):
            return KeyHistory(told), ()
        keys = key_change.history(told, changes)
        return keys, tuple(key for key in told if key not in keys.keys)

    def _follow(self, keys: KeyHistory, change: KeyChange) -> None:
        """Remembers a change of keys; from then on the former key signs nothing."""
        if change in keys.changes:
            return
        lines = [base64.b64encode(one.note) + b"\n" for one in (*keys.changes, change)]
        durable.replace(self._folder, _keys_name(change.head.origin), b"".join(lines))

    def _decide(self, asked: Submission, head: Checkpoint, keys: KeyHistory, change: KeyChange | None) -> Answer:
        """Call it under the lock: what is seen and what is remembered are one step."""
        try:
            seen = self.last(head.origin)
        except (OSError, Malformed) as error:
            return _refusal(500, f"the record of this log is damaged, and nothing is cosigned without it: {error}")
        if asked.old != seen.size:
            return Answer(409, b"%d\n" % seen.size, SIZE_TYPE)
        if head.size == seen.size and seen.size and head.root != seen.root:
            return _refusal(409, f"another tree of {seen.size} entries was cosigned: the log was forked")
        if seen.size == 0:
            if asked.steps:
                return _refusal(422, "a proof from nothing must be empty")
        elif not tree.verify_consistency(seen.size, head.size, seen.root, head.root, asked.steps):
            return _refusal(422, f"it is not proved that this continues the tree of {seen.size} entries")
        if change is not None:
            try:
                key_change.history(keys.trusted, (*(one for one in keys.changes if one != change), change))
            except Malformed as error:
                return _refusal(403, str(error))
            self._follow(keys, change)
        line = cosignature.cosign(head.text, self._signer, int(self._clock())).line
        text, _, block = asked.note.decode().rpartition("\n\n")
        durable.replace(self._folder, _name(head.origin), f"{text}\n\n{block}{line}".encode())
        return Answer(200, line.encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One submission at a time, of all threads and processes."""
        with self._turn:
            descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                lock(descriptor, "the records of the witness")
                yield
            finally:
                os.close(descriptor)


def _keys_name(origin: str) -> str:
    return f"{_name(origin)}.keys"


def _name(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def _refusal(status: int, why: str) -> Answer:
    return Answer(status, why.encode() + b"\n")
