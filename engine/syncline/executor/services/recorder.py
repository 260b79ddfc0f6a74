"""Records audit events: durable at once, in the signed log soon after.

Events go to the journal, together with what other threads bring meanwhile. A thread of its own takes the journal into
the log once a second while there is anything in it, and `close` does at the end; after a kill, whoever opens the log.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from syncline.audit.journal import NAME, Journal
from syncline.audit.log import AuditLog, encode_event
from syncline.model.account import login
from syncline.model.errors import SynclineError
from syncline.model.event import Action, Detail, Event, EventOutcome, rfc3339
from syncline.model.pulse import thread, turned

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.audit.checkpoint import Checkpoint
    from syncline.audit.key_change import KeyChange
    from syncline.audit.note import Signer
    from syncline.model.key import ObjectKey

#: Seconds that events may be in the journal only.
PUBLISH_EVERY = 1.0
#: Bytes of the journal above which the next append waits for it to be published.
PUBLISH_BYTES = 8 * 1024 * 1024


@dataclass(slots=True)
class _Waiting:
    """Entries that a thread waits for, and what became of them."""

    entries: Sequence[bytes]
    done: bool = False
    error: BaseException | None = None


def unnoted(head: Checkpoint) -> None:
    """Has nobody note how large the log is."""
    del head


#: What evidence has the real account of: `SYNCLINE_ACTOR` is whatever somebody says.
_PROVEN: Final = frozenset(
    {
        Action.privacy_export,
        Action.privacy_erase,
        Action.privacy_acknowledge,
        Action.privacy_lift,
        Action.value_reveal,
        Action.reject_read,
        Action.key_destroy,
        Action.key_rotate,
        Action.secret_set,
        Action.secret_rotate,
        Action.approval_override,
        Action.audit_resume,
        Action.tenant_export,
        Action.tenant_delete,
    }
)


class Recorder:
    """
    Makes audit events of this actor and records them. Durable when `record` returns. Safe for threads; `close` it.

    `published` is told what the log is after each publication.

    What several threads bring while the journal is being written is appended together by the next of them (group
    commit): many flows that run at once share the cost of making evidence durable.
    """

    def __init__(self, log: AuditLog, actor: str, published: Callable[[Checkpoint], None] = unnoted) -> None:
        self._actor = actor
        self._published = published
        self._log = log
        self._journal = Journal(log)
        self._writing = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._publisher: threading.Thread | None = None
        self._closing = threading.Event()
        self._unsigned = False  # the key couldn't be used: nothing is recorded before it can
        self._take()  # what a process that was killed left

    def event(
        self,
        action: Action,
        *,
        outcome: EventOutcome = EventOutcome.success,
        key: ObjectKey | None = None,
        tenant: str = "",
        **details: Detail,
    ) -> Event:
        """
        An event that happens now, about an object, or about what a tenant has that is no object. Of what opens, erases
        or overrides, it says which account did it, where another actor is claimed.
        """
        if action in _PROVEN and (account := login()) != self._actor:
            details["account"] = account
        return Event(
            time=rfc3339(),
            actor=self._actor,
            action=action,
            outcome=outcome,
            tenant=(key.tenant if key else tenant) or None,
            object=str(key) if key else None,
            details=details,
        )

    def secret_uses(self, key: ObjectKey, names: Iterable[str], run: str = "") -> list[Event]:
        """That secrets are used for an object, by a run or by somebody who looks."""
        if run:
            return [self.event(Action.secret_use, key=key, run=run, secret=name) for name in names]
        return [self.event(Action.secret_use, key=key, secret=name) for name in names]

    def record(self, events: Sequence[Event]) -> None:
        """Records events, all or none; raises what kept them from being durable."""
        self.append([encode_event(event) for event in events])

    def append(self, entries: Sequence[bytes]) -> None:
        """Records entries as `encode_event` gives them, all or none; raises what kept them from being durable."""
        mine = _Waiting(entries)
        if not mine.entries:
            return
        self._queue.append(mine)
        with self._writing:
            if not mine.done:
                self._append([self._queue.popleft() for _ in range(len(self._queue))])
        if mine.error is not None:
            raise mine.error

    def check(self) -> None:
        """
        Raises (`Stalled`, SYN821) what keeps the log from being signed, where it was in vain the last time: then
        nothing more is to be done that leaves evidence. Costs nothing else.
        """
        if self._unsigned:
            with self._writing:
                self._take()
                self._unsigned = False

    def change_signer(self, signer: Signer) -> KeyChange:
        """Has another key sign the log from now on, and records it by an entry that both keys vouch for."""
        made: list[KeyChange] = []

        def entry(change: KeyChange) -> bytes:
            made.append(change)
            return encode_event(replace(self.event(Action.key_rotate), details=change.details))

        with self._writing, self._journal.alone():
            head = self._log.change_signer(signer, entry).checkpoint
        with suppress(SynclineError):
            self._published(head)
        return made[-1]

    def close(self) -> None:
        """Publishes what is recorded; raises what keeps it from being in the log."""
        self._closing.set()
        if self._publisher is not None:
            self._publisher.join()
        with self._writing:
            try:
                self._take()
            finally:
                self._journal.close()

    def _append(self, batch: Sequence[_Waiting]) -> None:
        error: BaseException | None = None
        try:
            if self._unsigned or self._journal.pending() > PUBLISH_BYTES:
                self._take()
                self._unsigned = False
            self._journal.append([entry for waiting in batch for entry in waiting.entries])
            self._publish_soon()
        except BaseException as failed:
            error = failed
        for waiting in batch:
            waiting.done, waiting.error = True, error

    def _take(self) -> None:
        """Takes the journal into the log. That nobody could note how large it is by now doesn't undo it."""
        if (head := self._journal.publish()) is not None:
            with suppress(SynclineError):
                self._published(head)

    def _publish_soon(self) -> None:
        if self._publisher is None or not self._publisher.is_alive():
            self._publisher = thread("audit", self._publish)
            self._publisher.start()

    def _publish(self) -> None:
        """Publishes once a second; ends when there was nothing to publish."""
        while not self._closing.wait(PUBLISH_EVERY):
            turned()
            with self._writing:
                # A disk that is full now may not be so later; `close` and a long journal raise what it is.
                try:
                    if self._journal.pending():
                        self._take()
                        continue
                except SynclineError as error:
                    self._unsigned = error.code == "SYN821"
                except OSError:
                    pass
                self._publisher = None
                return


def publish_pending(audit: Path, signer: Callable[[], Signer]) -> None:
    """Takes into the log what a process that was killed left in its journal; a log without any isn't even opened."""
    journal = audit / NAME
    if not journal.exists() or not journal.stat().st_size:
        return
    key = signer()
    with closing(Journal(AuditLog.open(audit, key, key.verifier.name))) as left:
        left.publish()
