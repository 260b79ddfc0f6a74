"""What stands at a place of a text: a field or its value, in which document. Also where the text isn't whole yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from syncline.manifests.node import Node, Span, walk
from syncline.manifests.text import Text, checked
from syncline.manifests.yaml import Composed, compose
from syncline.model.diagnostic import Diagnostic
from syncline.model.manifest import Path

#: What stands for the word that is being written, so that the rest can be read.
_HERE: Final = "x0syncline0cursor0x"
_WORD: Final = re.compile(r"[\w./@^~-]*")
_KEY_BEFORE: Final = re.compile(r"(?:\s*(?:-\s+)*|.*[{,]\s*)\Z")
_VALUE_BEFORE: Final = re.compile(r".*(?:[:\[,]\s+|\[|-\s+)\Z")
_DOCUMENT: Final = re.compile(r"(?m)^---(?:\s|$)")
#: What may close the brackets that are open where the text is cut off.
_CLOSING: Final = ("", "}", "]", "}}", "]}", "}]", "}}}", "]}}", "}]}")


class _InDocument(Struct, frozen=True):
    """A place in a document, whose root this is."""

    root: Node

    @property
    def kind(self) -> str:
        """The kind that the document names, or ''."""
        return _text(self.root, ("kind",))

    @property
    def tenant(self) -> str:
        """The tenant that the document names, or ''."""
        return _text(self.root, ("metadata", "tenant"))


class Spot(_InDocument, frozen=True):
    """
    A field (`on_key`) or a value of a document.

    `root` is the document, `path` where it is in it, `span` where it is in the text.
    """

    path: Path
    node: Node
    on_key: bool
    span: Span


class Slot(_InDocument, frozen=True):
    """
    A place where something is to be written: the name of a field (`of_key`) of the mapping at `path`, or the value
    there.

    `begin` and `end` are where the word is in the text that is there already; `colon` says whether the field has one.
    """

    path: Path
    of_key: bool
    begin: int
    end: int
    colon: bool

    @property
    def siblings(self) -> dict[str, object]:
        """The fields that the mapping has already, with their values."""
        node = self.root.at(self.path)
        data = node.data if node is not None and isinstance(node.data, dict) else {}
        return {name: value for name, value in data.items() if name != _HERE}


def spot_at(content: str, line: int, column: int) -> Spot | None:
    """What stands at a line and a column, from 0; None where nothing does, or where the text can't be read."""
    composed = _composed(content)
    for root in composed.documents if composed is not None else ():
        if _within(root.span, line, column):
            return _inner(root, root, (), line, column)
    return None


def _inner(root: Node, node: Node, path: Path, line: int, column: int) -> Spot | None:
    for step, child in _children(node):
        if isinstance(step, str) and _within(node.keys[step], line, column):
            return Spot(root, (*path, step), child, on_key=True, span=node.keys[step])
        if _within(child.span, line, column):
            found = _inner(root, child, (*path, step), line, column)
            if found is not None:
                return found
    return Spot(root, path, node, on_key=False, span=node.span) if node.children is None else None


def _children(node: Node) -> Iterator[tuple[str | int, Node]]:
    match node.children:
        case dict() as members:
            yield from members.items()
        case list() as items:
            yield from enumerate(items)
        case None:
            return


def slots_at(content: str, offset: int) -> Iterator[Slot]:
    """What may be written at a place of the text: a field, a value, or (after `-` and `,`) either."""
    first, last = _document(content, offset)
    before, after = content[first:offset], content[offset:last]
    word, rest = _length(before[::-1]), _length(after)
    begin, end = offset - word, offset + rest
    before, after = content[first:begin], content[end:last]
    line = before.rpartition("\n")[2]
    colon = after.lstrip(" ").startswith(":")
    if _KEY_BEFORE.match(line):
        yield from _found(before, _HERE if colon else f"{_HERE}: ", after, (begin, end), colon=colon)
    if _VALUE_BEFORE.match(line) and not colon:
        yield from _found(before, _HERE, after, (begin, end), colon=False)


def _length(text: str) -> int:
    """How long the word is that a text begins with."""
    found = _WORD.match(text)
    return found.end() if found is not None else 0


def _found(before: str, word: str, after: str, at: tuple[int, int], *, colon: bool) -> Iterator[Slot]:
    """The slot, in the text as it is, else in what comes before it."""
    for rest in (after, *(f"{'' if word.endswith(': ') or not colon else ':'}{closing}\n" for closing in _CLOSING)):
        composed = _composed(before + word + rest)
        if composed is None or composed.diagnostics:
            continue
        for root in composed.documents:
            for path, node in walk(root):
                if _HERE in node.keys:
                    yield Slot(root, path, of_key=True, begin=at[0], end=at[1], colon=colon)
                    return
                if node.data == _HERE:
                    yield Slot(root, path, of_key=False, begin=at[0], end=at[1], colon=colon)
                    return


def _document(content: str, offset: int) -> tuple[int, int]:
    """Where the document around a place begins and ends."""
    marks = [found.start() for found in _DOCUMENT.finditer(content)]
    first = max((mark for mark in marks if mark < offset), default=0)
    return first, min((mark for mark in marks if mark >= offset and mark > first), default=len(content))


def _composed(content: str) -> Composed | None:
    text = checked(Text("", content.removeprefix("\ufeff")))
    return None if isinstance(text, Diagnostic) else compose(text)


def _within(span: Span, line: int, column: int) -> bool:
    return span[:2] <= (line, column) <= span[2:]


def _text(root: Node, path: Path) -> str:
    node = root.at(path)
    return node.data if node is not None and isinstance(node.data, str) and node.data != _HERE else ""
