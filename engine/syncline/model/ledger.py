"""What is remembered of writes to a system that has no transactions and no room for a checkpoint of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct


class Mark(Struct, frozen=True):
    """How far a flow has come.

    `checkpoint` is the last durable one, None before the first. `epoch` is made with the mark and never changes: it
    sets apart what is written before and after a flow was forgotten. `begun` says that writes after the checkpoint
    were on their way when it was last heard of: any of them may have had its effect.
    """

    epoch: str
    checkpoint: str | None = None
    begun: bool = False


class Known(Struct, frozen=True):
    """What is known of one record at the destination.

    `id` is what the system calls it (empty: it is addressed by its key), `version` what it said of the version that we
    wrote (an entity tag), `digest` the SHA-256 of the values that we wrote. `pending` is the idempotency key of a
    creation whose outcome isn't known yet; `digest` is then of what was sent.
    """

    id: str = ""
    version: str = ""
    digest: str = ""
    pending: str = ""


class Ledger(Protocol):
    """Everything is durable when a method returns, against the death of the process. May raise `Again` or `Stalled`.

    Example: what a writer does with one, for each batch:

        ledger.progress(flow, place, {key: Known(pending=idempotency_key)})   # before a record is created
        ledger.progress(flow, place, {key: Known(id="17", digest=digest)})    # when its answer is there
        ledger.save(flow, checkpoint, place, {})                              # when the whole batch is written
    """

    def mark(self, flow: str) -> Mark | None:
        """How far a flow has come; None if it never wrote, or was forgotten."""

    def begin(self, flow: str, epoch: str) -> Mark:
        """The mark of a flow, made with this epoch where there is none."""

    def known(self, place: str, keys: Iterable[str]) -> dict[str, Known]:
        """What is known of these records; those of which nothing is known are left out."""

    def applied(self, flow: str) -> frozenset[str]:
        """Effects that were applied after the checkpoint, by the names given to `progress`."""

    def progress(self, flow: str, place: str, records: Mapping[str, Known], applied: Iterable[str] = ()) -> None:
        """Notes what has become of records, and that writes after the checkpoint are under way."""

    def save(self, flow: str, checkpoint: str, place: str, records: Mapping[str, Known]) -> None:
        """Moves the checkpoint, notes records, and forgets what was `applied`, together."""

    def drop(self, place: str, keys: Iterable[str]) -> None:
        """Forgets records that are gone at the destination."""

    def drop_ids(self, place: str, ids: Iterable[str]) -> None:
        """The same, by what the system calls them."""

    def forget(self, flow: str) -> None:
        """Deletes the mark of a flow. What is known of records stays: they are still there."""

    def move(self, previous: str, flow: str) -> None:
        """Renames a mark; one that `flow` already has is replaced. No effect where there is none."""
