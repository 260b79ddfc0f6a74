"""JSON Lines: which lines are records, each a document by itself. What isn't is set aside, with the reason.

A record is one JSON object with one meaning (see `json_document.py`). Lines that are empty are no records.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from msgspec import Struct

from syncline.model.errors import SynclineError
from syncline.sdk.formats.json_document import check_document

#: Lines checked together: their parsed form is in memory while they are.
_TOGETHER = 1000
#: A line of a text: its number from 1, and its bytes.
Line = tuple[int, bytes]


class SoundLines(Struct, frozen=True):
    r"""Lines that are records, and those that are none with why.

    >>> sound_lines(numbered_lines(b'{"id": 1}\n[2]\n'))
    SoundLines(sound=[(1, b'{"id": 1}')], faults=[(2, b'[2]', 'it is no JSON object')])
    """

    sound: list[Line]
    faults: list[tuple[int, bytes, str]]


def numbered_lines(data: bytes, before: int = 0) -> list[Line]:
    r"""Lines that aren't empty, with their numbers; `before` lines come before the text.

    >>> numbered_lines(b'{"id": 1}\n\n{"id": 2}')
    [(1, b'{"id": 1}'), (3, b'{"id": 2}')]
    """
    return [(before + n, line) for n, text in enumerate(data.split(b"\n"), 1) if (line := text.strip(b" \t\r"))]


def sound_lines(lines: Sequence[Line], *, alone: bool = False) -> SoundLines:
    """
    The lines that are records. `alone` looks at each line by itself; else only at those that don't pass together.

    Lines may pass together of which none is a document by itself: who decodes them finds out, and asks again `alone`.

    >>> sound_lines([(1, b'{"id": NaN}')]).faults[0][2]
    'it is no JSON: unexpected character, expected a JSON value at column 8'
    """
    sound: list[Line] = []
    faults: list[tuple[int, bytes, str]] = []
    for start in range(0, len(lines), _TOGETHER):
        some = list(lines[start : start + _TOGETHER])
        if alone or not _all_sound([line for _, line in some]):
            wrong = [(number, line, why) for number, line in some if (why := _fault(line))]
            faults += wrong
            bad = {number for number, _, _ in wrong}
            some = [(number, line) for number, line in some if number not in bad]
        sound += some
    return SoundLines(sound, faults)


def _all_sound(lines: list[bytes]) -> bool:
    """Whether lines are sound taken together. Each is decoded by itself later, so that none borrows from the next."""
    if any(line[:1] != b"{" for line in lines):
        return False
    try:
        check_document(b"[" + b",".join(lines) + b"]")
    except SynclineError:
        return False
    return True


def _fault(line: bytes) -> str:
    """Why a line is no record; empty if it is one."""
    try:
        line.decode()
        found = orjson.loads(line)
    except UnicodeDecodeError as error:
        return f"byte 0x{line[error.start]:02X} is no UTF-8"
    except orjson.JSONDecodeError as error:
        return f"it is no JSON: {error.msg} at column {error.colno}"
    if not isinstance(found, dict):
        return "it is no JSON object"
    try:
        check_document(line)
    except SynclineError as error:
        return error.message
    return ""
