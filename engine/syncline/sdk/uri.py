"""How references to resources are written (RFC 3986): as they are sent, and as they are compared. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

#: What a URI may be written with, and what it may not that a server is left to refuse. Control characters stay too.
_WRITTEN: Final = "".join(map(chr, range(128))).replace(" ", "")
#: What a URI may be written with: reserved and unreserved characters, and the sign of an escape.
_URI: Final = "!#$%&'()*+,/:;=?@[]~-._"
_BARE_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile("%([0-9A-Fa-f]{2})")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: What browsers leave out at both ends, and what they leave out wherever it is.
_AROUND: Final = "".join(map(chr, range(33)))
_INSIDE: Final = str.maketrans("", "", "\t\n\r")


def escaped(url: str) -> str:
    """A URL, or its path, as it is sent: spaces and what isn't ASCII percent-encoded (RFC 3987, 3.1). What is stays so.

    >>> escaped("/things of/ä/%C3%A4")
    '/things%20of/%C3%A4/%C3%A4'
    """
    return url if url.isascii() and " " not in url else quote(url, safe=_WRITTEN)


def requoted(reference: str) -> str:
    r"""
    A reference that a server gave, as a browser would take it: what no URI may have in it is percent-encoded.

    Escapes stay as they are; a percent sign that begins none is one. Blanks around it, tabs and ends of lines are left
    out, and a backslash before the query is a slash. What is a URI already stays so, byte for byte.

    >>> requoted(" /a b/ä?q=100%&of=%C3%A4|x ")
    '/a%20b/%C3%A4?q=100%25&of=%C3%A4%7Cx'
    >>> requoted(r"\\other.example\x?a=\b")
    '//other.example/x?a=%5Cb'
    """
    text = _SURROGATE.sub("\ufffd", reference).strip(_AROUND).translate(_INSIDE)
    end = min((at for mark in "?#" if (at := text.find(mark)) >= 0), default=len(text))
    text = text[:end].replace("\\", "/") + text[end:]
    return quote(_BARE_PERCENT.sub("%25", text), safe=_URI)


def of_header(value: str) -> str:
    """
    A reference in a header, which was read as Latin-1, with its bytes that aren't ASCII percent-encoded as they came.

    >>> of_header("/ä".encode().decode("latin-1"))
    '/%C3%A4'
    """
    return quote(value.encode("latin-1", errors="replace"), safe=_WRITTEN + " ")


def normal(path: str) -> str:
    """
    A path as it is compared (RFC 3986, 6.2.2): escapes in upper case, and none of what needs none.

    >>> normal("/%7euser/%c3%a4") == normal(escaped("/~user/ä"))
    True
    """
    return _ESCAPE.sub(_normal_escape, path) if "%" in path else path


def _normal_escape(found: re.Match[str]) -> str:
    sign = chr(int(found[1], 16))
    return sign if sign.isascii() and (sign.isalnum() or sign in "-._~") else found[0].upper()
