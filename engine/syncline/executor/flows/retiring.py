"""Keeping what a flow was before an apply retires it, or leads it elsewhere: a request about a person asks later what
it wrote, and where.

Commits of Git may not have it: an apply of a folder without a repository has none, and clones are shallow.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from syncline.executor.flows.applied import Applied, read_applied
from syncline.executor.flows.rows_left import may_have_written
from syncline.executor.flows.written import is_elsewhere
from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of
from syncline.model.errors import SynclineError
from syncline.model.event import rfc3339
from syncline.model.retired_flow import RetiredFlow
from syncline.model.step import DeleteObject, MoveObject, PutObject
from syncline.planner.compiled import CompiledFlow, compile_flows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from syncline.model.key import ObjectKey
    from syncline.model.step import Step
    from syncline.planner.compiled import Flows
    from syncline.state.store import AppliedObject, StateStore

#: What of a specification may lead a flow elsewhere, or tell people by something else.
_LEADS: Final = {
    "Sync": ("to", "mapping"),
    "Import": ("to", "mapping"),
    "Mapping": ("subject", "fields"),
    "Integration": ("connector", "config", "endpoints", "region"),
    "Connector": ("config", "http"),
}


def keep_retiring(
    store: StateStore, steps: Sequence[Step], objects: Mapping[ObjectKey, AppliedObject], after: Flows, root: Path
) -> None:
    """
    Before steps are taken, that lead from the applied `objects` to the flows `after` them: keeps the flows that they
    retire, or lead elsewhere, and that have run, each with what it stands on.
    """
    gone = {step.key for step in steps if isinstance(step, DeleteObject) and step.key.is_flow}
    ran = [key for key in sorted(gone) if store.runs(key, 1)]
    names = {step.key: step.previous for step in steps if isinstance(step, MoveObject)}
    leads = any(isinstance(s, PutObject) and _leads(s, objects.get(names.get(s.key, s.key))) for s in steps)
    applied = read_applied(store) if ran or leads else None
    retiring: list[RetiredFlow] = []
    if applied is not None:
        retiring = [_as_applied(store, applied, key) for key in ran if key in applied.objects]
        led = _led(store, applied, steps, after, root) if leads else ()
        retiring += [replace(_as_applied(store, applied, key), led=True) for key in led]
    store.retired_flows().keep(retiring, {key: known.applied for key, known in objects.items() if key not in gone})


def kept(store: StateStore, key: ObjectKey, beside: Sequence[str] = ()) -> Iterator[tuple[RetiredFlow, Applied]]:
    """
    What is kept of a name, the newest first, each with what was applied then, `beside` other documents; that has no
    flow where it couldn't run, and where a version of the language had it that we don't read any more: it may have been
    retired for years.
    """
    for one in store.retired_flows().of(key):
        try:
            yield one, applied_of((*one.documents, *beside))
        except (ValueError, SynclineError):
            yield one, applied_of(())


def applied_of(documents: Iterable[str]) -> Applied:
    """What these documents declare, as it was applied once."""
    desired = desired_of(from_document(text) for text in documents)
    return Applied(0, "", "", {}, desired, compile_flows(desired))


def as_retired(store: StateStore, key: ObjectKey) -> CompiledFlow | None:
    """A retired flow as it was applied last, by what was kept of it then; None where that doesn't say it."""
    newest = next(kept(store, key), None)
    return newest[1].flows.get(key) if newest is not None else None


def _leads(step: PutObject, before: AppliedObject | None) -> bool:
    """Whether a change of an object may lead a flow elsewhere."""
    names = _LEADS.get(step.key.kind, ())
    if before is None or not names or before.digest == step.digest:
        return False
    former, now = _spec(before.document), _spec(step.document)
    return any(former.get(name) != now.get(name) for name in names)


def _spec(document: str) -> dict[str, Any]:
    found = json.loads(document).get("spec")
    return found if isinstance(found, dict) else {}


def _led(store: StateStore, applied: Applied, steps: Sequence[Step], after: Flows, root: Path) -> Iterator[ObjectKey]:
    """The flows that have run and are led elsewhere; none by a new name alone, of its own or of its integration."""
    moved = {step.previous: step.key for step in steps if isinstance(step, MoveObject)}
    for key, before in applied.flows.items():
        now = after.get(moved.get(key, key))
        if now is not None and is_elsewhere(_as_named(before, moved), now, root) and store.runs(key, 1):
            yield key


def _as_named(item: CompiledFlow, moved: Mapping[ObjectKey, ObjectKey]) -> CompiledFlow:
    """A flow with the new name of the integration that it writes by."""
    target = item.flow.target
    if (key := moved.get(target.integration.key)) is None:
        return item
    named = replace(target, integration=dataclasses.replace(target.integration, key=key))
    return CompiledFlow(replace(item.flow, target=named), item.compiled)


def _as_applied(store: StateStore, applied: Applied, key: ObjectKey) -> RetiredFlow:
    """Without documents of one that nothing could run any more, as when its mapping is gone."""
    item, known = applied.flows.get(key), applied.objects
    manifests = item.flow.manifests if item is not None else ()
    documents = (known[m.key].document for m in manifests if m.key in known)  # not what comes with us
    before = next((one.until for one in store.retired_flows().of(key)), "")
    wrote = may_have_written(store, key, before)
    return RetiredFlow(key, known[key].applied, tuple(documents), rfc3339(), wrote)
