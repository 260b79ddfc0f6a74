"""Authenticates the requests of one client: signs each, gets and renews tokens, one renewal at a time for all.

Any number of threads and processes may do so with the same store: one claims the token's version and asks the server,
the others wait for what it stores. A token is renewed ahead of its end, and once when a request is refused.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from syncline.model.errors import Again, Stalled, SynclineError
from syncline.sdk.auth.clock import Time
from syncline.sdk.auth.runner import Runner
from syncline.sdk.auth.tokens import Kept, MemoryTokens, TokenStore

if TYPE_CHECKING:
    from syncline.model.secret import Secret
    from syncline.sdk.auth.grant import Granted
    from syncline.sdk.auth.scheme import Scheme
    from syncline.sdk.auth.tokens import Token
    from syncline.sdk.clock import Clock
    from syncline.sdk.http import Request, Response, Transport

#: Seconds beyond the time that getting a token may take, after which another process may take over its claim.
GRACE = 5.0
#: Longest time in seconds between two looks at whether another process has stored the next token.
_LOOK = 0.25
#: Seconds until a renewal ahead of time that failed is tried again, while the old token lives.
RETRY = 10.0
#: Tries to store a token that the server has given; it may have ended the one before.
_STORES = 5


class Signed(NamedTuple):
    """A request with its credentials, and the version of the token in it (0: none).

    >>> from syncline.sdk.http import Request
    >>> Signed(Request("GET", "https://api.example.com/"), 0).version
    0
    """

    request: Request
    version: int


class Authenticator:
    """Authenticates by a scheme, or, once its values are refused, by the `former` ones. Safe for threads.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.auth.bearer import Bearer
    >>> from syncline.sdk.clock import SystemClock
    >>> from syncline.sdk.http import Request
    >>> auth = Authenticator(Bearer(Secret("t0k3n")), SystemClock())
    >>> auth.apply(Request("GET", "https://api.example.com/me")).request.headers["Authorization"]
    'Bearer t0k3n'
    """

    def __init__(
        self,
        scheme: Scheme | Granted,
        clock: Clock,
        transport: Transport | None = None,
        store: TokenStore | None = None,
        *,
        former: Scheme | None = None,
    ) -> None:
        self._scheme = scheme
        self._former = former
        self._signing: tuple[Any, int] = (scheme, 0)
        self._clock = clock
        self._time = Time(clock.now)
        self._granted = None if hasattr(scheme, "sign") else _Grants(scheme, clock, self._time, transport, store)
        self.fresh: bool = scheme.fresh
        self.sensitive: frozenset[str] = scheme.sensitive

    @property
    def renews(self) -> bool:
        """Whether there is a token that can be renewed."""
        return self._granted is not None

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """The secrets to mask in what is shown, those of the current token included."""
        former = self._former.hidden if self._former is not None else ()
        return self._scheme.hidden + former + (self._granted.hidden if self._granted else ())

    def apply(self, request: Request) -> Signed:
        """The request with its credentials, for one attempt. Raises `Stalled` or `Again` where there are none."""
        if self._granted is None:
            scheme, version = self._signing
            return Signed(scheme.sign(request, self._time()), version)
        return self._granted.apply(request)

    def renew(self, version: int, response: Response, *, ended: bool = True) -> bool:
        """
        After a refusal: gets a token newer than `version`, or learns what the server wants (its time, a nonce).

        `ended` False says that the token may hold, and only what is to be learnt is. True if trying the request again,
        once, is worth it. Raises what getting a token raises.
        """
        if self._granted is not None:
            return self._granted.renew(version, response, ended=ended)
        if self._former is not None and ended:
            if version == 0:
                self._signing = (self._former, 1)
            return version == 0
        return self.fresh and self._time.learn(response)


@dataclass(slots=True)
class _Grants:
    """The token of a scheme: kept at hand, read from the store, renewed."""

    scheme: Granted
    clock: Clock
    time: Time
    transport: Transport | None
    store: TokenStore | None
    held: Kept = field(default_factory=lambda: Kept(0))
    hidden: tuple[Secret, ...] = ()
    patient: float = 0.0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def apply(self, request: Request) -> Signed:
        now = self.clock.now()
        held = self.held
        if held.token is None or held.token.due(now):
            held = self._current()
        assert held.token is not None
        return Signed(self.scheme.present(request, held.token, self.time()), held.version)

    def renew(self, version: int, response: Response, *, ended: bool) -> bool:
        if self.scheme.learn(response):
            return True
        if not ended:
            return False
        with self.lock:
            if self.held.version != version:
                return True  # another thread has renewed it since that request was made
            self._hold(self._newer(version))
            return True

    def _current(self) -> Kept:
        """A token that isn't due: the one at hand, the store's, or a new one."""
        with self.lock:
            now = self.clock.now()
            if self.held.token is not None and not self.held.token.due(now):
                return self.held
            kept = self._store.read()
            if kept.token is None or not self.scheme.fits(kept.token) or kept.token.due(now):
                kept = self._renewed_ahead(kept, now)
            return self._hold(kept)

    def _renewed_ahead(self, kept: Kept, now: float) -> Kept:
        """A newer token, or the one that still lives where the server doesn't give another in time."""
        lives = kept.token is not None and self.scheme.fits(kept.token) and not kept.token.ended(now)
        if lives and now < self.patient:
            return kept
        try:
            return self._newer(kept.version)
        except Again:
            if not lives:
                raise
            self.patient = now + RETRY
            return kept

    def _hold(self, kept: Kept) -> Kept:
        assert kept.token is not None
        # A token that was replaced may still be in an answer to a request that was made with it.
        old = self.held.token.secrets if self.held.token else ()
        self.held, self.hidden = kept, (*kept.token.secrets, *old)
        return kept

    @property
    def _store(self) -> TokenStore:
        if self.store is None:
            self.store = MemoryTokens()
        return self.store

    def _newer(self, version: int) -> Kept:
        """A token of a later version than this: what others stored, or what the server gives us now."""
        store, patience = self._store, self.scheme.timeout + GRACE
        deadline = self.clock.monotonic() + 2 * patience
        wait = 0.01
        with store.alone(patience):
            while True:
                kept = store.read()
                usable = kept.token is not None and self.scheme.fits(kept.token)
                if usable and kept.version > version and not kept.token.ended(self.clock.now()):  # type: ignore[union-attr]
                    return kept
                if store.claim(kept.version, patience):
                    return self._obtained(kept)
                if self.clock.monotonic() > deadline:
                    raise Again(
                        "another process is getting a token, and isn't done", code="SYN402", help="Run it again."
                    )
                self.clock.sleep(wait)
                wait = min(wait * 2, _LOOK)

    def _obtained(self, kept: Kept) -> Kept:
        """Asks the server; the claim on the version is ours."""
        if self.transport is None:
            raise Stalled("a token is needed, and there is no way to ask for one", code="SYN442")
        before = kept.token if kept.token is not None and self.scheme.fits(kept.token) else None
        # A server may repeat in its refusal what it was asked with.
        self.hidden = (*(before.secrets if before else ()), *self.hidden)
        runner = Runner(self.transport, self.clock, self.scheme.timeout)
        try:
            token = runner.run(self.scheme.obtain(before, self.time))
        except BaseException:
            with suppress(SynclineError):
                self._store.unclaim(kept.version)
            raise
        return self._stored(kept.version, token)

    def _stored(self, version: int, token: Token) -> Kept:
        for attempt in range(1, _STORES + 1):
            try:
                if self._store.swap(version, token):
                    return Kept(version + 1, token)
                # Our claim had run out and another took over: what it stored counts, or else what we got.
                kept = self._store.read()
                usable = kept.token is not None and not kept.token.ended(self.clock.now())
                return kept if usable and kept.version > version else Kept(0, token)
            except Again:
                if attempt == _STORES:
                    raise
                self.clock.sleep(0.1 * 2**attempt)
        raise AssertionError
