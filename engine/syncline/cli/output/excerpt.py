"""A source line with carets under a range, in cells: tabs, wide characters and escaped ones keep their place."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from syncline.cli.output.paint import Paint
from syncline.cli.output.text import visible, width
from syncline.model.diagnostic import Place

_TAB = "    "


class Sources(Struct):
    """
    Reads lines of files under a root, for excerpts of places that come without one. Each file is read once.

    `base` is the folder that places name files from, when it isn't the root.
    """

    root: Path
    base: Path | None = None
    _lines: dict[str, list[str]] = {}

    def line(self, place: Place) -> str:
        """The line that a place begins in; empty when it can't be had, or the place is the file as a whole."""
        if (place.line, place.column, place.end_column) == (1, 1, 0):
            return ""
        if place.file not in self._lines:
            self._lines[place.file] = self._read(place.file)
        lines = self._lines[place.file]
        return lines[place.line - 1] if 0 < place.line <= len(lines) else ""

    def _read(self, file: str) -> list[str]:
        from syncline.manifests.text import MAX_BYTES, Text, decode

        path = ((self.base or self.root) / file).resolve()
        if not path.is_relative_to(self.root.resolve()):
            return []
        try:
            with path.open("rb") as opened:
                text = decode(opened.read(MAX_BYTES), file)
        except OSError:
            return []
        return text.lines if isinstance(text, Text) else []


def _cells(line: str) -> list[str]:
    return [_TAB if char == "\t" else visible(char) for char in line]


def _range(place: Place, cells: int) -> tuple[int, int]:
    """The part of a line to mark, as `[start, end)` from 0; at least one cell, which may be just past the end."""
    start = min(max(place.column - 1, 0), cells)
    if place.end_line > place.line:
        return start, max(cells, start + 1)
    return start, max(min(place.end_column - 1, cells), start + 1)


def _window(cells: list[str], start: int, limit: int) -> tuple[int, int]:
    """Which cells to show of a line that is too long: around `start`, with what is before it if it fits."""
    if sum(map(width, cells)) <= limit:
        return 0, len(cells)
    first = max(0, start - limit // 3)
    last, room = first, limit - 2
    while last < len(cells) and (room := room - width(cells[last])) >= 0:
        last += 1
    return first, last


def excerpt(
    place: Place, line: str, paint: Paint, *, gutter: int, label: str = "", limit: int = 120, primary: bool = True
) -> list[str]:
    """The lines of an excerpt: a bar, the source with its number, and carets with a label after them.

    `gutter` is the width of the line numbers; `limit` the width of the source in cells. Places that only explain (not
    `primary`) are marked with dashes.
    """
    cells = _cells(line.rstrip())
    start, end = _range(place, len(cells))
    first, last = _window(cells, start, limit)
    end = min(end, max(last, start + 1))
    before, after = "…" if first else "", "…" if last < len(cells) else ""
    source = before + "".join(cells[first:last]) + after
    indent = width(before) + sum(map(width, cells[first:start]))
    marked = sum(map(width, cells[start:end])) or 1
    bar = paint.blue("|")
    space = " " * gutter
    marks = paint.red("^" * marked) if primary else paint.blue("-" * marked)
    marks += f" {paint.cyan(label)}" if label else ""
    return [
        f"{space} {bar}",
        f"{paint.blue(str(place.line).rjust(gutter))} {bar} {source}".rstrip(),
        f"{space} {bar} {' ' * indent}{marks}",
    ]
