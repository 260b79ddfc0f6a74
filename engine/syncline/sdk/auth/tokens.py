"""Tokens, and where they are kept: a store with compare-and-swap, so that one of any number of clients renews them.

A store keeps one token. Who wants to renew it claims its version first, for a short while; who comes second waits for
the next version. A claim that runs out (its process died) can be taken by another. The new token is stored before the
old one is forgotten: a refresh token that rotates is never only in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import orjson
from msgspec import Struct, field

from syncline.model.errors import Again
from syncline.model.secret import Secret

#: Most seconds before its end that a token is renewed.
AHEAD = 60.0
#: Share of a token's life that may be left when it is renewed, where that is less.
SHARE = 0.1
#: Least seconds before its end that it is renewed: servers count in whole seconds, so a token may end one earlier.
ROUNDED = 1.2


class Token(Struct, frozen=True):
    """What a login or a grant gave.

    `access` is what requests carry; `kind` its type in lower case (`bearer`, `dpop`). `obtained` and `expires` are Unix
    times of this machine; `expires` is 0 where the server doesn't say. `refresh` gets the next one, `key` is the
    private key that it is bound to (a JWK), `values` are those of a login. `origin` is a digest of the secret that it
    was first got with: another secret means another login.

    >>> Token(Secret("t0k3n"), obtained=0.0, expires=3600.0).due(now=3539.0)
    False
    """

    access: Secret
    kind: str = "bearer"
    obtained: float = 0.0
    expires: float = 0.0
    refresh: Secret | None = None
    scope: str = ""
    key: Secret | None = None
    values: Mapping[str, Secret] = field(default_factory=dict)
    origin: str = ""

    def due(self, now: float) -> bool:
        """Whether it should be renewed before it is used again.

        >>> Token(Secret("t0k3n"), obtained=0.0, expires=3600.0).due(now=3541.0)
        True
        """
        life = max(self.expires - self.obtained, 0.0)
        return bool(self.expires) and now >= self.expires - min(AHEAD, max(life * SHARE, min(ROUNDED, life / 2)))

    def ended(self, now: float) -> bool:
        """Whether it is of no use any more.

        >>> Token(Secret("t0k3n")).ended(now=1e12)
        False
        """
        return bool(self.expires) and now >= self.expires

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything in it that must not be seen."""
        found = (self.access, self.refresh, self.key, *self.values.values())
        return tuple(secret for secret in found if secret)

    def dumps(self) -> bytes:
        """As JSON, with its secrets: only to be sealed.

        >>> Token.loads(Token(Secret("t0k3n"), scope="read").dumps()).scope
        'read'
        """
        values = {name: value.reveal() for name, value in self.values.items()}
        plain = {
            "access": self.access.reveal(),
            "kind": self.kind,
            "obtained": self.obtained,
            "expires": self.expires,
            "refresh": self.refresh.reveal() if self.refresh else None,
            "scope": self.scope,
            "key": self.key.reveal() if self.key else None,
            "values": values,
            "origin": self.origin,
        }
        return orjson.dumps(plain)

    @classmethod
    def loads(cls, data: bytes) -> Token:
        """Reads back what `dumps` gave."""
        found = orjson.loads(data)
        for name in ("access", "refresh", "key"):
            found[name] = Secret(found[name]) if found[name] is not None else None
        found["values"] = {name: Secret(value) for name, value in found["values"].items()}
        return cls(**found)


class Kept(Struct, frozen=True):
    """What a store has: its version, which rises with each change (0: nothing was ever kept), and the token.

    >>> Kept(0).token is None
    True
    """

    version: int
    token: Token | None = None


class TokenStore(Protocol):
    """Keeps one token for any number of threads and processes. All methods may raise `Again` or `Stalled`.

    >>> store: TokenStore = MemoryTokens()
    >>> store.claim(0, 30.0), store.claim(0, 30.0)
    (True, False)
    >>> store.swap(0, Token(Secret("t0k3n")))
    True
    >>> store.read().version
    1
    """

    def alone(self, seconds: float) -> AbstractContextManager[object]:
        """One thread of this process at a time, so that few ask the store for what one of them is getting.

        Raises `Again` where the others aren't done within so many seconds.
        """

    def read(self) -> Kept:
        """What is kept now."""

    def claim(self, version: int, seconds: float) -> bool:
        """Takes the right to replace a version, for so long; False if another has it, or the version moved on."""

    def swap(self, version: int, token: Token) -> bool:
        """Replaces a version, durably, and ends the claim; False (and nothing is changed) if the version moved on."""

    def forget(self, version: int) -> bool:
        """Empties a version; False if it moved on. Versions go on rising, so that who is late notices."""

    def unclaim(self, version: int) -> None:
        """Gives back a claim of one's own whose renewal failed, so that others needn't wait."""


class MemoryTokens:
    """A store for as long as the process lives: for tests, and where there is no state.

    >>> MemoryTokens().read()
    Kept(version=0, token=None)
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._turns = threading.Lock()
        self._kept = Kept(0)
        self._claimed = -1

    def alone(self, seconds: float) -> AbstractContextManager[object]:
        return turn(self._turns, seconds)

    def read(self) -> Kept:
        return self._kept

    def claim(self, version: int, seconds: float) -> bool:
        del seconds
        with self._lock:
            if version != self._kept.version or self._claimed == version:
                return False
            self._claimed = version
            return True

    def swap(self, version: int, token: Token) -> bool:
        with self._lock:
            if version != self._kept.version:
                return False
            self._kept, self._claimed = Kept(version + 1, token), -1
            return True

    def forget(self, version: int) -> bool:
        with self._lock:
            if version != self._kept.version:
                return False
            self._kept, self._claimed = Kept(version + 1), -1
            return True

    def unclaim(self, version: int) -> None:
        with self._lock:
            if self._claimed == version:
                self._claimed = -1


@contextmanager
def turn(lock: threading.Lock, seconds: float) -> Iterator[None]:
    """Holds a lock for the block; `Again` where it isn't free within so many seconds.

    >>> with turn(threading.Lock(), 1.0):
    ...     pass
    """
    if not lock.acquire(timeout=seconds):
        raise Again("others are getting a token, and aren't done", code="SYN402", help="Run it again.")
    try:
        yield
    finally:
        lock.release()
