"""A manifest as loaded: identity, validated spec, and where each part stands in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from msgspec import Struct

from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from pydantic import BaseModel

    from syncline.model.diagnostic import Place

#: Path of a value in a document: keys and list positions from the root.
Path = tuple[str | int, ...]


class Moved(Struct, frozen=True):
    """`metadata.moved`: the name this object had before, so that history and cursors follow it."""

    name: str
    tenant: str = ""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Manifest:
    """One declared object.

    `spec` is the kind's frozen pydantic model; `digest` the SHA-256 (hex) of the canonical JSON of kind, key, labels
    and spec: equal digests mean equal declarations, wherever and however they are written. `document` is the document
    as JSON, with its fields in the order in which they are written: plain data takes several times the memory. `places`
    gives the place of the value at a path, `key_places` of its key.
    """

    key: ObjectKey
    spec: BaseModel
    digest: str
    place: Place
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    moved: Moved | None = None
    protected: bool = False
    document: str = field(default="{}", compare=False)
    places: Mapping[Path, Place] = field(default_factory=dict)
    key_places: Mapping[Path, Place] = field(default_factory=dict)

    @property
    def source(self) -> dict[str, Any]:
        """The document as plain data, made anew."""
        data: dict[str, Any] = orjson.loads(self.document)
        return data

    @property
    def previous(self) -> ObjectKey | None:
        """The key that it says it had before; of a connector, in the same version."""
        if self.moved is None:
            return None
        version = f"@{self.key.version}" if self.key.version else ""
        return ObjectKey(self.moved.tenant, self.key.kind, self.moved.name + version)

    def place_of(self, *path: str | int) -> Place:
        """The place of the value at a path, or of its nearest parent that has one, or of the document."""
        while path:
            found = self.places.get(path)
            if found is not None:
                return found
            path = path[:-1]
        return self.place
