"""A value that must not be seen: `Secret`. It leaves only by `reveal()`, at the place that needs it.

Nothing prints, formats, compares byte by byte, pickles, copies into a container format or serialises it. What this
isn't: protection from code in the same process that wants the value, or from someone who reads its memory.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, NoReturn, final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
_ESCAPE: Final = re.compile("%[0-9A-F]{2}")


@final
class Secret:
    """A secret string.

    Two secrets can be compared, in a time that does not depend on where they differ; they can't be hashed, ordered or
    measured. Copying gives the same object.
    """

    # The value lies in the closure of a function, not in an attribute: tools that walk slots or `__dict__` of an object
    # (debuggers, tracebacks with locals, serialisers) find a function and print its name.
    __slots__ = ("__reveal",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            del value  # whoever prints this error with its local variables must not print the value
            raise TypeError("a Secret holds a str")

        def reveal() -> str:
            return value

        object.__setattr__(self, "_Secret__reveal", reveal)

    def reveal(self) -> str:
        """The value itself. Call it where the value is used, and keep the result in no variable that lives on."""
        found: Callable[[], str] = object.__getattribute__(self, "_Secret__reveal")
        return found()

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self.reveal().encode(errors="surrogatepass"), other.reveal().encode(errors="surrogatepass")
        )

    # A hash would let a dictionary, and everyone who prints one, tell secrets apart by their value.
    __hash__ = None  # type: ignore[assignment]  # how Python says: not hashable

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        # `dataclasses.asdict` deep-copies what it doesn't know, on its way to a file: refuse there.
        raise _refused("copied into another structure")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise _refused("pickled")

    def __reduce__(self) -> NoReturn:
        raise _refused("pickled")

    def __getstate__(self) -> NoReturn:
        raise _refused("pickled")

    def __iter__(self) -> NoReturn:
        raise _refused("iterated")

    def __bytes__(self) -> NoReturn:
        raise _refused("turned into bytes")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> NoReturn:
        raise _refused("a field of a pydantic model")


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return `text` with every occurrence of a secret's value replaced by `***`, as it is and as documents quote it.

    For text that others made (a driver's error, a peer's body) before it is shown. Longest first, so that one secret
    which contains another leaves no rest. Values of fewer than four characters are left: they would blot out the text
    and are found by anyone who guesses.
    """
    values = {form for secret in secrets if len(value := secret.reveal()) >= 4 for form in _quoted(value)}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def _quoted(value: str) -> set[str]:
    """A value as it stands in plain text, and in JSON, HTML and XML, and URLs, as programs write these."""
    if value.isalnum() and value.isascii():
        return {value}
    import html  # most values don't need it

    plain = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    plain |= {text.replace("/", "\\/") for text in plain}  # as PHP writes JSON
    plain |= {html.escape(value), html.escape(value, quote=False), html.escape(value).replace("&#x27;", "&#39;")}
    with suppress(UnicodeEncodeError):  # of the environment, it may be no text
        encoded = {quote(value, safe=""), quote(value), quote_plus(value)}
        plain |= encoded | {_ESCAPE.sub(lambda found: found[0].lower(), text) for text in encoded}
    return plain


def _bytes(secret: Secret) -> bytes:
    # Values from the environment may hold surrogate escapes, which plain UTF-8 refuses.
    return secret.reveal().encode(errors="surrogatepass")


def _refused(what: str) -> TypeError:
    return TypeError(f"a Secret cannot be {what}: call reveal() where the value is used")
