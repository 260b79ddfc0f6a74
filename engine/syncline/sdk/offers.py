"""Whether a connector offers what it need not. Asking a protocol takes 0.1 ms each time, so a class is asked once."""

from __future__ import annotations

from typing import Any, TypeGuard, TypeVar

T = TypeVar("T")

_KNOWN: dict[tuple[type, Any], bool] = {}


def offers(thing: object, contract: type[T]) -> TypeGuard[T]:
    """Whether a thing has everything of a runtime-checkable protocol. All things of one class have the same.

    >>> from syncline.sdk.source import Measured
    >>> offers(object(), Measured)
    False
    """
    asked = (type(thing), contract)
    known = _KNOWN.get(asked)
    if known is None:
        known = _KNOWN[asked] = isinstance(thing, contract)
    return known
