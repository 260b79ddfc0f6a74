"""A document in XML as one of JSON, by rules that can be told beforehand. Document types are refused, so no entities.

An element with neither attributes nor elements inside is its text. Any other is an object: attributes by `@name`,
elements by their names, several of one name as a list, text beside them as `#text`. Names come without their namespace
prefix, which is the sender's choice. Text stays as it is written, but for text that is blank, which is empty; an
element with `xsi:nil="true"` is null. Whether one element is a list can't be seen: those that `lists` names are.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from xml.parsers import expat

from syncline.model.errors import Again, Invalid, foreign
from syncline.sdk.formats.json_document import Hide, excerpt

#: Deepest nesting: as JSON, where lists come on top, less than half of what JSON documents may have.
MAX_DEPTH = 100
#: Most elements and attributes of a document. Each takes about 200 bytes as an object.
MAX_NODES = 1_000_000

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_NIL = "http://www.w3.org/2001/XMLSchema-instance nil"
Path = tuple[str, ...]


def xml_document(
    body: bytes, content_type: str = "", lists: Collection[Path] = (), hide: Hide = str, *, max_nodes: int = MAX_NODES
) -> dict[str, Any]:
    """
    The document, with its root element as the only name. `lists` are paths of elements, from the root, that are lists
    however often they are there, and empty lists where the element around them is there and they aren't.

    The encoding is the content type's, else what the document says (RFC 7303, section 3). Raises `Again` (SYN411) for
    damage, `Invalid` (SYN493) for document types and documents past the bounds.

    >>> xml_document(b'<a><id x="1">7</id><b/><b>8</b></a>')
    {'a': {'id': {'@x': '1', '#text': '7'}, 'b': ['', '8']}}
    >>> xml_document(b"<a><b>8</b></a>", lists=[("a", "b")])
    {'a': {'b': ['8']}}
    """
    charset = _CHARSET.search(content_type)
    builder = Builder(frozenset(lists), max_nodes)
    try:
        parser = expat.ParserCreate(charset[1] if charset else None, namespace_separator=" ")
        builder.attach(parser)
        parser.Parse(body, True)  # noqa: FBT003 - the C function has no names
    except expat.ExpatError as error:
        raise _damaged(body, error, hide) from error
    except LookupError as error:
        raise Again(
            f"the answer's charset is unknown: {charset[1][:40] if charset else ''!a}", code="SYN411"
        ) from error
    return builder.document


def list_path(expression: str) -> Path | None:
    """The element path of a plain JMESPath expression such as `feed.entry[]`; None for any other.

    >>> list_path("feed.entry[]"), list_path("feed.entry[?a]")
    (('feed', 'entry'), None)
    """
    match = re.fullmatch(r"(?:@\.)?((?:[\w-]+|\"[^\"\\]+\")(?:\.(?:[\w-]+|\"[^\"\\]+\"))*)(?:\[\*?\])?", expression)
    return tuple(name.strip('"') for name in re.findall(r'"[^"]+"|[\w-]+', match[1])) if match else None


class Builder:
    """Builds objects while expat reads.

    >>> builder = Builder(frozenset(), MAX_NODES)
    >>> builder.start("a", {}), builder.text("8"), builder.end("a"), builder.done, builder.document
    (None, None, None, True, {'a': '8'})
    """

    def __init__(self, lists: frozenset[Path], max_nodes: int) -> None:
        self.document: dict[str, Any] = {}
        self._lists = lists
        self._left = max_nodes
        self._path: list[str] = []
        self._open: list[tuple[dict[str, Any], list[str], bool]] = []

    @property
    def done(self) -> bool:
        """Whether every element that began has ended."""
        return not self._open

    def attach(self, parser: expat.XMLParserType) -> None:
        """Has a parser tell it what it reads."""
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text

    def _doctype(self, *_: object) -> None:
        raise Invalid(
            "the answer has a document type (DOCTYPE)",
            code="SYN493",
            help="Entities that it may define can read files or exhaust memory, so none of the answer was used.",
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins. Raises `Invalid` (SYN493, SYN412) for what is past the bounds or ambiguous."""
        self._left -= 1 + len(attributes)
        if self._left < 0:
            raise Invalid("the answer has too many elements", code="SYN493", help="Ask for smaller pages.")
        if len(self._open) >= MAX_DEPTH:
            raise Invalid(f"the answer is nested deeper than {MAX_DEPTH} levels", code="SYN493")
        nil = attributes.pop(_NIL, "") in {"true", "1"}
        found: dict[str, Any] = {}
        for key, value in attributes.items():
            local = "@" + key.rpartition(" ")[2]
            if local in found:
                raise Invalid(f"an element has the attribute {local[1:80]!a} in two namespaces", code="SYN412")
            found[local] = value
        self._path.append(name.rpartition(" ")[2])
        self._open.append((found, [], nil))

    def text(self, text: str) -> None:
        """Text of the element that is open."""
        self._open[-1][1].append(text)

    def end(self, _: str) -> None:
        """The element that is open ends."""
        found, texts, nil = self._open.pop()
        path = tuple(self._path)
        name = self._path.pop()
        for listed in self._lists:
            if listed[:-1] == path:
                found.setdefault(listed[-1], [])
        text = "".join(texts)
        text = "" if text.isspace() else text
        value: Any = None if nil else text
        if found and not nil:
            if text:
                found["#text"] = text
            value = found
        around = self._open[-1][0] if self._open else self.document
        if path in self._lists:
            around.setdefault(name, []).append(value)
        elif name not in around:
            around[name] = value
        elif isinstance(around[name], list):
            around[name].append(value)
        else:
            around[name] = [around[name], value]


def _damaged(body: bytes, error: expat.ExpatError, hide: Hide) -> Again:
    where = f"line {error.lineno}, column {error.offset + 1} of {len(body)} bytes"
    return Again(
        f"the answer is damaged XML: {expat.ErrorString(error.code)} at {where}: {foreign(excerpt(body, hide))}",
        code="SYN411",
        help="Nothing of the page was used; the next run asks for it again.",
    )
