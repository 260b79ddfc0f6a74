"""YAML in: a closed loader over libyaml's events, with the position of every key and value.

What it reads is JSON's data model in YAML's notation: mappings with text keys, lists, text, 64-bit integers, finite
floats, booleans, null. Unquoted scalars follow the core schema of YAML 1.2 (section 10.3.2), less what changes digits:
a number with a leading zero or a plus sign stays text, as do dates, times, `yes` and `no`. Tags, merge keys,
duplicate keys and directives that change meaning are refused; aliases are followed within a budget, and depth, values
and documents are bounded, so that a file of at most 1 MiB costs at most so much memory and time.

What it isn't: a validator. It knows nothing of kinds (see `load.py`).
"""

from __future__ import annotations

import math
import re
from typing import Any, Final, NoReturn

from msgspec import Struct
from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from syncline.manifests.node import Node, Span
from syncline.manifests.text import Text
from syncline.model.diagnostic import Diagnostic, Related

MAX_DEPTH: Final = 64
MAX_DOCUMENTS: Final = 1_000
MAX_VALUES: Final = 100_000
#: Values that aliases may stand for, in a file: ten thousand copies of one value, or a few of a long list.
MAX_ALIASED: Final = 10_000

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"-?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONSTANTS: Final = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
# What a number can begin with; everything else is text without a look at the expressions.
_NUMERIC: Final = frozenset("-+.0123456789")


class Composed(Struct):
    """The documents of a file that could be read, and what is wrong with the rest."""

    documents: list[Node] = []
    diagnostics: list[Diagnostic] = []


class _StopError(Exception):
    """Reading on would cost too much or make no sense; the finding is already recorded."""


def compose(text: Text) -> Composed:
    """Reads every document of a file. All findings that don't stop the parser are returned together."""
    composer = _Composer(text)
    try:
        composer.stream()
    except _StopError:
        pass
    except YAMLError as error:
        composer.result.diagnostics.append(_syntax(text, error))
    return composer.result


