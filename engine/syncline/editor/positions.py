"""Places of findings and positions of the Language Server Protocol, each in the other's terms.

Findings count lines and characters from 1, and lines as YAML does, which breaks at U+0085, U+2028 and U+2029 as well.
The protocol counts from 0, breaks lines at CR and LF only, and counts in units of the encoding that was agreed on:
of UTF-16, where nothing was, in which a character beyond U+FFFF is two.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from lsprotocol.types import Position, PositionEncodingKind, Range

from syncline.manifests.text import BREAK, MAX_BYTES
from syncline.model.diagnostic import Place

_LINE_END: Final = re.compile("\r\n|[\n\r]")
_CODECS: Final = {
    PositionEncodingKind.Utf8: ("utf-8", 1),
    PositionEncodingKind.Utf16: ("utf-16-le", 2),
    PositionEncodingKind.Utf32: ("utf-32-le", 4),
}


class Positions:
    """
    The positions in one text, as a client has it: with its byte order mark, if it has one, which findings skip.

    Of one that is too large to be loaded there is as much as shows that it is.
    """

    def __init__(self, content: str, encoding: PositionEncodingKind | str = PositionEncodingKind.Utf16) -> None:
        self.content = content = content[: MAX_BYTES + 1]
        self.encoding = encoding
        self._codec, self._unit = _CODECS[PositionEncodingKind(encoding)]
        self._skipped = int(content.startswith("\ufeff"))
        breaks = list(BREAK.finditer(content))
        self._begins = [self._skipped, *(found.end() for found in breaks)]
        self._ends = [*(found.start() for found in breaks), len(content)]
        self._starts = [0, *(found.end() for found in _LINE_END.finditer(content))]

    def offset_of(self, line: int, column: int) -> int:
        """Where a line and a column of a finding are in the text, at most at the end of that line."""
        if line > len(self._begins):
            return len(self.content)
        begin, end = self._begins[line - 1], self._ends[line - 1]
        return min(begin + column - 1, max(begin, end))

    def place_at(self, offset: int) -> tuple[int, int]:
        """The line and the column, from 0, by which nodes count, of a place in the text."""
        line = max(0, bisect_right(self._begins, offset) - 1)
        return line, max(0, offset - self._begins[line])

    def line(self, number: int) -> str:
        """A line, from 0, as findings count them."""
        return self.content[self._begins[number] : self._ends[number]] if number < len(self._begins) else ""

    def position(self, offset: int) -> Position:
        """A place in the text as the protocol has it."""
        line = bisect_right(self._starts, offset) - 1
        return Position(line, self._units(self.content[self._starts[line] : offset]))

    def offset(self, position: Position) -> int:
        """A position of the protocol as a place in the text; one beyond a line or the text is its end."""
        if position.line >= len(self._starts):
            return len(self.content)
        begin = self._starts[position.line]
        found = _LINE_END.search(self.content, begin)
        line = self.content[begin : found.start() if found else len(self.content)]
        units = 0
        for index, character in enumerate(line):
            if units >= position.character:
                return begin + index
            units += self._units(character)
        return begin + len(line)

    def range(self, place: Place) -> Range:
        """The range of a finding's place; one without an end goes to the end of its line."""
        begin = self.offset_of(place.line, place.column)
        end = self.offset_of(place.end_line, place.end_column) if place.end_line else self.offset_of(place.line, 2**31)
        return self.between(begin, max(begin, end))

    def between(self, begin: int, end: int) -> Range:
        """The range between two places in the text."""
        return Range(self.position(begin), self.position(end))

    def _units(self, text: str) -> int:
        return len(text.encode(self._codec, "surrogatepass")) // self._unit
