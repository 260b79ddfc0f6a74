"""What a finding suggests, as it can be written over what stands at its place."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[\w-]+")
#: A version, or a range of versions, behind the name of a connector.
_VERSION: Final = re.compile(r"@\S+\Z")


def replacement(written: str, suggestion: str) -> str:
    """
    The text to write over what is written at a finding's place, in the quotes that it has; '' where there is none.

    A suggestion may be about a word of an expression or a template, while the place is all of it: then nothing is
    replaced, rather than the rest lost.
    """
    quote = written[:1] if written[:1] in {"'", '"'} and len(written) > 1 and written[-1] == written[0] else ""
    inner = written[1:-1] if quote else written
    if not suggestion or "\n" in inner or not (_WORD.fullmatch(inner) or _form(inner) == _form(suggestion)):
        return ""
    if quote == "'":
        suggestion = suggestion.replace("'", "''")
    elif quote:
        suggestion = suggestion.replace("\\", "\\\\").replace('"', '\\"')
    return f"{quote}{suggestion}{quote}"


def _form(text: str) -> str:
    """What stands between the words of a text: alike in a name and the one that was meant."""
    return _WORD.sub("x", _VERSION.sub("@", text))
