"""A witness (C2SP tlog-witness): cosigns what continues the last checkpoint that it saw of a log, and nothing else.

Promises:

- Of one origin, all checkpoints that it ever cosigned continue each other. Each is on disk before its cosignature is
  given away; a witness that dies between the two has cosigned nothing that it forgot.
- A record that can't be read is no licence to begin anew: it answers 500 until it is restored.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from syncline.audit import checkpoint as checkpoints
from syncline.audit import cosignature, durable, note, tree
from syncline.audit.add_checkpoint import SIZE_TYPE, Submission
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.malformed import Malformed
from syncline.audit.note import Signer, VerifierKey
from syncline.audit.waiting import lock

_TEXT: Final = "text/plain; charset=utf-8"
_EMPTY: Final = Checkpoint("", 0, tree.EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class Answer:
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
        keys = self._logs.get(claimed.origin)
        if keys is None:
            return _refusal(404, "this witness doesn't know the log of that origin")
        try:
            head = checkpoints.verify(asked.note, claimed.origin, keys)
        except Malformed as error:
            return _refusal(403, str(error))
        if asked.old > head.size:
            return _refusal(400, f"the old size {asked.old} is larger than the checkpoint's, {head.size}")
        with self._locked():
            return self._decide(asked, head)

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

    def _decide(self, asked: Submission, head: Checkpoint) -> Answer:
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


def _name(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def _refusal(status: int, why: str) -> Answer:
    return Answer(status, why.encode() + b"\n")
