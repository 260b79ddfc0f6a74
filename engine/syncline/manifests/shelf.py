"""The catalogue as a value: shared objects that are there without being declared, and that are read only when they are
asked for, since most commands use one or two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest


class Catalog(Mapping[ObjectKey, Manifest]):
    """Objects by key, of each kind and name at most one, read when it is asked for.

    >>> list(Catalog({}))
    []
    """

    def __init__(self, objects: Mapping[tuple[str, str], Callable[[], Manifest]]) -> None:
        self._objects = objects
        self._read: dict[tuple[str, str], Manifest] = {}

    def named(self, kind: str, base: str) -> Manifest | None:
        """The object of a kind and a name, whatever its version."""
        name = (kind, base)
        if name not in self._objects:
            return None
        if name not in self._read:
            self._read[name] = self._objects[name]()
        return self._read[name]

    def __getitem__(self, key: ObjectKey) -> Manifest:
        found = None if key.tenant else self.named(key.kind, key.base)
        if found is None or found.key != key:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[ObjectKey]:
        return (found.key for kind, base in self._objects if (found := self.named(kind, base)) is not None)

    def __len__(self) -> int:
        return len(self._objects)

    def names(self, kind: str) -> Iterator[str]:
        """The names of a kind, for which none is read."""
        return (base for known, base in self._objects if known == kind)
