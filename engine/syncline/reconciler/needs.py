"""What objects stand on: what must be ready for them to work, and which secrets must be there.

A flow needs its mapping and the integrations of both ends; an integration needs its credentials, and a subscription
the integration that carries its messages. A schedule starts flows and needs nothing: it is as good as ever while one of
them fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from syncline.kinds import KIND_BY_NAME
from syncline.kinds.secret_refs import secret_refs as found
from syncline.secrets.contract import Context, Problem, Reference
from syncline.secrets.provider import check

if TYPE_CHECKING:
    from pydantic import BaseModel

    from syncline.kinds.base import SecretRef
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest
    from syncline.settings import Settings

_NEEDING = frozenset({"Sync", "Import", "Integration", "Subscription"})

#: What each object stands on, nearest first, for every object that stands on others.
Needs = Mapping["ObjectKey", tuple["ObjectKey", ...]]


def needs(desired: Desired) -> dict[ObjectKey, tuple[ObjectKey, ...]]:
    """What each object stands on, among what is declared itself: the catalogue is always there."""
    found = {key: tuple(_needed(manifest, desired)) for key, manifest in desired.objects.items()}
    return {key: needed for key, needed in found.items() if needed}


def _needed(manifest: Manifest, desired: Desired) -> Iterator[ObjectKey]:
    if manifest.key.kind not in _NEEDING:
        return
    for reference in KIND_BY_NAME[manifest.key.kind].references(manifest.spec):
        target = desired.find(manifest.key.tenant, reference.kind, reference.name, reference.version)
        if target is not None and target.key in desired.objects:
            yield target.key


def all_needed(key: ObjectKey, desired: Desired) -> tuple[ObjectKey, ...]:
    """Everything that an object stands on, nearest first, each once."""
    found: dict[ObjectKey, None] = {}
    ahead = [key]
    while ahead:
        manifest = desired.objects.get(ahead.pop(0))
        fresh = [one for one in _needed(manifest, desired) if one not in found] if manifest is not None else []
        found.update(dict.fromkeys(fresh))
        ahead += fresh
    return tuple(found)


def all_below(keys: Iterable[ObjectKey], graph: Needs) -> set[ObjectKey]:
    """Everything that any of these objects stands on."""
    found: set[ObjectKey] = set()
    ahead = list(keys)
    while ahead:
        fresh = [one for one in graph.get(ahead.pop(), ()) if one not in found]
        found.update(fresh)
        ahead += fresh
    return found


def secret_refs(spec: BaseModel) -> tuple[SecretRef, ...]:
    """Every secret reference in a spec."""
    return tuple(ref for _, ref in found(spec))


def secret_problem(settings: Settings, tenant: str, ref: SecretRef) -> Problem | None:
    """What would keep a secret from being had here; its value isn't read where that can be helped."""
    return check(reference(ref), Context(settings.root, settings.environ, tenant, settings.home))


def reference(ref: SecretRef) -> Reference:
    """What is declared as providers take it."""
    at = ref.secret_ref
    return Reference(at.provider, at.key, at.path)
