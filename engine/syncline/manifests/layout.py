"""The layout of a YAML text. Only white space changes and whole lines move: no comment and no quote can be lost.

Blocks are indented by two, lists stand at their key's indent, and between tokens of a line there is one space or none.
Where a value goes on over several lines (in brackets, in quotes, as a block of text), they move as far as it does.

A comment on a line of its own stands where what follows it does, unless it was further in: then it belongs to the end
of the block before it. A comment that was in line with the one above stays in line with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from yaml import tokens as t
from yaml._yaml import CParser

from syncline.manifests.text import BREAK

INDENT: Final = 2

_OPENING: Final = (t.FlowSequenceStartToken, t.FlowMappingStartToken)
_CLOSING: Final = (t.FlowSequenceEndToken, t.FlowMappingEndToken)
_BLOCKS: Final = ("|", ">")
_MARKERS: Final = (t.DocumentStartToken, t.DocumentEndToken, t.DirectiveToken)


def laid_out(content: str, order: Sequence[str]) -> str:
    """The text in the layout, with the keys of each document in `order`, others after them. It must be valid YAML."""
    layout = _Layout(BREAK.split(content))
    parser: Any = CParser(content)
    while not isinstance(token := parser.get_token(), t.StreamEndToken):
        layout.take(token)
    lines = list(layout.written())
    for document in layout.documents:
        lines[document.first : document.last] = _ordered(lines, document, order)
    before = len(lines)
    while lines and not lines[-1] and len(lines) - 1 not in layout.inner:
        lines.pop()
    # The last line break may be part of a block of text, and so may its absence.
    ended = len(lines) < before or len(lines) - 1 not in layout.inner
    return "\n".join(lines) + ("\n" if ended else "")


@dataclass(slots=True)
class _Block:
    """A block collection: its column before and now; `entry`: the column of a `-`, `?` or `:` that is gone on with."""

    old: int
    new: int
    entry: int | None = None

    @property
    def inside(self) -> int:
        """The column of what it has inside."""
        return (self.new if self.entry is None else self.entry) + INDENT


@dataclass(slots=True)
class _Line:
    """A line with a token: its column before and now, and for each space between tokens its start, end and text."""

    old: int
    new: int
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    #: The column behind its last token, as it was.
    end: int = 0
    #: Whether its last value goes on in the next line, so that spaces at its end may be part of it.
    open: bool = False
    #: Whether its last value is a block of text, which a comment below must not become a part of.
    text: bool = False
    #: The levels that a comment below may belong to (columns before and now), outermost first; empty in brackets.
    levels: tuple[tuple[int, int], ...] = ()
    #: How far such a comment moves in brackets, and the least column that it has then.
    shift: tuple[int, int] = (0, 0)

    def now(self, column: int) -> int:
        """Where a column behind all tokens so far is now."""
        return self.new + column - self.old + sum(len(gap) - (end - start) for start, end, gap in self.gaps)

    def written(self, text: str) -> str:
        parts, at = [" " * self.new], self.old
        for start, end, gap in self.gaps:
            parts += text[at:start], gap
            at = end
        parts.append(text[at:])
        return "".join(parts) if self.open else "".join(parts).rstrip()


@dataclass(slots=True)
class _Document:
    """Where the keys of a document's outermost mapping are; its lines from `first` to before `last`."""

    first: int
    last: int
    keys: list[tuple[str, int]] = field(default_factory=list)