class _Composer:
    """Builds nodes from events. One use, one file."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.result = Composed()
        self.anchors: dict[str, Node] = {}
        self.values = 0
        self.aliased = 0
        parser = CParser(text.content)
        self.next: Any = parser.get_event

    def stream(self) -> None:
        self.next()  # the stream's start
        while not isinstance(event := self.next(), StreamEndEvent):
            self._document(event)

    def _document(self, start: DocumentStartEvent) -> None:
        if len(self.result.documents) == MAX_DOCUMENTS:
            self._stop("SYN106", f"the file has more than {MAX_DOCUMENTS:,} documents", _span(start))
        if start.version == (1, 1):
            self._add("SYN104", "the directive %YAML 1.1 asks for another reading of this file", _span(start))
        self.anchors = {}
        root = self._node(self.next(), 0)
        self.next()  # the document's end
        if root.text != "":  # nothing but comments between two markers
            self.result.documents.append(root)

    def _node(self, event: Event, depth: int) -> Node:
        self.values += 1
        if self.values > MAX_VALUES:
            self._stop("SYN106", f"the file has more than {MAX_VALUES:,} values", _span(event))
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        if event.tag is not None:
            self._tag(event.tag, event)
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
        else:
            if depth == MAX_DEPTH:
                self._stop("SYN105", f"values are nested more than {MAX_DEPTH} levels deep", _span(event))
            mapping = isinstance(event, MappingStartEvent)
            node = self._mapping(event, depth) if mapping else self._sequence(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _scalar(self, event: ScalarEvent) -> Node:
        span = _span(event)
        value: str = event.value
        if not event.implicit[0]:
            return Node(value, span)
        if value in _CONSTANTS:
            return Node(_CONSTANTS[value], span, value)
        data = self._number(value, span) if value[0] in _NUMERIC else value
        return Node(data, span, value)

    def _number(self, value: str, span: Span) -> str | int | float:
        if _INTEGER.fullmatch(value) or _RADIX.fullmatch(value):
            # 4,300 digits are what int() reads before it refuses; a 64-bit integer has 20.
            number = int(value, 0) if len(value) <= 40 else 2**64
            if not -(2**63) <= number < 2**63:
                self._add("SYN112", f"{_short(value)} doesn't fit in 64 bits", span, help_="Quote it to make it text.")
            return number
        if _FLOAT.fullmatch(value):
            found = float(value)
            if math.isinf(found):
                self._add("SYN112", f"{_short(value)} is too large", span, help_="Quote it to make it text.")
                return value
            return found
        if _SPECIAL.fullmatch(value):
            self._add("SYN112", f"{value} is not a number that can be used", span, help_="Quote it to make it text.")
        return value

    def _sequence(self, start: CollectionStartEvent, depth: int) -> Node:
        node = Node([], _span(start))
        items: list[Node] = []
        while not isinstance(event := self.next(), SequenceEndEvent):
            child = self._node(event, depth + 1)
            items.append(child)
            node.data.append(child.data)
            _grow(node, child)
        node.children = items
        _close(node, start, event, items[-1] if items else None)
        return node

    def _mapping(self, start: CollectionStartEvent, depth: int) -> Node:
        node = Node({}, _span(start))
        members: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        child: Node | None = None
        while not isinstance(event := self.next(), MappingEndEvent):
            key = self._key(event)
            child = self._node(self.next(), depth + 1)
            if key is None:
                continue
            span = _span(event)
            if key in keys:
                self._duplicate(key, span, keys[key])
                continue
            keys[key] = span
            members[key] = child
            node.data[key] = child.data
            _grow(node, child)
        node.children, node.keys = members, keys
        _close(node, start, event, child)
        return node

    def _key(self, event: Event) -> str | None:
        if not isinstance(event, ScalarEvent):
            # What it is the key of can't be told apart from what is in the key: nothing after it would be read right.
            self._stop("SYN111", "a key is not text", _span(event), help_="Quote it, if it is a name.")
        if event.tag is not None:
            self._tag(event.tag, event)
        if event.value == "<<" and event.implicit[0]:
            self._add("SYN110", "merge keys (<<) are not part of this language", _span(event))
            return None
        if event.anchor:
            self.anchors[event.anchor] = self._scalar(event)
        return str(event.value)

    def _alias(self, event: AliasEvent, depth: int) -> Node:
        target = self.anchors.get(event.anchor or "")
        if target is None:
            message = f"the alias *{event.anchor} refers to no value before it, or to one that it is part of"
            self._stop("SYN109", message, _span(event))
        self.aliased += target.size
        if self.aliased > MAX_ALIASED:
            message = f"aliases stand for more than {MAX_ALIASED:,} values in this file"
            self._stop("SYN109", message, _span(event))
        if depth + target.height > MAX_DEPTH:
            self._stop("SYN105", f"values are nested more than {MAX_DEPTH} levels deep", _span(event))
        return target

    def _tag(self, tag: str, event: Event) -> None:
        written = tag.replace("tag:yaml.org,2002:", "!!", 1)
        message = f"the tag {written!r} is not allowed"
        self._add("SYN108", message, _span(event), help_="Remove it. Quotes make a value text.")

    def _duplicate(self, key: str, span: Span, first: Span) -> None:
        related = Related(self.text.place(first), "first given here")
        message = f"the key {key!r} is given twice"
        self.result.diagnostics.append(
            self.text.finding("SYN107", message, self.text.place(span), help="Keep one of the two.", related=(related,))
        )

    def _add(self, code: str, message: str, span: Span, help_: str = "") -> None:
        self.result.diagnostics.append(self.text.finding(code, message, self.text.place(span), help=help_))

    def _stop(self, code: str, message: str, span: Span, help_: str = "") -> NoReturn:
        self._add(code, message, span, help_)
        raise _StopError


def _span(event: Event) -> Span:
    start: Any = event.start_mark
    end: Any = event.end_mark
    return (start.line, start.column, end.line, end.column)


def _grow(node: Node, child: Node) -> None:
    node.size += child.size
    if child.height >= node.height:
        node.height = child.height + 1


def _close(node: Node, start: CollectionStartEvent, end: Event, last: Node | None) -> None:
    # The end of a block collection is where the next token starts, lines later; where its last value ends is more use.
    first = node.span
    if start.flow_style or (last is not None and last.span < first):  # the latter: the last value is an alias
        node.span = (*first[:2], *_span(end)[2:])
    elif last is not None:
        node.span = (*first[:2], *last.span[2:])


def _short(value: str) -> str:
    return value if len(value) <= 40 else value[:39] + "…"


_PLAIN_WORDS: Final = {
    "mapping values are not allowed in this context": (
        "a ':' where no key can be",
        "Quote the value if it contains ': ', or fix the indentation.",
    ),
    "found unexpected end of stream": ("the file ends inside a quoted text", "Close the quotes."),
    "did not find expected node content": ("a value is missing", "Close the brackets, or remove the extra comma."),
    "did not find expected '-' indicator": ("a list goes on with something else", "Fix the indentation."),
    "did not find expected key": ("a key is missing", "Fix the indentation, or close the quotes or brackets before."),
    "did not find expected ',' or ']'": ("a list in brackets is not closed", "Add the missing ',' or ']'."),
    "did not find expected ',' or '}'": ("a mapping in braces is not closed", "Add the missing ',' or '}'."),
    "did not find expected alphabetic or numeric character": (
        "'*' and '&' begin the name of an alias or an anchor",
        "Quote the value.",
    ),
    "did not find expected comment or line break": (
        "a block of text begins on the next line",
        "Quote the value, if it isn't a block.",
    ),
    "found unknown escape character": (
        "double quotes have no such escape after '\\'",
        "Use single quotes, or write \\\\.",
    ),
    "could not find expected ':'": ("a key has no ':'", "Add ':' after the key, or quote the text."),
}

#: What the parser was reading, by what it says of that.
_PLAIN_BEGINNINGS: Final = {
    "while parsing a block collection": "the list",
    "while parsing a block mapping": "the mapping",
    "while parsing a flow mapping": "the mapping in braces",
    "while parsing a flow sequence": "the list in brackets",
    "while parsing a node": "the value",
    "while scanning a block scalar": "the text",
    "while scanning a plain scalar": "the text",
    "while scanning a quoted scalar": "the quoted text",
    "while scanning a simple key": "the key",
    "while scanning an alias": "the alias",
    "while scanning an anchor": "the anchor",
}


def _syntax(text: Text, error: YAMLError) -> Diagnostic:
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or error).strip()
    at = mark or context
    span = (at.line, at.column, at.line, at.column + 1) if at else (0, 0, 0, 1)
    place = text.place(span)
    excerpt = text.excerpt(place.line)
    rest = excerpt[place.column - 1 :]
    if "nesting" in problem:
        return text.finding("SYN105", f"values are nested more than {MAX_DEPTH} levels deep", place)
    if "\t" in excerpt and (rest.startswith("\t") or "\t" in excerpt[: len(excerpt) - len(excerpt.lstrip())]):
        return text.finding(
            "SYN113", "a tab is used for indentation", place, expected="spaces", help="Indent with spaces only."
        )
    if problem == "found character that cannot start any token" and rest:
        words = (f"a value can't start with {rest[0]!r}", "Quote the value.")
    else:
        words = _PLAIN_WORDS.get(problem, (problem, ""))
    related: tuple[Related, ...] = ()
    if mark and context and context.line != mark.line:
        where = text.place((context.line, context.column, context.line, context.column + 1))
        began = _PLAIN_BEGINNINGS.get(str(getattr(error, "context", "")), "it")
        related = (Related(where, f"{began} began here"),)
    return text.finding("SYN104", f"not YAML: {words[0]}", place, help=words[1], related=related)
