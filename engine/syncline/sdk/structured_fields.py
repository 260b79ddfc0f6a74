"""Structured fields (RFC 9651) in their strict form: a header's text parsed and written anew, as signatures cover it.

Parsing is exact (section 4.2) and linear: what isn't a structured field of its type raises `ValueError`. Values aren't
given types, only their one way of being written (section 4.1), which is all that a signature base needs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Literal
from urllib.parse import unquote_to_bytes

#: What a field is as a whole.
Structure = Literal["item", "list", "dictionary"]

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_DISPLAY = re.compile(r'%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"')
_BOOLEAN = re.compile(r"\?[01]")
_SPACE = re.compile(r"[ \t]*")
_SPACES = re.compile(r" *")
#: Most digits of an integer, and of the whole part of a decimal number.
_INTEGER_DIGITS, _DECIMAL_DIGITS, _FRACTION_DIGITS = 15, 12, 3


def strict(text: str, structure: Structure) -> str:
    """A field's value in its strict form. Raises `ValueError` for a text that isn't of the structure.

    >>> strict("max-age=60,    must-revalidate", "dictionary")
    'max-age=60, must-revalidate'
    >>> strict("a;x=?1,  b", "list")
    'a;x, b'
    """
    found = _Text(text)
    match structure:
        case "item":
            written = found.item()
        case "list":
            written = ", ".join(found.members(found.item_or_inner_list))
        case "dictionary":
            written = ", ".join(f"{key}{_joined(value)}" for key, value in found.dictionary().items())
    found.end()
    return written


def member(text: str, key: str) -> str | None:
    """The value of a key of a dictionary, in its strict form; None where it has no such key.

    >>> member('a=1,  b=2;x=1;y=2, c=(a   b    c)', "b")
    '2;x=1;y=2'
    """
    found = _Text(text)
    members = found.dictionary()
    found.end()
    return members.get(key)


def _joined(value: str) -> str:
    """What follows the key of a member: true is left out (section 4.1.2)."""
    return value.removeprefix("?1") if value == "?1" or value.startswith("?1;") else f"={value}"


class _Text:
    """A text that is read from its start to its end; each method gives what it read as it is to be written."""

    def __init__(self, text: str) -> None:
        self._text = text.strip(" ")
        self._at = 0

    def end(self) -> None:
        if self._at != len(self._text):
            raise self._wrong()

    def item(self) -> str:
        return self._bare() + self._parameters()

    def item_or_inner_list(self) -> str:
        if not self._took("("):
            return self.item()
        items: list[str] = []
        while True:
            spaces = self._match(_SPACES)
            if self._took(")"):
                return f"({' '.join(items)})" + self._parameters()
            if items and spaces is not None and not spaces[0]:
                raise self._wrong()
            items.append(self.item())

    def dictionary(self) -> dict[str, str]:
        found: dict[str, str] = {}

        def one() -> str:
            key = self._key()
            # A key that comes again keeps its place, with the later value.
            found[key] = self.item_or_inner_list() if self._took("=") else "?1" + self._parameters()
            return key

        self.members(one)
        return found

    def members(self, one: Callable[[], str]) -> list[str]:
        """Members, read by `one`, with commas between them."""
        found: list[str] = []
        while self._at < len(self._text):
            found.append(one())
            self._match(_SPACE)
            if self._at == len(self._text):
                return found
            if not self._took(","):
                raise self._wrong()
            self._match(_SPACE)
            if self._at == len(self._text):
                raise self._wrong()  # a comma with nothing after it
        return found

    def _parameters(self) -> str:
        found: dict[str, str] = {}
        while self._took(";"):
            self._match(_SPACES)
            key = self._key()
            found[key] = self._bare() if self._took("=") else "?1"
        return "".join(f";{key}{_joined(value)}" for key, value in found.items())

    def _key(self) -> str:
        if (found := self._match(_KEY)) is None:
            raise self._wrong()
        return found[0]

    def _bare(self) -> str:
        match self._text[self._at : self._at + 1]:
            case '"':
                return self._expected(_STRING)[0]
            case ":":
                return f":{base64.b64encode(_decoded(self._expected(_BYTES)[1])).decode()}:"
            case "?":
                return self._expected(_BOOLEAN)[0]
            case "@":
                self._at += 1
                date = self._number()
                if "." in date:
                    raise self._wrong()
                return f"@{date}"
            case "%":
                return _display(self._expected(_DISPLAY)[1])
            case letter if letter.isalpha() or letter == "*":
                return self._expected(_TOKEN)[0]
            case _:
                return self._number()

    def _number(self) -> str:
        found = self._expected(_NUMBER)
        sign, whole, fraction = found[1], found[2], found[3]
        if fraction is None and self._text[self._at : self._at + 1] == ".":
            raise self._wrong()
        if fraction is None:
            most = _INTEGER_DIGITS
        else:
            most = _DECIMAL_DIGITS
            if len(fraction) > _FRACTION_DIGITS:
                raise self._wrong()
        if len(whole) > most:
            raise self._wrong()
        digits = whole.lstrip("0") or "0"
        if fraction is None:
            return f"{sign}{digits}" if digits != "0" else "0"
        fraction = fraction.rstrip("0") or "0"
        return f"{digits}.{fraction}" if digits == "0" and fraction == "0" else f"{sign}{digits}.{fraction}"

    def _took(self, letter: str) -> bool:
        taken = self._text.startswith(letter, self._at)
        self._at += len(letter) if taken else 0
        return taken

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found is not None else self._at
        return found

    def _expected(self, pattern: re.Pattern[str]) -> re.Match[str]:
        if (found := self._match(pattern)) is None:
            raise self._wrong()
        return found

    def _wrong(self) -> ValueError:
        return ValueError(f"not a structured field at character {self._at + 1}")


def _decoded(text: str) -> bytes:
    """The bytes of base64 that may lack its padding, as parsers are to accept (section 4.2.7)."""
    data = text.rstrip("=")
    return base64.b64decode(data + "=" * (-len(data) % 4), validate=True)


def _display(text: str) -> str:
    """A display string as it is written: what is printable ASCII stands for itself, save `%` and `"`."""
    data = unquote_to_bytes(text)
    data.decode()  # has to be UTF-8: UnicodeDecodeError is a ValueError
    plain = (chr(byte) if 0x20 <= byte <= 0x7E and byte not in b'%"' else f"%{byte:02x}" for byte in data)
    return f'%"{"".join(plain)}"'