class _Layout:
    """What becomes of each line, token by token. One use, one text."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.tokens: dict[int, _Line] = {}
        #: The columns of lines that are inside a value, whatever they look like.
        self.inner: dict[int, int] = {}
        self.documents = [_Document(0, len(lines))]
        self._blocks: list[_Block] = []
        self._brackets = 0
        self._shift = (0, 0)
        self._before: Any = None
        self._key = False

    def take(self, token: Any) -> None:
        match token:
            case t.StreamStartToken():
                pass
            case t.BlockMappingStartToken() | t.BlockSequenceStartToken():
                self._begin(token)
            case t.BlockEndToken():
                self._blocks.pop()
            case t.KeyToken() if token.start_mark.column == token.end_mark.column:  # of what comes next; it has no `?`
                self._key = True
                if not self._brackets:
                    self._blocks[-1].entry = None
            case _:
                self._place(token)
                self._key = False
                self._before = token

    def _begin(self, token: Any) -> None:
        new = 0
        if self._blocks:
            outer = self._blocks[-1]
            at_key = isinstance(token, t.BlockSequenceStartToken) and outer.entry is None
            new = outer.new if at_key else outer.inside
        self._blocks.append(_Block(token.start_mark.column, new))

    def _place(self, token: Any) -> None:
        at, column = token.start_mark.line, token.start_mark.column
        line, first = self.tokens.get(at), at not in self.tokens
        if line is None:
            line = self.tokens[at] = _Line(column, self._column(token))
        else:
            start = self._before.end_mark.column
            line.gaps.append((start, column, _gap(self._before, token, self.lines[at][start:column])))
        now = line.now(column)
        match token:
            case t.DocumentStartToken() | t.DocumentEndToken():
                self.documents[-1].last = at
                self.documents.append(_Document(at + 1, len(self.lines)))
            case t.BlockEntryToken() | t.KeyToken() | t.ValueToken() if not self._brackets:
                if first or not isinstance(token, t.ValueToken):
                    self._blocks[-1].entry = self._blocks[-1].new
            case t.FlowSequenceStartToken() | t.FlowMappingStartToken():
                if not self._brackets:
                    self._shift = (now - column, self._blocks[-1].new if self._blocks else 0)
                self._brackets += 1
            case t.FlowSequenceEndToken() | t.FlowMappingEndToken():
                self._brackets -= 1
            case t.ScalarToken() if token.style in _BLOCKS:
                self._block_of_text(token)
            case t.ScalarToken():
                if self._key and len(self._blocks) == 1 and not self._brackets and first:
                    self.documents[-1].keys.append((token.value, at))
                line = self._go_on(token, line, now - column)
            case _:
                pass
        if not isinstance(token, t.ScalarToken) or token.style not in _BLOCKS:
            line.end = token.end_mark.column
        line.levels = () if self._brackets else tuple((block.old, block.new) for block in self._blocks)
        line.shift = self._shift

    def _column(self, token: Any) -> int:
        """The column of a line's first token."""
        if isinstance(token, _MARKERS):
            return 0
        if self._brackets:
            return _moved(token.start_mark.column, self._shift)
        if not self._blocks:
            return 0
        if self._key or isinstance(token, t.BlockEntryToken | t.KeyToken | t.ValueToken):
            return self._blocks[-1].new
        return self._blocks[-1].inside

    def _go_on(self, token: Any, line: _Line, by: int) -> _Line:
        """Moves the further lines of a plain or quoted value; returns the one that it ends in."""
        start, end = token.start_mark.line, token.end_mark.line
        move = (by, self._blocks[-1].new + 1 if self._blocks else 0)
        for number in range(start + 1, end + 1):
            line.open = True
            old = _indent(self.lines[number])
            self.tokens[number] = line = _Line(old, _moved(old, move) if self.lines[number].strip() else 0)
        return line

    def _block_of_text(self, token: Any) -> None:
        """Moves the lines of a block scalar: two in from what has it, or as its header says (YAML 1.2, 8.1.1.1)."""
        start = token.start_mark
        header = self.lines[start.line][start.column :].split("#")[0]
        self.tokens[start.line].end = start.column + len(header)
        self.tokens[start.line].text = True
        outer, new = (self._blocks[-1].old, self._blocks[-1].new) if self._blocks else (-1, 0)
        rest = range(start.line + 1, len(self.lines))
        said = [int(character) for character in header if character.isdigit()]
        first = next((_indent(self.lines[number]) for number in rest if self.lines[number].strip(" ")), 0)
        indent = max(outer, 0) + said[0] if said else first
        if indent <= outer:
            return  # there is nothing in it
        by = new - max(outer, 0) if said else new + (INDENT if self._blocks else indent) - indent
        blank: dict[int, int] = {}
        for number in rest:
            text = self.lines[number]
            there = text.strip(" ")
            if there and (_indent(text) < indent or text.startswith(("---", "..."))):
                break
            blank[number] = _indent(text) + by if len(text) > indent else 0
            # The blank lines at its end count if they are to be kept, or have spaces of their own.
            if there or "+" in header or len(text) > indent:
                self.inner |= blank
                blank = {}

    def written(self) -> Iterator[str]:
        """The lines as they are now."""
        above: tuple[int, int] | None = None  # the columns of the comment of the line before
        line = _Line(0, 0)
        for number, text in enumerate(self.lines):
            if number in self.inner:
                yield " " * self.inner[number] + text.lstrip(" ")
                above = None
            elif number in self.tokens:
                line = self.tokens[number]
                yield line.written(text)
                above = _behind(line, text)
            elif (comment := text.strip()).startswith("#"):
                old = len(text) - len(text.lstrip())
                new = self._of_comment(number, old, line, above)
                above = (old, new)
                yield " " * new + comment
            else:
                yield ""
                above = None

    def _of_comment(self, number: int, old: int, before: _Line, above: tuple[int, int] | None) -> int:
        following = (self.tokens[after] for after in range(number + 1, len(self.lines)) if after in self.tokens)
        below = next(following, _Line(0, 0))
        if old == below.old:
            return below.new
        if above and above[0] == old:
            return above[1]
        if old < below.old:
            return below.new
        if not before.levels:
            return _moved(old, before.shift)
        outer, new = next((level for level in reversed(before.levels) if level[0] <= old), before.levels[0])
        return new + min(max(old - outer, 0), 0 if before.text else INDENT)


