r"""Text as a terminal may safely show it: control characters made visible, widths in cells, numbers for people.

What is shown comes from files, records and other people's servers. A terminal obeys escape sequences and reorders text
by bidirectional controls, so both are shown as escapes (`\x1b`, `\u202e`) wherever they come from.
"""

from __future__ import annotations

import re
import unicodedata

#: C0, DEL, C1; marks, embeddings, overrides and isolates of bidi text; zero-width and separators; surrogates; tags.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    point = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def visible(text: str) -> str:
    r"""
    The text on one line, with everything that a terminal would obey instead of show as an escape.

    >>> visible("a\x1b[31mb\u202ec")
    'a\\x1b[31mb\\u202ec'
    """
    return UNSAFE.sub(_escape, text)


def visible_lines(text: str) -> list[str]:
    """The lines of a text that may have several, each made visible."""
    return [visible(line) for line in text.split("\n")]


def width(text: str) -> int:
    r"""
    How many cells a terminal takes for a visible text.

    >>> width("abc"), width("日本"), width("e\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1 for c in text
    )


def pad(text: str, cells: int) -> str:
    """The text filled up with spaces to a width in cells."""
    return text + " " * max(cells - width(text), 0)


def cut(text: str, cells: int) -> str:
    """
    The text, or as much of it as fits, ending in an ellipsis.

    >>> cut("abcdef", 4)
    'abc…'
    """
    if width(text) <= cells:
        return text
    kept = ""
    room = cells - 1
    for char in text:
        room -= width(char)
        if room < 0:
            break
        kept += char
    return kept + "…"


def number(value: float) -> str:
    """A count or a rate for people: 1,234,567."""
    return f"{value:,.0f}"


def plural(count: int, one: str, many: str = "") -> str:
    """
    A count with its noun.

    >>> plural(1, "error"), plural(1200, "entry", "entries")
    ('1 error', '1,200 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(count: int) -> str:
    """
    Bytes for people, in the largest unit of which there is one.

    >>> size(7), size(8_200), size(86_400_000), size(2_000_000_000_000)
    ('7 bytes', '8 kB', '86 MB', '2,000 GB')
    """
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= bytes_:
            return f"{count / bytes_:,.0f} {unit}"
    return plural(count, "byte")


def duration(seconds: float) -> str:
    """
    A duration for people, in its two largest units; from two days on in days.

    >>> duration(0.0123), duration(4.26), duration(75), duration(7262), duration(28_650_600)
    ('12 ms', '4.3 s', '1 min 15 s', '2 h 1 min', '331 d 14 h')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    if seconds < 2 * 86_400:
        return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"
    return f"{int(seconds) // 86_400} d {int(seconds) % 86_400 // 3600} h"


def short(seconds: float) -> str:
    """
    A duration of which tenths of milliseconds tell something.

    >>> short(0.0057), short(0.043)
    ('5.7 ms', '43 ms')
    """
    return duration(seconds) if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
