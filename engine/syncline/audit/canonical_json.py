"""Canonical JSON (RFC 8785), the form of every log entry.

Pure. Two encoders give the same bytes. The reference one is in Python and handles everything; the fast one sorts keys
by UTF-8 instead of UTF-16 and writes floats in its own way, so it is used only where neither can show: for plain
values without floats whose keys are ASCII. `test_canonical_json.py` holds the one against the other.
"""

from __future__ import annotations

from typing import Any, Final

_PLAIN: Final = frozenset({str, int, bool, type(None)})
_TEXT: Final = frozenset({str})


def dumps(value: Any) -> bytes:
    """The canonical bytes of a JSON value; ValueError for what JSON cannot carry exactly (NaN, 2**53, a surrogate)."""
    import orjson
    import rfc8785

    if _is_simple(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
        except orjson.JSONEncodeError:
            pass  # an integer beyond 2**53 or a lone surrogate: the reference says which
    canonical: bytes = rfc8785.dumps(value)
    return canonical


def _is_simple(value: Any) -> bool:
    """Whether both encoders agree on a value. Subclasses are left to the reference: it defines what they mean."""
    kind = type(value)
    if kind is dict:
        if {*map(type, value)} - _TEXT or not "".join(value).isascii():
            return False
        value = value.values()
    elif kind is not list:
        return kind in _PLAIN
    return _PLAIN.issuperset(map(type, value)) or all(_is_simple(one) for one in value if type(one) not in _PLAIN)