def _gap(before: Any, token: Any, written: str) -> str:
    """What stands between two tokens of a line."""
    if isinstance(before, t.KeyToken | t.ValueToken) and isinstance(token, (t.FlowEntryToken, *_CLOSING)):
        return written  # nothing was given
    match token:
        case t.ValueToken() if isinstance(before, (t.ScalarToken, *_CLOSING)):
            return ""
        case t.FlowEntryToken() | t.FlowSequenceEndToken() | t.FlowMappingEndToken():
            return "" if not isinstance(before, t.AliasToken | t.AnchorToken | t.TagToken) else written
        case _:
            pass
    if isinstance(before, _OPENING):
        return ""
    return " " if written or isinstance(before, t.FlowEntryToken | t.ValueToken) else written


def _behind(line: _Line, text: str) -> tuple[int, int] | None:
    """The columns of the comment behind the tokens of a line."""
    at = -1 if line.open else text.find("#", line.end)
    return (at, line.now(at)) if at >= 0 else None


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _moved(column: int, move: tuple[int, int]) -> int:
    by, least = move
    return max(column + by, least)


def _ordered(lines: list[str], document: _Document, order: Sequence[str]) -> list[str]:
    """The lines of a document with its keys in order. Comments right above a key go with it; the head stays."""
    found = [name for name, _ in document.keys if name in order]
    if found == [name for name in order if name in found] or not {"apiVersion", "kind"} <= set(found):
        return lines[document.first : document.last]
    starts = []
    for _, line in document.keys:
        start = line
        while start > document.first and lines[start - 1].startswith("#"):
            start -= 1
        starts.append(start)
    if not any(lines[document.first : starts[0]]):
        starts[0] = document.keys[0][1]
    end = document.last
    while end > starts[-1] and (not lines[end - 1] or lines[end - 1].startswith("#")):
        end -= 1
    parts = [
        (order.index(name) if name in order else len(order), lines[start:until])
        for (name, _), start, until in zip(document.keys, starts, [*starts[1:], end], strict=True)
    ]
    parts.sort(key=lambda part: part[0])
    return [*lines[document.first : starts[0]], *(x for _, part in parts for x in part), *lines[end : document.last]]
