"""Performs the steps of getting a token, within one deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.model.errors import Again, Stalled
from syncline.sdk.auth.grant import Flow, Pause, Prompt
from syncline.sdk.http import Request, Response, Transport, TransportError, shown_url

if TYPE_CHECKING:
    from syncline.sdk.auth.tokens import Token
    from syncline.sdk.clock import Clock


def _unseen(prompt: Prompt) -> None:
    """Nobody is there to type a code."""
    raise Stalled(
        f"a person must confirm at {prompt.url.partition('?')[0]}",
        code="SYN442",
        help="Run `syncline auth login` for this integration.",
    )


class Runner(Struct, frozen=True):
    """Sends requests by a transport, waits by a clock, shows prompts by a function. `timeout` is for all of it.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.auth.tokens import Token
    >>> def flow():
    ...     response = yield Request("POST", "https://id.example.com/token")
    ...     return Token(Secret(response.body.decode()))
    >>> class Server:
    ...     def send(self, request, timeout):
    ...         return Response(200, {}, b"t0k3n")
    >>> from syncline.sdk.clock import SystemClock
    >>> Runner(Server(), SystemClock(), timeout=20.0).run(flow()).access.reveal()
    't0k3n'
    """

    transport: Transport
    clock: Clock
    timeout: float
    show: Callable[[Prompt], None] = _unseen

    def run(self, flow: Flow) -> Token:
        """The token that the flow ends with. Raises what the flow raises; `Again` when time or network is out."""
        deadline = self.clock.monotonic() + self.timeout
        try:
            step = next(flow)
            while True:
                answer: Response | None = None
                match step:
                    case Request():
                        answer = self._send(step, deadline)
                    case Pause():
                        if self.clock.monotonic() + step.seconds > deadline:
                            raise self._late("the login")
                        self.clock.sleep(step.seconds)
                    case Prompt():
                        self.show(step)
                        if step.seconds:
                            deadline = self.clock.monotonic() + step.seconds
                step = flow.send(answer)
        except StopIteration as end:
            token: Token = end.value
            return token
        finally:
            flow.close()

    def _send(self, request: Request, deadline: float) -> Response:
        left = min(deadline - self.clock.monotonic(), self.timeout)
        where = f"{request.method} {shown_url(request.url)}"
        if left <= 0:
            raise self._late(where)
        try:
            return self.transport.send(request, left)
        except TransportError as error:
            if error.kind == "timeout":
                raise self._late(where) from error
            if error.permanent:
                raise Stalled(f"no token: {where}: {error}", code="SYN408") from error
            raise Again(f"no token: {where}: {error}", code="SYN402", help="Run it again.") from error

    def _late(self, where: str) -> Again:
        return Again(
            f"no token within {self.timeout:g} s: {where}",
            code="SYN402",
            help="Run it again; `timeout` of the AuthConfig is what it may take.",
        )
