"""What is remembered of writes to a system that has no transactions and no room for a checkpoint of ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a flow has come.

    `checkpoint` is the last durable one, None before the first. `epoch` is made with the mark and never changes: it
    sets apart what is written before and after a flow was forgotten. `begun` says that writes after the checkpoint
    were on their way when it was last heard of: any of them may have had its effect.
    """

    epoch: str
    checkpoint: str | None = None
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one record at the destination.

    `id` is what the system calls it (empty: it is addressed by its key), `version` what it said of the version that we
    wrote (an entity tag), `digest` the SHA-256 of the values that we wrote. `pending` is the idempotency key of a
    creation whose outcome isn't known yet; `digest` is then of what was sent.
    """

    id: str = ""
    version: str = ""
    digest: str = ""
    pending: str = ""
