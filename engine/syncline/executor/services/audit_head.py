"""Whether the audit log beside a state is the one that the state has seen: neither an older copy nor another one.

The state notes how large the log is and its root, after each publication. Whoever opens both compares. A log that is
ahead of the note is fine, as after a kill; one that is behind it, or has another root there, has lost evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from syncline.audit.log import AuditLog
from syncline.executor.services.recorder import Recorder
from syncline.model.errors import Invalid, Stalled
from syncline.model.event import Action

if TYPE_CHECKING:
    from syncline.audit.checkpoint import Checkpoint
    from syncline.state.store import StateStore


def noting(store: StateStore) -> Callable[[Checkpoint], None]:
    """What has the state note how large the log is."""

    def note(head: Checkpoint) -> None:
        store.note_audit_head(head.size, head.root.hex())

    return note


def check_head(store: StateStore, log: AuditLog) -> None:
    """`Stalled` (SYN909) where the log lacks what the state has seen of it."""
    if problem := _problem(store, log):
        raise Stalled(
            problem,
            code="SYN909",
            help="Restore the newest copy of the log, with its journal. Where it is lost for good, go on with "
            "`syncline audit resume --reason TEXT`, which the log then says.",
        )


def resume(store: StateStore, log: AuditLog, actor: str, reason: str) -> Checkpoint:
    """
    Goes on with a log that lacks evidence, and says so in it: between which sizes, since when, and why. Witnesses that
    saw more of it will refuse it. `Invalid` (SYN909) where nothing is missing.
    """
    problem = _problem(store, log)
    if not problem:
        raise Invalid("the audit log lacks nothing that the state has seen", code="SYN909")
    seen, root = store.audit_head()
    with closing(Recorder(log, actor)) as recorder:
        here = log.checkpoint()[0].size
        event = recorder.event(
            Action.audit_resume, reason=reason, entries=here, seen=seen, seen_root=root, problem=problem
        )
        recorder.record([event])
    head = log.checkpoint()[0]
    store.note_audit_head(head.size, head.root.hex(), anew=True)
    return head


def _problem(store: StateStore, log: AuditLog) -> str:
    """What is missing, in words; '' where nothing is."""
    seen, root = store.audit_head()
    head = log.checkpoint()[0]
    if head.size < seen:
        return f"the audit log has {head.size:,} entries, and the state has seen {seen:,}: it is an older copy"
    there = head.root if head.size == seen else log.root_at(seen)
    if seen and there.hex() != root:
        return f"the first {seen:,} entries of the audit log aren't those that the state has seen: it was replaced"
    return ""
