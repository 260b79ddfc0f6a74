"""A JSON document from outside, checked whole before any of it is used (RFC 8259, and stricter where it is lax).

Refused: other formats, damage, bytes that aren't UTF-8, NaN and Infinity, lone surrogates, names that stand twice in an
object (parsers disagree on which counts), nesting past 254 levels. The answer is the parsed document, for paging and
conditions; records are decoded from the bytes themselves, since parsed numbers have lost digits.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import orjson

from syncline.model.errors import Again, Invalid, SynclineError, foreign

#: Media types that servers give JSON. Others say that it is something else.
_MEDIA = re.compile(
    r"application/([\w.-]+\+)?json(-seq)?|text/(json|plain|javascript|x-json)|application/(javascript|octet-stream)|"
)
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"
_EXCERPT = 120
_HIDDEN_IN = 64 * 1024
Hide = Callable[[str], str]


def check_document(body: bytes, content_type: str = "", hide: Hide = str) -> tuple[bytes, Any]:
    """
    The body without a byte order mark, and the document in it. `hide` takes secrets out of what messages quote.

    Raises `Again` (SYN411) for damage, which another attempt may not have, and `Invalid` (SYN410, SYN412) for an answer
    that isn't JSON or has no one meaning.

    >>> check_document(b'{"id": 1}', "application/json; charset=utf-8")
    (b'{"id": 1}', {'id': 1})
    >>> check_document(b'{"id": 1, "id": 2}')
    Traceback (most recent call last):
    syncline.model.errors.Invalid: an object in the answer has the name 'id' twice
    """
    body = json_body(body, content_type, hide)
    document = checked_json(body, hide)
    check_names(body, document)
    return body, document


def json_body(body: bytes, content_type: str = "", hide: Hide = str) -> bytes:
    r"""A body that says that it is JSON, without a byte order mark; not yet checked. `Invalid` (SYN410) for others.

    >>> json_body(b"\xef\xbb\xbf[]")
    b'[]'
    """
    media = content_type.partition(";")[0].strip().lower()
    start = body[:_EXCERPT].lstrip(b" \t\r\n\xef\xbb\xbf")
    if start[:1] == b"<" or not _MEDIA.fullmatch(media):
        what = "HTML or XML" if start[:1] == b"<" else media[:80]
        raise Invalid(
            f"expected JSON, but the answer is {what}: {foreign(excerpt(body, hide))}",
            code="SYN410",
            help="A login or maintenance page, or a wrong URL, is the usual cause. Nothing of it was used.",
        )
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise Invalid(f"JSON is UTF-8, but the answer says charset={charset[1][:40]}", code="SYN410")
    return body.removeprefix(_BOM)


def checked_json(body: bytes, hide: Hide = str) -> Any:
    """The document of a body, parsed; what is damaged raises as in `check_document`. Names may still stand twice.

    >>> checked_json(b"[1, 2]")
    [1, 2]
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _damaged(body, error, hide) from error


def excerpt(body: bytes, hide: Hide = str) -> str:
    r"""The start of a body for a message: at most 120 characters, none that a terminal would obey, and no secrets.

    >>> excerpt(b"<html>\x1b[31m  Please\n log in")
    '<html> [31m Please log in'
    """
    # Secrets go first, out of a longer piece: one that is cut in half would no longer be recognised.
    text = hide(body[:_HIDDEN_IN].decode("utf-8", errors="replace"))[: 4 * _EXCERPT]
    text = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text)
    text = " ".join(text.split())
    return text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else "")


def exact_document(body: bytes) -> Any:
    """The document with exact numbers (int of any size, Decimal). Slow: for what the fast path can't select.

    >>> exact_document(b'{"price": 1.10}')
    {'price': Decimal('1.10')}
    """
    from decimal import Decimal

    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Invalid(
            f"a number or structure is beyond every bound: {foreign(excerpt(body))}", code="SYN412"
        ) from error


def _damaged(body: bytes, error: orjson.JSONDecodeError, hide: Hide) -> SynclineError:
    if "depth" in error.msg or "recursion" in error.msg:
        return _too_deep()
    if "infinity" in error.msg:
        return Invalid(
            f"a number in the answer is beyond what a double can hold: {foreign(excerpt(body, hide))}", code="SYN412"
        )
    try:
        body.decode()
    except UnicodeDecodeError as fault:
        return Again(f"the answer is damaged: invalid UTF-8 at byte {fault.start}", code="SYN411")
    where = f"line {error.lineno}, column {error.colno} of {len(body)} bytes"
    return Again(
        f"the answer is damaged JSON: {error.msg.partition(':')[0]} at {where}: {foreign(excerpt(body, hide))}",
        code="SYN411",
        help="Nothing of the page was used; the next run asks for it again.",
    )


def _too_deep() -> Invalid:
    return Invalid("the answer is nested deeper than 254 levels", code="SYN412")


def check_names(body: bytes, document: Any) -> None:
    r"""
    Refuses a body in which an object has a name twice (`Invalid`, SYN412); `document` is what was parsed of it.

    Parsing keeps one of two equal names, so a document that is parsed and written again has fewer quotes than its bytes
    had; nothing else changes their number but an escaped `\u0022`, which is written as a quote. Counting is many times
    faster than looking at every object; only a page whose counts differ is looked at closely.

    >>> check_names(b'[{"id": 1}, {"id": 2}]', [{"id": 1}, {"id": 2}])
    """
    try:
        again = orjson.dumps(document)  # refuses nesting past 254 levels
    except TypeError as error:
        raise _too_deep() from error
    if as_many_quotes(body, again):
        return
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise _too_deep() from error


def as_many_quotes(body: bytes, again: bytes) -> bool:
    """Whether what was parsed of a body and written again has all of its names; False where counting can't tell.

    >>> as_many_quotes(b'{"id": 1, "id": 2}', b'{"id":2}')
    False
    """
    # The first of these is true of most APIs, which write compactly: nothing was dropped.
    return again == body or (body.count(b'"') == again.count(b'"') and b"\\u0022" not in body)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Invalid(
                f"an object in the answer has the name {name[:80]!a} twice",
                code="SYN412",
                help="Which of the two values counts is undefined (RFC 8259, section 4), so none of the page was used.",
            )
        seen.add(name)
