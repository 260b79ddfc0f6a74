"""A YAML value with its position, and maps from paths to places that are computed when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from syncline.model.diagnostic import Place
from syncline.model.manifest import Path

#: (line, column, end line, end column), counted from 0; the end is exclusive.
Span: TypeAlias = tuple[int, int, int, int]


class Node:
    """A value: `data` as plain Python, `children` by key or position, `keys` with the spans of a mapping's keys.

    `text` is how an unquoted scalar is written, else None. `size` counts this and all inner values with aliases written
    out; `height` is the longest way down. A node that aliases refer to is one object in several places. `file` is where
    it stands, if that is not the document's own file: a patch put it there. `removed` are the members that a patch has
    taken from a mapping, with its file and where it says so.
    """

    __slots__ = ("children", "data", "file", "height", "keys", "removed", "size", "span", "text")

    def __init__(self, data: Any, span: Span, text: str | None = None) -> None:
        self.data: Any = data
        self.span = span
        self.text = text
        self.file = ""
        self.children: dict[str, Node] | list[Node] | None = None
        self.keys: dict[str, Span] = _NO_KEYS
        self.removed: dict[str, tuple[str, Span]] = _NONE_REMOVED
        self.size = 1
        self.height = 0

    def child(self, step: str | int) -> Node | None:
        """The value at a key or position."""
        match self.children:
            case dict() as members:
                return members.get(step) if isinstance(step, str) else None
            case list() as items:
                return items[step] if isinstance(step, int) and 0 <= step < len(items) else None
            case None:
                return None

    def at(self, path: Path) -> Node | None:
        """The value at a path."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            node = node.child(step)
        return node


_NO_KEYS: Final[dict[str, Span]] = {}
_NONE_REMOVED: Final[dict[str, tuple[str, Span]]] = {}


class Places(Mapping[Path, Place]):
    """The places of all values (or, with `of_keys`, of all keys) of a document, looked up in its nodes."""

    __slots__ = ("_file", "_of_keys", "_root")

    def __init__(self, file: str, root: Node, *, of_keys: bool = False) -> None:
        self._file = file
        self._root = root
        self._of_keys = of_keys

    def __getitem__(self, path: Path) -> Place:
        node = self._root.at(path)
        span = self._span(path, node)
        if node is None and (removed := self._removed(path)) is not None:
            file, (line, column, last, end) = removed
            return Place(file, line + 1, column + 1, last + 1, end + 1)
        if node is None or span is None:
            raise KeyError(path)
        return Place(node.file or self._file, span[0] + 1, span[1] + 1, span[2] + 1, span[3] + 1)

    def _removed(self, path: Path) -> tuple[str, Span] | None:
        """Where a patch has taken a field from its document: what lacks it is wrong there."""
        parent = self._root.at(path[:-1]) if path else None
        return parent.removed.get(path[-1]) if parent and isinstance(path[-1], str) else None

    def _span(self, path: Path, node: Node | None) -> Span | None:
        if not self._of_keys:
            return node.span if node else None
        parent = self._root.at(path[:-1]) if path else None
        return parent.keys.get(path[-1]) if parent and isinstance(path[-1], str) else None

    def __iter__(self) -> Iterator[Path]:
        yield from (path for path, node in _walk(self._root, ()) if self._span(path, node) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    yield path, node
    match node.children:
        case dict() as members:
            for key, child in members.items():
                yield from _walk(child, (*path, key))
        case list() as items:
            for position, child in enumerate(items):
                yield from _walk(child, (*path, position))
        case None:
            pass


def walk(node: Node) -> Iterator[tuple[Path, Node]]:
    """Every value with its path, outer before inner."""
    return _walk(node, ())
