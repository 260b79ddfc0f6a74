"""Tokens of APIs in the state, sealed with the tenant's key: what a connector's `TokenStore` is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.model.errors import Stalled
from syncline.sdk.auth.tokens import Kept, MemoryTokens, Token, turn
from syncline.secrets.keys.envelope import DESTROYED
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import is_made, open_store
from syncline.state.store import TokenKey

if TYPE_CHECKING:
    from syncline.sdk.auth.tokens import TokenStore
    from syncline.settings import Settings
    from syncline.state.store import SealedToken, StateStore


@dataclass(slots=True)
class Vault:
    """
    The tokens of a state. Safe for threads, which take turns where they want the same token: share one in a process.

    `state` lends the state for one use; `keys` opens the keys, when they are first needed.
    """

    state: Callable[[], AbstractContextManager[StateStore]]
    keys: Callable[[], KeyRing]
    is_made: Callable[[], bool] = lambda: True
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turns: dict[TokenKey, threading.Lock] = field(default_factory=dict)

    @classmethod
    def over(cls, store: StateStore, keys: KeyRing) -> Vault:
        """Over a state and keys that are open, and stay so."""
        return cls(lambda: nullcontext(store), lambda: keys)

    @classmethod
    def opening(cls, settings: Settings) -> Vault:
        """
        Opens the state for each use, and nothing until then: for who may not need a token at all. Where there is no
        state, none is made for a token, nor keys to seal it: it is got for as long as it is used.
        """
        return cls(
            lambda: closing(open_store(settings.state_url)),
            lambda: KeyRing.open(settings.keys, settings.environ),
            lambda: is_made(settings.state_url),
        )

    def tokens(self, tenant: str, name: str, basis: str) -> TokenStore:
        """The store of the token of an AuthConfig, for what `basis` is a digest of."""
        return self.sealed(tenant, name, basis) if self.is_made() else MemoryTokens()

    def sealed(self, tenant: str, name: str, basis: str) -> SealedTokens:
        """The same, in the state."""
        key = TokenKey(tenant, name, basis)
        with self._lock:
            return SealedTokens(self, key, self._turns.setdefault(key, threading.Lock()))

    def close(self) -> None:
        """The state and the keys are closed by whoever opened them."""


class SealedTokens(Struct, frozen=True):
    """A `TokenStore` of one token. It is sealed before it reaches the state, and bound to its place there."""

    vault: Vault
    key: TokenKey
    turns: threading.Lock

    def alone(self, seconds: float) -> AbstractContextManager[object]:
        return turn(self.turns, seconds)

    def read(self) -> Kept:
        with self.vault.state() as store:
            found = store.token(self.key)
        if found is None:
            return Kept(0)
        if found.sealed is None:
            return Kept(found.version)
        try:
            return Kept(found.version, opened(self.vault.keys(), found))
        except Stalled as error:
            if error.code != DESTROYED:
                raise
            return Kept(found.version)  # gone with its key: another is asked for

    def claim(self, version: int, seconds: float) -> bool:
        with self.vault.state() as store:
            return store.claim_token(self.key, version, seconds)

    def swap(self, version: int, token: Token) -> bool:
        sealed = self.vault.keys().seal(self.key.tenant, token.dumps(), _path(self.key))
        with self.vault.state() as store:
            return store.swap_token(self.key, version, sealed, token.expires)

    def unclaim(self, version: int) -> None:
        with self.vault.state() as store:
            store.unclaim_token(self.key, version)

    def forget(self, version: int) -> bool:
        with self.vault.state() as store:
            return store.swap_token(self.key, version, None, 0.0)


def opened(keys: KeyRing, found: SealedToken) -> Token:
    """The token in what is sealed. `Stalled` where it was changed or moved, or its key is gone."""
    assert found.sealed is not None
    return Token.loads(keys.unseal(found.key.tenant, found.sealed, _path(found.key)))


def _path(key: TokenKey) -> str:
    return f"tokens/{key.tenant}/{key.name}/{key.basis}"
