"""Guards on a plan: what is refused always, and what is refused unless it is asked for in so many words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from syncline.kinds.tenant import TenantSpec
from syncline.manifests.load import from_document
from syncline.model.change import Action, Change
from syncline.model.diagnostic import Diagnostic, Place, Related
from syncline.model.key import ObjectKey
from syncline.model.units import Share
from syncline.planner.diff import previous_key
from syncline.planner.observed import Observed

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest
    from syncline.state.store import AppliedObject

#: More deletes than both look like an accident: a wrong folder, a bad merge.
MAX_DELETES = 3
MAX_DELETED_SHARE = 0.2


def guard_findings(
    changes: tuple[Change, ...], desired: Desired, observed: Observed, *, allow_deletes: bool
) -> tuple[Diagnostic, ...]:
    """Findings about moves and about deletes of protected objects always; about many deletes unless `allow_deletes`."""
    found = [*_merged(desired, observed), *_unprotected_moves(changes, desired, observed)]
    deleted = {c.key for c in changes if c.action is Action.delete}
    found += _protected(deleted, observed)
    if not allow_deletes:
        found += _whole_tenants(deleted, observed)
        # A version that another one takes the place of is no loss.
        lost = {k for k in deleted if not _superseded(k, desired)}
        # The applied bound counts, so that a commit can't allow itself more; one that is new lifts no default yet.
        declared = _bounds(desired.of_kind("Tenant"))
        applied = _bounds(from_document(o.document) for key, o in observed.objects.items() if key.kind == "Tenant")
        found += _too_many(lost, declared | applied, observed)
        found += _many({k for k in lost if k.tenant not in applied}, observed)
    return tuple(found)


def _merged(desired: Desired, observed: Observed) -> Iterator[Diagnostic]:
    """Moves onto a name that is applied already, of an object that is applied, too."""
    for key, manifest in desired.objects.items():
        previous = previous_key(manifest, observed)
        if previous is not None and key in observed.objects:
            yield Diagnostic(
                code="SYN622",
                message=f"{key} can't be moved from {previous}: both are applied",
                place=manifest.place_of("metadata", "moved"),
                subject=str(key),
                help="Remove metadata.moved, which retires the old object; or retire the one that has the name first.",
                related=_applied_at(observed.objects[previous], "applied from here"),
            )


def _unprotected_moves(changes: tuple[Change, ...], desired: Desired, observed: Observed) -> Iterator[Diagnostic]:
    """Moves of protected objects to where they no longer would be: protection ends by an apply of its own."""
    for change in changes:
        if change.previous is None:
            continue
        applied, manifest = observed.objects[change.previous], desired.objects[change.key]
        if _is_protected(applied) and not manifest.protected:
            yield Diagnostic(
                code="SYN623",
                message=f"{change.previous} is protected, and moving it to {change.key} would drop that",
                place=manifest.place_of("metadata", "moved"),
                subject=str(change.key),
                expected="metadata.protected: true",
                help="Keep it protected; or set metadata.protected to false under the old name, apply that, then move.",
                related=_applied_at(applied, "applied as protected"),
            )


def _protected(deleted: set[ObjectKey], observed: Observed) -> Iterator[Diagnostic]:
    for key in sorted(deleted):
        applied = observed.objects[key]
        if _is_protected(applied):
            yield Diagnostic(
                code="SYN621",
                message=f"{key} is protected and can't be deleted",
                place=_place(applied.place),
                subject=str(key),
                expected="metadata.protected: false, applied first",
                help="Put it back, set metadata.protected to false, apply that, then delete it.",
            )


def _whole_tenants(deleted: set[ObjectKey], observed: Observed) -> Iterator[Diagnostic]:
    """Tenants that are retired, and tenants that lose every flow. Retiring the only flow there was is no accident."""
    for tenant in sorted({key.owner for key in deleted} - {""}):
        own = [key for key in observed.objects if key.tenant == tenant]
        flows = [key for key in own if key.is_flow]
        gone = sum(key in deleted for key in own)
        if ObjectKey.of_tenant(tenant) in deleted:
            message = f"the plan retires the tenant {tenant}, with {gone} of its {len(own)} objects"
        elif gone == len(own):
            message = f"the plan retires all {gone} objects of the tenant {tenant}"
        elif len(flows) > 1 and all(key in deleted for key in flows):
            message = f"the plan retires all {len(flows)} flows of the tenant {tenant}"
        else:
            continue
        applied = observed.objects.get(ObjectKey.of_tenant(tenant))
        yield Diagnostic(
            code="SYN624",
            message=message,
            place=_place(applied.place) if applied else None,
            subject=tenant,
            help="If it is meant, plan and apply with --allow-deletes; else look at the folder and the last merge.",
        )


def _bounds(tenants: Iterable[Manifest]) -> dict[str, Share]:
    """Which share of its objects each tenant says that one commit may retire."""
    return {
        manifest.key.name: Share.parse(manifest.spec.max_deletes)
        for manifest in tenants
        if isinstance(manifest.spec, TenantSpec) and manifest.spec.max_deletes is not None
    }


def _too_many(deleted: set[ObjectKey], bounds: dict[str, Share], observed: Observed) -> Iterator[Diagnostic]:
    """Tenants that lose more objects than they say that one commit may retire."""
    for tenant, bound in sorted(bounds.items()):
        own = [key for key in observed.objects if key.tenant == tenant]
        gone = sum(key in deleted for key in own)
        if not bound.exceeded(gone, len(own)):
            continue
        applied = observed.objects.get(ObjectKey.of_tenant(tenant))
        yield Diagnostic(
            code="SYN780",
            message=f"the plan retires {gone} of {len(own)} objects of the tenant {tenant}, more than its maxDeletes "
            f"{bound} allows",
            place=_place(applied.place) if applied else None,
            subject=tenant,
            expected=f"at most {bound}",
            help="If it is meant, retire them in several commits, raise maxDeletes by a commit before, or plan and "
            "apply with --allow-deletes; else look at the folder and the last merge.",
        )


def _many(deleted: set[ObjectKey], observed: Observed) -> Iterator[Diagnostic]:
    if len(deleted) > MAX_DELETES and len(deleted) > MAX_DELETED_SHARE * len(observed.objects):
        yield Diagnostic(
            code="SYN620",
            message=f"the plan deletes {len(deleted)} of {len(observed.objects)} applied objects",
            expected=f"at most {MAX_DELETES}, or {MAX_DELETED_SHARE:.0%}",
            help="If it is meant, plan and apply with --allow-deletes; else look at the folder and the last merge.",
        )


def _superseded(key: ObjectKey, desired: Desired) -> bool:
    """Whether another version of a connector stays declared by the same owner."""
    return key.kind == "Connector" and any(k.unversioned == key.unversioned for k in desired.objects)


def _is_protected(applied: AppliedObject) -> bool:
    return bool(json.loads(applied.document).get("metadata", {}).get("protected"))


def _applied_at(applied: AppliedObject, message: str) -> tuple[Related, ...]:
    place = _place(applied.place)
    return (Related(place, message),) if place else ()


def _place(text: str) -> Place | None:
    file, _, rest = text.rpartition(":")
    file, _, line = file.rpartition(":")
    return Place(file, int(line), int(rest)) if file and line.isdigit() and rest.isdigit() else None
