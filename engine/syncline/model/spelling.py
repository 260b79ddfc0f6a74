"""How a value of a person stands in texts that aren't ours: URLs, JSON, HTML, answers of APIs, words of errors."""

from __future__ import annotations

import json
import re
from html import escape
from urllib.parse import quote, quote_plus


def spelled(value: str) -> set[str]:
    """A value as URLs, JSON, HTML and texts that aren't UTF-8 have it, and as it is.

    >>> sorted(spelled("ada@b.example"))
    ['ada%40b.example', 'ada@b.example']
    """
    latin = value.encode("latin-1", "replace").decode(errors="backslashreplace")
    return {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        escape(value),
        latin,
    }


def stands_in(text: str, value: str) -> bool:
    r"""
    Whether a value stands in a text as a word, however it is spelled. Before the word may be an escape, such as the end
    of a line has in JSON, or `:` in a URL.

    >>> stands_in("GET /people/ADA%40b.example", "ada@b.example"), stands_in("17", "7")
    (True, False)
    """
    begins = r"(?<!\w)|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2})"
    return re.search(rf"(?:{begins})(?:{_forms(value)})(?!\w)", text, re.IGNORECASE) is not None


def without(text: str, value: str) -> str:
    """A text with `…` wherever the value is in it, also within a word.

    >>> without("req-ADA%40b.example-1", "ada@b.example")
    'req-…-1'
    """
    return re.sub(_forms(value), "…", text, flags=re.IGNORECASE)


def _forms(value: str) -> str:
    return "|".join(map(re.escape, sorted(spelled(value), key=len, reverse=True)))
