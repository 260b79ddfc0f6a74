"""A tenant as it is declared: its manifest, what it has, and a digest of all of that."""

from __future__ import annotations

import difflib
import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.kinds.tenant import TenantSpec
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.manifests.desired import Desired
    from syncline.model.manifest import Manifest


class Declared(Struct, frozen=True):
    """A declared tenant and its objects, by their keys; what is shared is not among them."""

    name: str
    spec: TenantSpec
    objects: Mapping[ObjectKey, Manifest]

    @property
    def key(self) -> ObjectKey:
        """Its manifest's key."""
        return ObjectKey.of_tenant(self.name)

    @property
    def digest(self) -> str:
        """SHA-256 over its manifest and its objects: what was certified is this."""
        lines = "".join(f"{key} {manifest.digest}\n" for key, manifest in sorted(self.objects.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def declared_tenant(desired: Desired, name: str) -> Declared:
    """A tenant among what is declared; `Invalid` (SYN860) with the nearest name where there is none."""
    key = ObjectKey.of_tenant(name)
    found = desired.objects.get(key)
    if found is None or not isinstance(found.spec, TenantSpec):
        names = [known.name for known in desired.objects if known.kind == "Tenant"]
        near = difflib.get_close_matches(name, names, 1)
        raise Invalid(
            f"there is no tenant {name!r} among what is declared" + (f"; did you mean {near[0]}?" if near else ""),
            code="SYN860",
            help=f"`syncline tenant scaffold {name}` writes a manifest to begin with.",
        )
    own = {known: manifest for known, manifest in desired.objects.items() if known.owner == name}
    return Declared(name, found.spec, own)
