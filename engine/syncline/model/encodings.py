"""Encodings that text may be declared to be in: what a manifest calls them, and the codec that reads each."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from syncline.model.errors import Invalid

#: Each has ASCII where ASCII is, and no line end, quote or comma within a character: files are cut into records before
#: they are decoded. That leaves out the ones with shift states (ISO-2022, HZ, UTF-7), EBCDIC, and UTF-16.
Encoding = Literal[
    "utf-8",
    "latin-1",
    "windows-1252",
    "cp437",
    "cp850",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "cp1258",
    "iso-8859-2",
    "iso-8859-5",
    "iso-8859-7",
    "iso-8859-9",
    "iso-8859-15",
    "koi8-r",
    "mac-roman",
    "shift_jis",
    "euc-jp",
    "gb18030",
    "big5",
    "euc-kr",
]

#: What is written under these names in files holds the characters that Windows added, as the WHATWG's Encoding Standard
#: has them for the web as well; the codecs of these names are the older sets without them.
_WIDER: Final[Mapping[str, str]] = {"shift_jis": "cp932", "big5": "cp950", "euc-kr": "cp949"}

#: How a text may begin in an encoding that has a mark for it, which is no part of the text.
_MARKS: Final[Mapping[str, bytes]] = {"utf-8": codecs.BOM_UTF8, "gb18030": b"\x84\x31\x95\x33"}

#: Characters of two bytes of which the second may be an ASCII letter, sign or (of the four bytes of gb18030) digit.
_PAIRS: Final[Mapping[str, re.Pattern[bytes]]] = {
    "shift_jis": re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),
    "big5": re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]"),
    "euc-kr": re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]"),
    "gb18030": re.compile(rb"[\x81-\xfe][\x30-\x39\x40-\x7e\x80-\xfe]"),
}


def codec_of(encoding: str) -> str:
    r"""Python's codec for an encoding.

    >>> b"\x87\x40".decode(codec_of("shift_jis"))
    '①'
    """
    return _WIDER.get(encoding, encoding)


def mark_of(encoding: str, data: bytes) -> bytes:
    r"""The byte order mark that a text in an encoding begins with; empty without one.

    >>> mark_of("gb18030", b"\x841\x953id"), mark_of("cp437", b"id")
    (b'\x841\x953', b'')
    """
    mark = _MARKS.get(encoding, b"")
    return mark if data.startswith(mark) else b""


def refuse_mark(encoding: str, data: bytes, name: str) -> None:
    """Refuses (SYN457) a text that says by its mark that it is in UTF-8, and is declared to be in another encoding."""
    if encoding != "utf-8" and data.startswith(codecs.BOM_UTF8):
        raise Invalid(
            f"{name} begins with the byte order mark of UTF-8, and is read as {encoding}",
            code="SYN457",
            help="Declare encoding: utf-8, or make a stream of its own of files in another encoding.",
        )


def masking(encoding: str, *signs: str) -> re.Pattern[bytes] | None:
    """
    The characters of two bytes that have to be covered before one of the signs is looked for in a text's bytes, since
    they may hold it; None where none does.

    >>> masking("shift_jis", "|").sub(b"xx", "ポ|1".encode("shift_jis"))
    b'xx|1'
    >>> masking("shift_jis", ",") is masking("utf-8", "|") is None
    True
    """
    found = _PAIRS.get(encoding)
    return found if found is not None and any(found.fullmatch(b"\x81" + sign.encode()) for sign in signs) else None


def known_as(name: str, allowed: Iterable[str]) -> str:
    """What an encoding is called here that somebody gave by another of its names; empty where it isn't among these.

    >>> known_as("windows-1250", ["cp1250", "utf-8"]), known_as("UTF8", ["cp1250", "utf-8"]), known_as("x", ["utf-8"])
    ('cp1250', 'utf-8', '')
    """
    wanted = _canonical(name)
    return next((each for each in allowed if wanted and wanted in {_canonical(each), _canonical(codec_of(each))}), "")


def _canonical(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
