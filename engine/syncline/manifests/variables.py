"""Variables of an environment in a document: `${site}` in a value, `$${` for the characters themselves.

A value that is nothing but one variable takes its type; in the midst of text it becomes text. Names of fields, and what
an object is called, hold none: an object is the same one in every environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from syncline.manifests.environments import Given, Value
from syncline.manifests.findings import Problem
from syncline.manifests.node import Node, walk
from syncline.manifests.text import MAX_BYTES, listed, nearest
from syncline.model.diagnostic import Place, Related

_USE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_NAMES: Final = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "tenant"), ("metadata", "moved"))


class Filled(Struct):
    """A document with its variables filled in, what is wrong with it, and where the values at places were given."""

    root: Node
    problems: list[Problem] = []
    given: dict[Place, tuple[Related, ...]] = {}


def used(content: str) -> set[str]:
    """Names that a text uses as variables."""
    return {found[1] for found in _USE.finditer(content) if found[1] is not None}


def filled(root: Node, file: str, values: Mapping[str, Given], known: Iterable[str]) -> Filled:
    """Fills in the variables of a document of a file. `known` are the variables that are declared."""
    found = Filled(root)
    found.problems = [*_in_names(root), *_unknown(root, known)]
    if not found.problems:
        _Filling(file, values, found).fill()
    return found


def _in_names(root: Node) -> Iterator[Problem]:
    version = ((("spec", "version"),)) if root.data.get("kind") == "Connector" else ()
    for path in (*_NAMES, *version):
        node = root.at(path)
        for inner, child in walk(node) if node else ():
            if isinstance(child.data, str) and used(child.data):
                yield Problem(
                    "SYN287",
                    (*path, *inner),
                    f"{'.'.join(map(str, (*path, *inner)))} holds a variable",
                    expected="the same in every environment",
                    help="To have an object in some environments only, name these in metadata.environments.",
                )


def _unknown(root: Node, known: Iterable[str]) -> Iterator[Problem]:
    names = sorted(known)
    for path, node in walk(root):
        if isinstance(node.data, str) and "${" in node.data:
            for name in sorted(used(node.data) - set(names)):
                near = nearest(name, names)
                yield Problem(
                    "SYN282",
                    path,
                    f"there is no variable {name[:60]!r}",
                    expected=listed(names) or "a variable that environments.yaml declares",
                    suggestion=node.data.replace(f"${{{name}}}", f"${{{near}}}") if near else "",
                    help="" if near else "Declare it in environments.yaml; write $${ for the characters themselves.",
                )


class _Filling:
    """Fills in one document. One use."""

    def __init__(self, file: str, values: Mapping[str, Given], found: Filled) -> None:
        self._file = file
        self._values = values
        self._found = found
        self._room = MAX_BYTES  # characters that values may add up to

    def fill(self) -> None:
        root = self._node(self._found.root)
        if self._room < 0:
            message = f"variables make more than {MAX_BYTES:,} characters of this document"
            self._found.problems.append(Problem("SYN284", (), message))
        else:
            self._found.root = root

    def _node(self, node: Node) -> Node:
        """The node itself where it holds no variable."""
        match node.children:
            case dict() as members:
                new = {name: self._node(child) for name, child in members.items()}
                if all(new[name] is members[name] for name in members):
                    return node
                made = Node({name: child.data for name, child in new.items()}, node.span)
                made.children, made.keys, made.file, made.removed = new, node.keys, node.file, node.removed
                return made
            case list() as items:
                entries = [self._node(child) for child in items]
                if all(a is b for a, b in zip(entries, items, strict=True)):
                    return node
                made = Node([child.data for child in entries], node.span)
                made.children, made.file = entries, node.file
                return made
            case None:
                return self._scalar(node) if isinstance(node.data, str) and "${" in node.data else node

    def _scalar(self, node: Node) -> Node:
        text: str = node.data
        whole = _USE.fullmatch(text)
        value: Value = self._values[whole[1]].value if whole and whole[1] is not None else self._text(text)
        made = Node(value, node.span)
        made.file = node.file
        first, start, last, end = node.span
        place = Place(node.file or self._file, first + 1, start + 1, last + 1, end + 1)
        if names := sorted(used(text)):
            self._found.given[place] = tuple(Related(self._values[n].place, f"{n!r} is given here") for n in names)
        return made

    def _text(self, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            if found[1] is None:
                return "${"
            given = _written(self._values[found[1]].value)
            self._room -= len(given)
            return given if self._room >= 0 else ""

        return _USE.sub(value, text)


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
