"""What is to be told to whom, kept until it is known to have arrived: the outbox, and how far each subscription is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from syncline.model.condition import Occurrence, Status
from syncline.model.key import ObjectKey
from syncline.model.notice import Phase


class MessageState(StrEnum):
    """Where a message stands. `dropped`: it was no longer true before anything of it was sent."""

    pending = "Pending"
    sent = "Sent"
    failed = "Failed"
    dropped = "Dropped"


@dataclass(frozen=True, slots=True)
class Message:
    """
    One message of a subscription. `id` is its idempotency key: the same in every attempt, also of another daemon.

    `thread` is the incident that it is about, '' for none; `ref` what the other system calls its thread, once it is
    known. `due` (RFC 3339 UTC) is when it is sent, or sent again; '' once it is over. An attempt is counted before it
    is made, so that `attempts` above 0 means: it may have arrived.
    """

    id: str
    key: ObjectKey
    phase: Phase
    event: Mapping[str, Any] = field(hash=False)
    created: str
    due: str
    thread: str = ""
    state: MessageState = MessageState.pending
    attempts: int = 0
    finished: str = ""
    ref: str = ""
    error: str = ""
    error_code: str = ""
    number: int = 0


class Outbox(Protocol):
    """
    Messages of subscriptions, in the order in which they were put there, and the position of each subscription.

    Every method is one transaction, durable against the death of the process. May raise `Again`, `Stalled`, and
    `Denied` where another daemon has taken over.
    """

    def position(self, key: ObjectKey) -> str | None:
        """How far a subscription is, as `advance` was given it; None for one that is new."""

    def positions(self) -> tuple[ObjectKey, ...]:
        """The subscriptions that have a position."""

    def last_event(self) -> int:
        """The number of the newest event; 0 before the first."""

    def first_event(self, key: ObjectKey) -> int:
        """The number of the newest event of an object that tells that it was applied; 0 if there is none."""

    def events(self, after: int, limit: int) -> tuple[Occurrence, ...]:
        """Events after a number, the oldest of them."""

    def troubled(self) -> dict[ObjectKey, Status]:
        """How the objects stand that aren't ready, have drifted, or whose credential is to be replaced."""

    def advance(self, key: ObjectKey, position: str, put: Sequence[Message], drop: Sequence[str] = ()) -> None:
        """
        Moves a subscription on and puts its messages, together or not at all. A message whose id is known isn't put
        again. Of a thread in `drop` nothing is put if nothing of it was sent yet, and what was pending is dropped.
        """

    def forget(self, key: ObjectKey) -> None:
        """Forgets the position of a subscription; its messages that are pending are dropped."""

    def due(self, now: str, limit: int) -> tuple[Message, ...]:
        """Of each subscription the oldest pending message, if it is due: a later one never overtakes it."""

    def hurry(self) -> None:
        """Makes every pending message due now."""

    def pending(self, key: ObjectKey) -> int:
        """How many messages of a subscription are pending."""

    def claim(self, id: str, until: str) -> bool:  # noqa: A002 - the field's word
        """Counts an attempt, which nobody repeats before `until`; False where the message isn't pending any more."""

    def sent(self, id: str, ref: str) -> None:  # noqa: A002 - likewise
        """It has arrived."""

    def failed(self, id: str, error: str, code: str, again: str, ref: str = "") -> None:  # noqa: A002 - likewise
        """An attempt failed; the next one is due `again`, '' for none. `ref` is kept where it came to some."""

    def ref(self, key: ObjectKey, thread: str) -> str:
        """What the other system calls a thread; '' where nothing of it has arrived."""

    def messages(self, key: ObjectKey | None, tenant: str | None, limit: int) -> tuple[Message, ...]:
        """The newest messages, oldest first; of a subscription or a tenant, where one is given."""
