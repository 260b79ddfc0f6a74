"""What runs and applies share: the state, the audit log, the keys. Opened once, passed down, closed once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.audit.log import AuditLog, Receipt
from syncline.audit.signer import FileSigner
from syncline.executor.tokens import Vault
from syncline.model.errors import Bug
from syncline.model.event import Action, Detail, Event, EventOutcome, rfc3339
from syncline.sdk.clients import Clients
from syncline.sdk.keep import Keep
from syncline.secrets.envelope import KeyRing
from syncline.state.open import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.model.key import ObjectKey
    from syncline.settings import Settings
    from syncline.state.store import StateStore

SIGNER = "audit.pem"


@dataclass(slots=True)
class _Waiting:
    """Events that a thread waits for, and what became of them."""

    events: Sequence[Event]
    receipt: Receipt | None = None
    error: BaseException | None = None


class Recorder:
    """
    Makes audit events of this actor and appends them. Durable when `record` returns. Safe for threads.

    What several threads bring while the log is being written is appended together by the next of them (group commit):
    many flows that run at once share the cost of making evidence durable.
    """

    def __init__(self, log: AuditLog, actor: str) -> None:
        self._log = log
        self._actor = actor
        self._writing = threading.Lock()
        self._queue: deque[_Waiting] = deque()

    def event(
        self,
        action: Action,
        *,
        outcome: EventOutcome = EventOutcome.success,
        key: ObjectKey | None = None,
        **details: Detail,
    ) -> Event:
        """An event that happens now, about an object."""
        return Event(
            time=rfc3339(),
            actor=self._actor,
            action=action,
            outcome=outcome,
            tenant=(key.tenant or None) if key else None,
            object=str(key) if key else None,
            details=details,
        )

    def record(self, events: Sequence[Event]) -> Receipt:
        """Appends events, under one signed checkpoint; raises what kept them from being durable."""
        mine = _Waiting(events)
        self._queue.append(mine)
        with self._writing:
            if mine.receipt is None and mine.error is None:
                self._append([self._queue.popleft() for _ in range(len(self._queue))])
        if mine.error is not None:
            raise mine.error
        if mine.receipt is None:
            raise Bug("audit events were neither recorded nor refused")
        return mine.receipt

    def _append(self, batch: Sequence[_Waiting]) -> None:
        try:
            receipt = self._log.append([event for waiting in batch for event in waiting.events])
        except BaseException as error:
            for waiting in batch:
                waiting.error = error
            raise
        for waiting in batch:
            waiting.receipt = receipt


@dataclass(frozen=True, slots=True)
class Facilities:
    """Everything that a change or a run needs from this machine."""

    settings: Settings
    store: StateStore
    recorder: Recorder
    keys: KeyRing
    keep: Keep


def audit_origin(lineage: str) -> str:
    """The log's origin (C2SP tlog-checkpoint): one log for each state lineage."""
    return f"syncline/{lineage}"


def signer(keys: Path, origin: str) -> tuple[FileSigner, bool]:
    """The audit signer of this home, made at first use; and whether it was made now."""
    path = keys / SIGNER
    if path.exists():
        return FileSigner.load(path), False
    return FileSigner.create(path, origin), True


@contextmanager
def open_facilities(settings: Settings) -> Iterator[Facilities]:
    """Opens state, log and keys, making them at first use; closes them when the block ends."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = open_store(settings.state_url)
    try:
        origin = audit_origin(store.lineage)
        key, made = signer(settings.keys, origin)
        recorder = Recorder(AuditLog.open(settings.audit, key, origin), settings.actor)
        if made:
            recorder.record([recorder.event(Action.key_create, purpose="audit", verifier=str(key.verifier))])
        with Keep() as keep:
            keep.share(Clients())
            keys = KeyRing.open(settings.keys)
            keep.share(Vault.over(store, keys))
            yield Facilities(settings, store, recorder, keys, keep)
    finally:
        store.close()
