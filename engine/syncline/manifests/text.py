"""The text of one file, as findings point into it: its encoding, lines, places and excerpts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from syncline.manifests.credentials import scrub
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity

if TYPE_CHECKING:
    from syncline.manifests.node import Span

MAX_BYTES: Final = 1024 * 1024
MAX_EXCERPT: Final = 240

#: What YAML counts as a line break (YAML 1.1, which the parser follows in this).
BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

# Control characters that no text needs, and those by which a reviewer sees another order than the parser reads
# (bidirectional overrides and isolates, CVE-2021-42574).
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)


@dataclass(frozen=True)
class Text:
    """A file's name (relative to the root) and its text."""

    file: str
    content: str = field(repr=False)

    @cached_property
    def lines(self) -> list[str]:
        return BREAK.split(self.content)

    def place(self, span: Span) -> Place:
        """The place of a span that counts from 0, as `node.Span` does."""
        return Place(self.file, span[0] + 1, span[1] + 1, span[2] + 1, span[3] + 1)

    def excerpt(self, line: int) -> str:
        """Line `line` (from 1), cut to a length that can be shown, without what looks like a credential."""
        text = scrub(self.lines[line - 1]) if 0 < line <= len(self.lines) else ""
        return text if len(text) <= MAX_EXCERPT else text[: MAX_EXCERPT - 1] + "…"

    def finding(  # noqa: PLR0913 - the fields of a Diagnostic
        self,
        code: str,
        message: str,
        place: Place,
        *,
        severity: Severity = Severity.error,
        expected: str = "",
        suggestion: str = "",
        help: str = "",  # noqa: A002 - the field's word
        subject: str = "",
        related: tuple[Related, ...] = (),
    ) -> Diagnostic:
        """A finding with the excerpt of the line that it is about."""
        return Diagnostic(
            code=code,
            message=message,
            place=place,
            severity=severity,
            expected=expected,
            suggestion=suggestion,
            help=help,
            subject=subject,
            excerpt=self.excerpt(place.line),
            related=related,
        )


def decode(data: bytes, file: str) -> Text | Diagnostic:
    """The text of a file's bytes, or why it can't be read. A UTF-8 byte order mark is skipped."""
    if len(data) > MAX_BYTES:
        return Diagnostic(
            "SYN102",
            f"the file has more than {MAX_BYTES:,} bytes",
            Place(file),
            expected="at most 1 MiB of YAML",
            help="Split it into several files; data belongs in a stream, not in a manifest.",
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Diagnostic(
            "SYN101",
            "the file is in UTF-16",
            Place(file),
            expected="UTF-8",
            help="Save it as UTF-8.",
        )
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        line, column = _position(before, len(before))
        return Diagnostic(
            "SYN101",
            f"the byte 0x{data[error.start]:02x} is not part of any UTF-8 character",
            Place(file, line, column, line, column + 1),
            expected="UTF-8",
            help="Save the file as UTF-8; it looks like Latin-1 or Windows-1252.",
        )
    return checked(Text(file, content))


def checked(text: Text) -> Text | Diagnostic:
    """The text itself, or the finding about a character that it must not have or about its size."""
    if len(text.content) > MAX_BYTES:
        return decode(text.content.encode("utf-8", "replace"), text.file)
    if found := _FORBIDDEN.search(text.content):
        line, column = _position(text.content, found.start())
        return Diagnostic(
            "SYN103",
            f"the character U+{ord(found[0]):04X} is not allowed",
            Place(text.file, line, column, line, column + 1),
            expected="text without control characters",
            help='Remove it, or write it as an escape in double quotes ("\\u…").',
        )
    return text


def _position(content: str, offset: int) -> tuple[int, int]:
    line, start = 1, 0
    for found in BREAK.finditer(content, 0, offset):
        line, start = line + 1, found.end()
    return line, offset - start + 1


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that `word` was probably meant to be, or ''."""
    known = sorted(set(names))
    plain = {_plain(name): name for name in reversed(known)}
    if found := plain.get(_plain(word)):
        return found
    if swapped := [name for name in known if sorted(name) == sorted(word)]:
        return swapped[0]
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else ""


def _plain(word: str) -> str:
    return re.sub(r"[-_ ]", "", word).casefold()


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names as a sentence part: `a, b or c`, cut past the limit."""
    names = list(dict.fromkeys(names))
    if len(names) > limit:
        return ", ".join(names[:limit]) + ", …"
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else "".join(names)
