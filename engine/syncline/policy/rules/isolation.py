"""Isolation: no tenant's files, databases or schemas are another's, nor around or inside them.

A shared integration may be read by every tenant; once one writes to it, it is no other's. Only what manifests tell is
compared, see `manifests/locations.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from msgspec import Struct

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec, connector_name
from syncline.manifests.locations import Location, location_of
from syncline.model.diagnostic import Place
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest
from syncline.policy.rule import Rule, Subjects, Violation


class _Use(Struct, frozen=True):
    """What a tenant has at a place: an integration of its own, or a flow from or to a shared one."""

    tenant: str
    subject: ObjectKey
    integration: ObjectKey
    location: Location
    place: Place
    writes: bool

    def conflicts(self, other: _Use) -> bool:
        """Whether two uses of one place, or of a place in the other, are of two tenants that must not share it."""
        if self.tenant == other.tenant:
            return False
        shared = not self.integration.tenant and not other.integration.tenant
        return self.writes or other.writes or not shared


def _uses(subjects: Subjects) -> Iterator[_Use]:
    for manifest in subjects.desired.of_kind("Integration"):
        if (tenant := manifest.key.tenant) and (location := _located(subjects, manifest)):
            yield _Use(tenant, manifest.key, manifest.key, location, manifest.place_of(*location.path), writes=True)
    seen: set[tuple[str, ObjectKey, bool]] = set()
    for flow in subjects.flows:
        for side, end, writes in ((flow.source, "from", False), (flow.target, "to", True)):
            integration = side.integration
            use = (flow.key.tenant, integration.key, writes)
            if not integration.key.tenant and (writes or use not in seen):
                seen.add(use)
                location = _located(subjects, integration) or Location((str(integration.key),), "", ())
                place = flow.manifest.place_of("spec", end)
                yield _Use(flow.key.tenant, flow.key, integration.key, location, place, writes)


def _located(subjects: Subjects, manifest: Manifest) -> Location | None:
    assert isinstance(manifest.spec, IntegrationSpec)
    connector = subjects.desired.find(manifest.key.tenant, "Connector", *connector_name(manifest.spec.connector))
    if connector is None or not isinstance(connector.spec, ConnectorSpec):
        return None
    return location_of(manifest.spec, connector.spec, subjects.root)


def _conflicts(uses: list[_Use]) -> dict[int, _Use]:
    """For the position of each use that is in conflict, the first that it is in conflict with."""
    at: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, use in enumerate(uses):
        at[use.location.steps].append(position)
    found: dict[int, _Use] = {}
    for position, use in enumerate(uses):
        steps = use.location.steps
        for length in range(1, len(steps) + 1):
            other = next((o for o in at.get(steps[:length], ()) if use.conflicts(uses[o])), None)
            if other is not None:
                found.setdefault(position, uses[other])
                found.setdefault(other, use)
    return found


def _message(use: _Use, other: _Use) -> str:
    """What is wrong with a use, to its tenant: it isn't told who the other is, nor what that one calls its own."""
    if use.integration == other.integration:
        does = "writes to" if other.writes else "reads"
        return f"{use.subject} uses the shared {use.integration}, which another tenant {does}"
    mine, theirs = use.location, other.location
    where = "the same place as" if mine.steps == theirs.steps else "inside"
    where = "around" if len(mine.steps) < len(theirs.steps) else where
    return f"{use.integration} ({mine.shown}) is {where} what another tenant has"


def check(subjects: Subjects) -> Iterator[Violation]:
    """Every use of a place that belongs to another tenant too; both tenants are told, each of its own line."""
    uses = list(_uses(subjects))
    for position, other in sorted(_conflicts(uses).items()):
        use = uses[position]
        yield Violation(
            rule="isolation",
            code="SYN506",
            subject=use.subject,
            message=_message(use, other),
            place=use.place,
            expected="a path, database or schema that no other tenant has",
            help="Give each tenant a place of its own, not inside another's.",
        )


RULE = Rule("isolation", "SYN506", "Tenants share no files, databases or schemas.", check)
