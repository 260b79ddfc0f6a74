r"""Regular expressions of manifests: RE2's syntax and meaning, in the form that the column library understands.

RE2 (https://github.com/google/re2/wiki/Syntax) and the Rust engine are both linear in time and nearly the same
language. Where they differ, the pattern is rewritten so that RE2's meaning holds: `\d`, `\w` and `\s` are ASCII, and
a `[`, `&` or `~` inside a class is itself. What the other can't do is refused.
"""

from __future__ import annotations

from functools import lru_cache

_ASCII = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}


class BadPattern(ValueError):
    """A pattern that can't be used; the message says why."""


@lru_cache(maxsize=256)
def columnar(pattern: str) -> str:
    """The pattern for the column library, anchored to the whole value. BadPattern when RE2 or it can't read it."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise BadPattern(f"is no RE2 pattern: {text}") from None
    return rf"\A(?:{_rewritten(pattern)})\z"


def _rewritten(pattern: str) -> str:
    result: list[str] = []
    position, inside = 0, False
    while position < len(pattern):
        character = pattern[position]
        two = pattern[position : position + 2]
        if character == "\\":
            result.append(_escape(two, inside=inside))
            position += 2
            continue
        if inside and two == "[:":
            end = pattern.index(":]", position) + 2
            result.append(pattern[position:end])
            position = end
            continue
        if inside and character in "[&~":
            result.append("\\" + character)
        elif inside and character == "]" and result[-1] not in {"[", "[^"}:
            inside = False
            result.append(character)
        elif inside and character == "]":
            result.append("\\]")
        elif not inside and character == "[":
            inside = True
            negated = two == "[^"
            result.append("[^" if negated else "[")
            position += negated
        else:
            result.append(character)
        position += 1
    return "".join(result)


def _escape(two: str, *, inside: bool) -> str:
    code = two[1:]
    if code in {"Q", "C", "E"}:
        raise BadPattern(f"\\{code} is not available")
    if code in _ASCII:
        return _ASCII[code] if inside else f"[{_ASCII[code]}]"
    if code.lower() in _ASCII:
        return f"[^{_ASCII[code.lower()]}]"
    if code in {"b", "B"} and not inside:
        return f"(?-u:\\{code})"
    return two
