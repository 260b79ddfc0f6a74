"""Whether versions of connectors were raised as their changes demand: in one repository, and since a revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.kinds.connector import ConnectorSpec
from syncline.manifests.evolution import Evolved, demanded, evolved
from syncline.manifests.versions import is_release, preceding, triple, version
from syncline.model.diagnostic import Diagnostic, Related

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest

#: Changes that a finding shows at their places.
_SHOWN = 10


class Bump(Struct, frozen=True):
    """Two versions of a connector, what changed between them, and the lowest version that the newer one may have."""

    old: Manifest
    new: Manifest
    changes: tuple[Evolved, ...]
    demanded: str

    @property
    def enough(self) -> bool:
        """
        Whether the version was raised as far as the changes demand; it may always be raised further.

        A pre-release of what is demanded is enough, and so is all that is higher than a pre-release.
        """
        old, new = self.old.key.version, self.new.key.version
        raised = triple(new) >= triple(self.demanded) if is_release(old) else version(new) > version(old)
        return not self.changes or raised


def bump(old: Manifest, new: Manifest) -> Bump:
    """Compares two versions of a connector."""
    assert isinstance(old.spec, ConnectorSpec)
    assert isinstance(new.spec, ConnectorSpec)
    changes = evolved(old.spec, new.spec)
    return Bump(old, new, changes, demanded(old.key.version, changes))


def finding(found: Bump) -> Diagnostic | None:
    """That the version was raised too little, at its place, with the changes that demand more; None if it wasn't."""
    if found.enough:
        return None
    name, before, after = found.new.key.unversioned, found.old.key.version, found.new.key.version
    level = found.changes[0].level
    decisive = [c for c in found.changes if c.level is level]
    said = (
        f"{name} {before} changed without another version"
        if before == after
        else f"{name} went from {before} to {after}"
    )
    count = f"{len(decisive)} {level.name} change{'' if len(decisive) == 1 else 's'}"
    return Diagnostic(
        code="SYN260",
        message=f"{said}; {count} need{'s' if len(decisive) == 1 else ''} {found.demanded}",
        place=found.new.place_of("spec", "version"),
        expected=f"{found.demanded} or higher",
        suggestion=found.demanded,
        help="Integrations pin ranges: keep the old version beside the new one until they have moved."
        if level.name == "breaking"
        else "",
        subject=str(found.new.key),
        related=tuple(
            Related(found.new.place_of(*c.path), f"{level.name}: {c.where}: {c.message}") for c in decisive[:_SHOWN]
        ),
    )


def side_by_side(desired: Desired) -> Iterator[Diagnostic]:
    """Findings about versions that are declared together: each against the one that it builds on."""
    for known in _grouped(desired.of_kind("Connector")).values():
        ordered = sorted(known, key=lambda m: version(m.key.version))
        by_version = {m.key.version: m for m in ordered}
        for number, new in enumerate(ordered[1:], 1):
            old = by_version[preceding(new.key.version, [m.key.version for m in ordered[:number]])]
            if (found := finding(bump(old, new))) is not None:
                yield found


def pairs(old: Iterable[Manifest], new: Iterable[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """
    Each connector of `new` with what it is to be compared with: itself in `old`, else the version before it there.

    Names that only one of the two has are left out: nobody uses what is new, and what is gone has no version.
    """
    before = _grouped(old)
    for key, known in _grouped(new).items():
        known_before = {m.key.version: m for m in before.get(key, ())}
        for manifest in known:
            found = manifest.key.version
            other = found if found in known_before else preceding(found, known_before)
            if other:
                yield known_before[other], manifest


def since(base: Iterable[Manifest], desired: Desired) -> Iterator[Diagnostic]:
    """Findings about connectors that changed since another revision of the repository."""
    for old, new in pairs(base, desired.of_kind("Connector")):
        if old.digest != new.digest and (found := finding(bump(old, new))) is not None:
            yield found


def _grouped(manifests: Iterable[Manifest]) -> dict[ObjectKey, list[Manifest]]:
    found: dict[ObjectKey, list[Manifest]] = {}
    for manifest in manifests:
        found.setdefault(manifest.key.unversioned, []).append(manifest)
    return found
