"""`.secrets-allowed`: what looks like a secret in committed files and is none, each with a reason.

    # file                 fingerprint   why it is none
    tests/test_login.py    5d41402abc4b  made up: the format of a token that must be found

A fingerprint is of the value alone, so that an entry stays when its line moves, and goes when the value is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from syncline.model.diagnostic import Diagnostic, Place, Severity

NAME: Final = ".secrets-allowed"
_DIGITS: Final = 12


def fingerprint(value: str) -> str:
    """What tells a value in the list.

    >>> fingerprint("hello")
    '2cf24dba5fb0'
    """
    return hashlib.sha256(value.encode()).hexdigest()[:_DIGITS]


class Allowed(Struct):
    """The entries by file and fingerprint, with their lines; what is wrong with others; and which were met."""

    lines: dict[tuple[str, str], int] = {}
    wrong: list[Diagnostic] = []
    _met: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, root: Path) -> Allowed:
        """The list of a folder; an empty one where it has none."""
        found = cls()
        try:
            text = (root / NAME).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return found
        for number, line in enumerate(text.splitlines(), 1):
            file, _, rest = line.strip().partition(" ")
            digits, _, reason = rest.strip().partition(" ")
            if not file or file.startswith("#"):
                continue
            if len(digits) != _DIGITS or not reason.strip():
                found.wrong.append(_finding(number, line, "this entry has no fingerprint, or no reason"))
            else:
                found.lines[file, digits] = number
        return found

    def meets(self, file: str, value: str) -> bool:
        """Whether an entry says that this value of a file is no secret."""
        entry = (file, fingerprint(value))
        if entry in self.lines:
            self._met.add(entry)
        return entry in self.lines

    def findings(self, scanned: Iterable[str]) -> Iterator[Diagnostic]:
        """Entries that aren't as they should be, and those of scanned files that nothing fits any more."""
        yield from self.wrong
        files = set(scanned)
        for (file, digits), number in self.lines.items():
            if file in files and (file, digits) not in self._met:
                yield _finding(number, f"{file} {digits}", "nothing in the file has this fingerprint any more")


def _finding(number: int, line: str, message: str) -> Diagnostic:
    return Diagnostic(
        "SYN858",
        message,
        Place(NAME, number, 1, number, len(line) + 1),
        Severity.error,
        excerpt=line[:200],
        expected="FILE FINGERPRINT REASON",
        help="`syncline secrets scan` tells the fingerprint of what it finds. Remove entries that fit nothing.",
    )
