"""Keeping what a flow was before an apply retires it: a request about a person asks later what it wrote, and where.

Commits of Git may not have it: an apply of a folder without a repository has none, and clones are shallow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.executor.applied import read_applied
from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of
from syncline.model.errors import SynclineError
from syncline.model.retired_flow import RetiredFlow
from syncline.model.step import DeleteObject
from syncline.planner.compiled import compile_flows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from syncline.executor.applied import Applied
    from syncline.model.key import ObjectKey
    from syncline.model.step import Step
    from syncline.planner.compiled import CompiledFlow
    from syncline.state.store import StateStore


def keep_retiring(store: StateStore, steps: Iterable[Step], objects: Collection[ObjectKey]) -> None:
    """
    Before steps are taken: keeps, of the applied `objects`, the flows that they retire and that have run, each with
    what it stands on.
    """
    gone = {step.key for step in steps if isinstance(step, DeleteObject) and step.key.is_flow}
    ran = [key for key in sorted(gone) if store.runs(key, 1)]
    applied = read_applied(store) if ran else None
    retiring = [one for key in ran if applied is not None and (one := _as_applied(applied, key)) is not None]
    store.retired_flows().keep(retiring, set(objects) - gone)


def as_kept(store: StateStore, key: ObjectKey) -> CompiledFlow | None:
    """
    A retired flow as it was applied last, by what was kept of it then; None where nothing was, and where a version of
    the language had it that we don't read any more: it may have been retired for years.
    """
    kept = store.retired_flows().of(key)
    if kept is None:
        return None
    try:
        return compile_flows(desired_of(from_document(text) for text in kept.documents)).get(key)
    except (ValueError, SynclineError):
        return None


def _as_applied(applied: Applied, key: ObjectKey) -> RetiredFlow | None:
    """None of one that nothing could run any more, as when its mapping is gone."""
    item, known = applied.flows.get(key), applied.objects
    if item is None:
        return None
    documents = (known[m.key].document for m in item.flow.manifests if m.key in known)  # not what comes with us
    return RetiredFlow(key, known[key].applied, tuple(documents))
