"""Authentication by a token that a server gives first: what such a scheme is, and the steps of getting a token.

Getting a token is a generator: it yields requests, pauses and prompts, is sent the responses, and returns the token.
It performs nothing itself, so a test plays the server with a function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec import Struct

from syncline.model.secret import Secret
from syncline.sdk.auth.tokens import Token
from syncline.sdk.http import Request, Response

if TYPE_CHECKING:
    from syncline.sdk.auth.clock import Time


class Pause(Struct, frozen=True):
    """A step that waits, in seconds.

    >>> Pause(5.0).seconds
    5.0
    """

    seconds: float


class Prompt(Struct, frozen=True):
    """A step that shows a person where to go, and which code to type there.

    >>> Prompt("https://id.example.com/device", "WDJB-MJHT").code
    'WDJB-MJHT'
    """

    url: str
    code: str
    seconds: float = 0.0


Step: TypeAlias = Request | Pause | Prompt
#: Yields steps; is sent a `Response` for each request and None for the others; returns the token.
Flow: TypeAlias = Generator[Step, Response | None, Token]


class Granted(Protocol):
    """A scheme whose requests carry a token.

    Example: `runner.run(scheme.obtain(None, time))` gives a token, `scheme.present(request, token, now)` sends it.
    """

    @property
    def basis(self) -> str:
        """What a token is for, as a digest of what isn't secret: another basis, another token."""

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """Secrets of the declaration, to mask in what is shown."""

    @property
    def sensitive(self) -> frozenset[str]:
        """Query parameters whose values are never shown or kept."""

    @property
    def fresh(self) -> bool:
        """Whether each request differs for the same token, so that one sent ahead can't be told from another."""

    @property
    def timeout(self) -> float:
        """Longest time in seconds that getting a token may take in all."""

    def fits(self, token: Token) -> bool:
        """Whether a kept token belongs to the declaration as it is now."""

    def obtain(self, kept: Token | None, time: Time) -> Flow:
        """The steps of getting a token, from the one before it where there is one. Raises `Stalled` or `Again`."""

    def present(self, request: Request, token: Token, now: float) -> Request:
        """The request with the token."""

    def learn(self, response: Response) -> bool:
        """Takes from a refusal what the next request needs (a nonce); True if trying again is worth it."""


def answered(step: Generator[Step, Response | None, Any], responses: Sequence[Response]) -> Any:
    """Plays a server to a flow, for tests and examples: its result, given the responses to its requests in order.

    >>> def flow():
    ...     first = yield Request("GET", "https://id.example.com/")
    ...     return first.status
    >>> answered(flow(), [Response(200, {}, b"")])
    200
    """
    waiting = list(responses)
    try:
        asked = next(step)
        while True:
            asked = step.send(waiting.pop(0) if isinstance(asked, Request) else None)
    except StopIteration as end:
        return end.value


def digest(*parts: object) -> str:
    """A short digest of what isn't secret, to name what tokens are for.

    >>> digest("client_credentials", "https://id.example.com/token")
    '12354b21b2c99720'
    """
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def origin(secret: Secret | None) -> str:
    """What tells one first secret from another, kept (sealed) with the tokens that came of it.

    >>> origin(Secret("r1")) == origin(Secret("r2"))
    False
    """
    return hashlib.sha256(secret.reveal().encode()).hexdigest() if secret else ""
