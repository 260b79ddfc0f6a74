"""What is declared, as one value: every object of the repository by its key, and what the catalogue adds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncline.manifests.shelf import Catalog
from syncline.manifests.versions import includes, version
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow


@dataclass(frozen=True)
class Desired:
    """The declared objects in the order of their keys. Equal sets of declarations have equal digests.

    `known_flows` has its flows, once `manifests.flow.flows` found them.
    """

    objects: Mapping[ObjectKey, Manifest]
    catalog: Catalog = field(default_factory=lambda: Catalog({}))
    known_flows: list[tuple[Flow, ...]] = field(default_factory=list, init=False, compare=False, repr=False)

    @classmethod
    def of(cls, manifests: Iterable[Manifest], catalog: Catalog) -> Desired:
        """The first manifest of each key, sorted."""
        objects: dict[ObjectKey, Manifest] = {}
        for manifest in manifests:
            objects.setdefault(manifest.key, manifest)
        return cls(MappingProxyType({key: objects[key] for key in sorted(objects)}), catalog)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every key and its declaration's digest."""
        lines = "".join(f"{key} {manifest.digest}\n" for key, manifest in self.objects.items())
        return hashlib.sha256(lines.encode()).hexdigest()

    def find(self, tenant: str, kind: str, name: str, wanted: str = "") -> Manifest | None:
        """
        What a name means to a tenant: its own object, else the shared one, else the catalogue's.

        Of a connector it is the highest version in the range `wanted` (empty: of all); None when none is in it.
        """
        if kind == "Connector":
            fitting = (m for m in reversed(self.connectors(tenant, name)) if includes(wanted, m.key.version))
            return next(fitting, None)
        shared = ObjectKey("", kind, name)
        own = self.objects.get(ObjectKey(tenant, kind, name)) if tenant else None
        return own or self.objects.get(shared) or self.catalog.get(shared)

    def connectors(self, tenant: str, name: str) -> tuple[Manifest, ...]:
        """Every version of a connector that a tenant means by a name, lowest first: all its own, or all the shared."""
        own = self._connectors.get((tenant, name)) or self._connectors.get(("", name))
        shipped = None if own else self.catalog.named("Connector", name)
        return own or ((shipped,) if shipped else ())

    @cached_property
    def _connectors(self) -> Mapping[tuple[str, str], tuple[Manifest, ...]]:
        """Declared versions of connectors by owner and name."""
        grouped: dict[tuple[str, str], list[Manifest]] = {}
        for key, manifest in self.objects.items():
            if key.kind == "Connector":
                grouped.setdefault((key.tenant, key.base), []).append(manifest)
        return {place: tuple(sorted(found, key=lambda m: version(m.key.version))) for place, found in grouped.items()}

    def visible(self, tenant: str, kind: str) -> Iterator[str]:
        """Names of a kind that a tenant may see: its own and the shared ones, without versions."""
        yield from (key.base for key in self.objects if key.kind == kind and key.tenant in {"", tenant})
        yield from self.catalog.names(kind)

    def of_kind(self, kind: str) -> tuple[Manifest, ...]:
        """Every declared object of a kind, in the order of keys."""
        return self._kinds.get(kind, ())

    @cached_property
    def _kinds(self) -> Mapping[str, tuple[Manifest, ...]]:
        grouped: dict[str, list[Manifest]] = {}
        for key, manifest in self.objects.items():
            grouped.setdefault(key.kind, []).append(manifest)
        return {kind: tuple(found) for kind, found in grouped.items()}
