"""Pairs desired with observed objects and says what differs, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from syncline.manifests.desired import Desired
from syncline.manifests.load import to_document
from syncline.manifests.versions import preceding
from syncline.model.change import Action, Change, FieldChange
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest
from syncline.planner.observed import Observed
from syncline.planner.ownership import shown


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            label = inner.get("to") or inner.get("name") if isinstance(inner, dict) else None
            yield from _flat(inner, f"{path}[{label if isinstance(label, str) else index}]")
    else:
        yield path, json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _declared(document: Mapping[str, Any]) -> dict[str, str]:
    metadata = document.get("metadata", {})
    flat = dict(_flat(document.get("spec", {}), "spec"))
    for part in ("labels", "annotations", "protected"):
        if part in metadata:
            flat.update(_flat(metadata[part], f"metadata.{part}"))
    return flat


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """What differs between two documents, by dotted path; list items are named by their `to` or `name`."""
    old, new = _declared(before), _declared(after)
    return tuple(
        FieldChange(path, old.get(path, ""), new.get(path, ""))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    )


def previous_key(manifest: Manifest, observed: Observed) -> ObjectKey | None:
    """The applied object that a manifest says it was before, if it is there.

    A statement about a move that was made, or one in a place where the old name was never applied, says nothing more.
    """
    previous = manifest.previous
    return previous if previous in observed.objects else None


def _changed(manifest: Manifest, document: str) -> tuple[FieldChange, ...]:
    return field_changes(json.loads(document), json.loads(to_document(manifest)))


def diff(
    desired: Desired, observed: Observed, taken: Mapping[ObjectKey, str] = MappingProxyType({})
) -> tuple[Change, ...]:
    """Creates, updates, moves and deletes in key order, without effects. Unchanged objects are not listed, but for
    those that are taken over from another source.

    A declaration that only went to another file or line is unchanged: a recorded place belongs to the revision that is
    recorded with it, and stays right for that one.
    """
    changes: list[Change] = []
    moved_away: set[ObjectKey] = set()
    for key, manifest in desired.objects.items():
        applied = observed.objects.get(key)
        if applied is not None:
            if applied.digest != manifest.digest:
                fields = _changed(manifest, applied.document)
                reason = "the declaration changed" if fields else "the declaration is written differently"
                changes.append(Change(Action.update, key, reason, manifest.place, fields))
            elif key in taken:
                was = f"taken over from the source {shown(taken[key])}; nothing else changes"
                changes.append(Change(Action.update, key, was, manifest.place))
            continue
        previous = previous_key(manifest, observed)
        if previous is None:
            changes.append(_created(manifest, observed))
        else:
            moved_away.add(previous)
            fields = _changed(manifest, observed.objects[previous].document)
            changes.append(Change(Action.move, key, f"was {previous}", manifest.place, fields, previous=previous))
    gone = (key for key in sorted(observed.objects) if key not in desired.objects and key not in moved_away)
    changes.extend(Change(Action.delete, key, _retired(key, desired)) for key in gone)
    return tuple(changes)


def _created(manifest: Manifest, observed: Observed) -> Change:
    """A new object; of a new version of a connector, with what differs from the applied one that comes before it."""
    key = manifest.key
    reason = "declared and not applied yet"
    known = [k for k in observed.objects if key.version and k.unversioned == key.unversioned]
    before = preceding(key.version, [k.version for k in known])
    if not before:
        return Change(Action.create, key, reason, manifest.place)
    applied = observed.objects[replace(key, name=f"{key.base}@{before}")]
    return Change(
        Action.create, key, f"a version besides {before}", manifest.place, _changed(manifest, applied.document)
    )


def _retired(key: ObjectKey, desired: Desired) -> str:
    left = [m.key.version for m in desired.connectors(key.tenant, key.base)] if key.version else []
    return f"no longer declared; declared are {', '.join(left)}" if left else "no longer declared"
