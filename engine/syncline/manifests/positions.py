"""Where everything in a document stands, in a fraction of the memory that its nodes take: kept while it is applied."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from syncline.manifests.node import Node, Span
from syncline.model.diagnostic import Place
from syncline.model.manifest import Path

#: Numbers for each value: its span, that of its key (zeros: it has none), and how many values it is with inner ones.
_WIDTH: Final = 9
_NO_SPAN: Final[Span] = (0, 0, 0, 0)
_NO_FILES: Final[dict[int, str]] = {}
#: What a short number is less than: few documents need longer ones.
_SHORT: Final = 1 << 16
#: Values looked at, for each value of the document, before finding one is made independent of how many there are.
_PATIENCE: Final = 16


@lru_cache(maxsize=1_024)
def _shared(names: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """The same names, once: thousands of documents have the same fields."""
    return names


class Positions:
    """The spans of a document's values and keys, outer before inner, and the names of the keys."""

    __slots__ = ("_file", "_files", "_index", "_looked", "_names", "_numbers")

    def __init__(self, file: str, root: Node) -> None:
        self._file = file
        self._files = _NO_FILES  # of values that stand in another file
        self._index: dict[Path, int] | None = None
        self._looked = 0
        names: list[str | None] = []
        numbers: list[int] = []
        self._add(root, None, _NO_SPAN, names, numbers)
        self._numbers = array("H" if max(numbers) < _SHORT else "I", numbers)
        self._names = _shared(tuple(names))

    def _add(self, node: Node, name: str | None, key: Span, names: list[str | None], numbers: list[int]) -> None:
        at = len(names)
        names.append(name if name is None else sys.intern(name))
        numbers += (*node.span, *key, 0)
        if node.file:
            if self._files is _NO_FILES:
                self._files = {}
            self._files[at] = node.file
        match node.children:
            case dict() as members:
                for inner, child in members.items():
                    self._add(child, inner, node.keys.get(inner, _NO_SPAN), names, numbers)
            case list() as items:
                for child in items:
                    self._add(child, None, _NO_SPAN, names, numbers)
            case None:
                pass
        numbers[at * _WIDTH + 8] = len(names) - at

    def place(self, path: Path, *, of_key: bool) -> Place | None:
        """The place of the value at a path, or of its key; None where there is none."""
        at = self._at(path)
        return None if at is None else self._place(at, of_key=of_key)

    def places(self, *, of_keys: bool) -> Iterator[tuple[Path, Place]]:
        """All of them by path, outer before inner."""
        for path, at in self._paths(0, ()):
            place = self._place(at, of_key=of_keys)
            if place is not None:
                yield path, place

    def _place(self, at: int, *, of_key: bool) -> Place | None:
        first = at * _WIDTH + (4 if of_key else 0)
        line, column, end_line, end_column = self._numbers[first : first + 4]
        if of_key and not (end_line or end_column):
            return None
        return Place(self._files.get(at, self._file), line + 1, column + 1, end_line + 1, end_column + 1)

    def _at(self, path: Path) -> int | None:
        if self._index is None and self._looked > _PATIENCE * len(self._names):
            self._index = dict(self._paths(0, ()))
        if self._index is not None:
            return self._index.get(path)
        at = 0
        for step in path:
            found = next((inner for label, inner in self._inner(at) if label == step), None)
            if found is None:
                return None
            at = found
        return at

    def _inner(self, at: int) -> Iterator[tuple[str | int, int]]:
        """The values in a value, by key or position."""
        end = at + self._numbers[at * _WIDTH + 8]
        inner = at + 1
        position = 0
        while inner < end:
            self._looked += 1
            name = self._names[inner]
            yield (position if name is None else name), inner
            inner += self._numbers[inner * _WIDTH + 8]
            position += 1

    def _paths(self, at: int, path: Path) -> Iterator[tuple[Path, int]]:
        yield path, at
        for label, inner in self._inner(at):
            yield from self._paths(inner, (*path, label))


class KeptPlaces(Mapping[Path, Place]):
    """The places of all values (or, with `of_keys`, of all keys) of a document whose positions are kept."""

    __slots__ = ("_of_keys", "_positions")

    def __init__(self, positions: Positions, *, of_keys: bool = False) -> None:
        self._positions = positions
        self._of_keys = of_keys

    def __getitem__(self, path: Path) -> Place:
        place = self._positions.place(path, of_key=self._of_keys)
        if place is None:
            raise KeyError(path)
        return place

    def __iter__(self) -> Iterator[Path]:
        yield from (path for path, _ in self._positions.places(of_keys=self._of_keys))

    def __len__(self) -> int:
        return sum(1 for _ in self)
