"""Tokens of APIs in the state, sealed with the tenant's key: what a connector's `TokenStore` is made of."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncline.sdk.auth.tokens import Kept, Token, turn
from syncline.state.store import TokenKey

if TYPE_CHECKING:
    from syncline.secrets.envelope import KeyRing
    from syncline.state.store import StateStore


@dataclass(slots=True)
class Vault:
    """The tokens of a state. One a process: threads that want the same token take turns. Safe for threads."""

    store: StateStore
    keys: KeyRing
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turns: dict[TokenKey, threading.Lock] = field(default_factory=dict)

    def tokens(self, tenant: str, name: str, basis: str) -> SealedTokens:
        """The store of the token of an AuthConfig, for what `basis` is a digest of."""
        key = TokenKey(tenant, name, basis)
        with self._lock:
            return SealedTokens(self, key, self._turns.setdefault(key, threading.Lock()))


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """A `TokenStore` of one token. It is sealed before it reaches the state, and bound to its place there."""

    vault: Vault
    key: TokenKey
    turns: threading.Lock

    def alone(self, seconds: float) -> AbstractContextManager[object]:
        return turn(self.turns, seconds)

    def read(self) -> Kept:
        found = self.vault.store.token(self.key)
        if found is None:
            return Kept(0)
        if found.sealed is None:
            return Kept(found.version)
        return Kept(found.version, Token.loads(self.vault.keys.unseal(self.key.tenant, found.sealed, self._path)))

    def claim(self, version: int, seconds: float) -> bool:
        return self.vault.store.claim_token(self.key, version, seconds)

    def swap(self, version: int, token: Token) -> bool:
        sealed = self.vault.keys.seal(self.key.tenant, token.dumps(), self._path)
        return self.vault.store.swap_token(self.key, version, sealed, token.expires)

    def unclaim(self, version: int) -> None:
        self.vault.store.unclaim_token(self.key, version)

    @property
    def _path(self) -> str:
        return f"tokens/{self.key.tenant}/{self.key.name}/{self.key.basis}"
