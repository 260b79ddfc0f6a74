"""Executes steps, by one `match` over the closed set. Every step is idempotent and marks itself done in the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from syncline.model.event import rfc3339
from syncline.model.pulse import working
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject, ResetCursor, RestoreCursor, Step
from syncline.state.store import AppliedObject, Lease, StateStore

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan


def take(
    store: StateStore,
    lease: Lease,
    apply: str,
    index: int,
    step: Step,
    plan: Plan,
    digest: str,
    drop: Callable[[ObjectKey], str],
) -> None:
    """Takes one step of a plan; durable when it returns. `drop` drops the table of a flow, or says why it stays."""
    match step:
        case PutObject(key, object_digest, document, place):
            before = store.object(key)
            generation = 1 if before is None else before.generation + (before.digest != object_digest)
            applied = AppliedObject(
                key,
                object_digest,
                document,
                place,
                plan.basis.revision,
                digest,
                generation,
                rfc3339(),
                plan.basis.source,
            )
            store.put_object(lease, apply, index, applied)
        case MoveObject(key, previous):
            store.move_object(lease, apply, index, previous, key)
        case ResetCursor(key, _):
            store.reset_cursor(lease, apply, index, key)
        case RestoreCursor(key, revision):
            store.restore_cursor(lease, apply, index, key, revision)
        case DropTable(key):
            with working(f"drops the table of {key}"):
                kept = drop(key)
            store.note_dropped(lease, apply, index, key, kept=kept)
        case DeleteObject(key):
            store.delete_object(lease, apply, index, key)
        case _:
            assert_never(step)
