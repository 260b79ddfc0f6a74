"""Why an object isn't as it should be: from it down to what it stands on, until what has a trouble of its own.

Reads what is known and decides nothing: the same conditions, runs and declarations as everything else goes by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of
from syncline.model.condition import Occurrence, Status
from syncline.model.errors import Invalid
from syncline.reconciler.needs import Needs, needs
from syncline.reconciler.status import SOURCE, source_key

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.state.store import AppliedObject, RunRecord, StateReader

#: Events of an object that are shown.
EVENTS = 5


class Link(Struct, frozen=True):
    """One object of a chain; `depth` 0 is the one that was asked for. `root`: nothing below it isn't ready."""

    status: Status
    depth: int
    root: bool


class Explained(Struct, frozen=True):
    """
    How an object stands and why. `applied` is None for one that is declared and couldn't be applied yet.

    `chain` begins with the object itself and goes down through what isn't ready; `source` is how the repository stands.
    """

    status: Status
    applied: AppliedObject | None
    chain: tuple[Link, ...]
    sources: tuple[Status, ...]
    last_run: RunRecord | None
    events: tuple[Occurrence, ...]
    desired: Desired


def explain(reader: StateReader, key: ObjectKey) -> Explained:
    """Everything that is known of why an object stands as it does; `Invalid` for one of which nothing is known."""
    statuses = reader.statuses()
    objects = reader.objects()
    applied = next((known for known in objects if known.key == key), None)
    status = statuses.get(key) or (Status(key) if applied is not None else None)
    if status is None:
        raise Invalid(f"nothing is known of {key}", code="SYN670", help="`syncline status` lists what there is.")
    own = {SOURCE, source_key(applied.source if applied else "")}
    desired = desired_of(from_document(known.document) for known in objects)
    runs = reader.runs(key, 1)
    return Explained(
        status,
        applied,
        tuple(chain(statuses | {key: status}, needs(desired), key)),
        tuple(found for found in statuses.values() if found.key in own),
        runs[0] if runs else None,
        reader.events(key, limit=EVENTS),
        desired,
    )


def chain(statuses: Mapping[ObjectKey, Status], graph: Needs, key: ObjectKey, depth: int = 0) -> Sequence[Link]:
    """The object, and below it whatever it stands on that isn't ready, each once, nearest first."""
    status = statuses[key]
    below = [one for one in graph.get(key, ()) if one in statuses and statuses[one].failing] if status.failing else []
    found = [Link(status, depth, root=status.failing and not below)]
    for one in below:
        seen = {link.status.key for link in found}
        found += [link for link in chain(statuses, graph, one, depth + 1) if link.status.key not in seen]
    return found
