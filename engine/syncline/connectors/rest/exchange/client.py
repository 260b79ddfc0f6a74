"""The client of one API: has a request sent until it is answered.

`sender.py` sends it, within all limits; what an answer means is for its judge to say. Credentials are in no message,
URL or value that outlives an attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from syncline.connectors.rest.exchange.answer import Answer
from syncline.connectors.rest.exchange.content import UNREADABLE, Reading, read_json
from syncline.connectors.rest.exchange.judge import Judge, Judging, Refused, Retry, Verdict
from syncline.connectors.rest.exchange.sender import Open, Sender
from syncline.connectors.rest.exchange.told import marked_place
from syncline.kinds.http import Http
from syncline.kinds.rule import ErrorRule
from syncline.model import units
from syncline.model.errors import Again, Stalled, SynclineError
from syncline.model.sample import sample_of
from syncline.model.secret import redact
from syncline.sdk import times
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.clock import Clock
from syncline.sdk.http import Request, TransportError, origin_of, shown_url, without_query
from syncline.sdk.meter import Meter
from syncline.sdk.retry import MAX_WAIT, RetryPolicy

#: The code of what a circuit breaker holds back.
OPEN: Final = "SYN465"


class Client:
    """Talks to one API. Several threads may use it at once; `close` it."""

    def __init__(
        self,
        http: Http,
        auth: Authenticator,
        sender: Sender,
        clock: Clock,
        *,
        chance: Callable[[], float],
        meter: Meter,
        patience: Callable[[], bool],
        words: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._auth = auth
        self._sender = sender
        self._clock = clock
        self._chance = chance
        self._meter = meter
        self._patience = patience
        self._words = words  # that are declared
        self._policy = RetryPolicy(
            on=frozenset(http.retry.on),
            attempts=http.retry.attempts,
            initial=units.duration(http.retry.backoff.initial),
            max=units.duration(http.retry.backoff.max),
            honor=http.retry.honor,
        )
        self._judge = self.judge(http.errors)

    def place(self, request: Request) -> str:
        """A request for people, without secrets: `GET /tickets?cursor=8`."""
        return f"{request.method} {self._redacted(shown_url(request.url, self._auth.sensitive))}"

    def told_place(self, request: Request) -> str:
        """The same for a message: what isn't declared of it is marked as `foreign`, since it may be of a record."""
        return marked_place(self.place(request), self._words())

    def kept(self, url: str) -> str:
        """A URL that may be kept in a position: without parameters that carry credentials."""
        return without_query(url, self._auth.sensitive)

    def judge(self, rules: Sequence[ErrorRule]) -> Judge:
        """A judge by these rules, for `fetch`; without one, the API's own rules count."""
        return Judge(rules, self._policy, hide=self._redacted, now=self._clock.now)

    def fetch(
        self, request: Request, *, reading: Reading = read_json, judge: Judging | None = None, repeat: bool = True
    ) -> Answer:
        """
        The answer to a request, its body read by `reading`. Raises `Again` when attempts are used up, `Stalled` for
        refused credentials, `Invalid` for an answer that can't be used, and `ResetPaging`.

        Without `repeat`, a request whose outcome is unknown isn't sent again (RFC 9110, section 9.2.2): `Again` says so
        at once. One that never left, or that the server refused because of its limits, is: it had no effect.
        """
        try:
            attempt, renewed = 1, False
            while True:
                found = self._attempt(request, reading, judge or self._judge, renewed=renewed)
                if isinstance(found, Answer):
                    self._meter.accepted()
                    return found
                if isinstance(found, Refused):
                    renewed = True  # the credentials are others now: once more
                    continue
                if not (repeat or found.throttled):
                    raise found.error
                self._put_off(request, found, attempt)
                attempt += 1
        except SynclineError as error:
            error.message = self._redacted(f"{self.told_place(request)}: {error.marked}")
            raise

    def now(self) -> str:
        """The time, as `now` is in a request that belongs to no read: when it is made, whatever its attempts."""
        return times.iso(self._clock.now())

    def hide(self, text: str) -> str:
        """The text without secrets."""
        return self._redacted(text)

    def pause(self, request: Request, seconds: float, why: str) -> None:
        """Waits for so long before a request, since its host is or does what `why` says, and tells it."""
        self._meter.waiting(origin_of(request.url).host, seconds, why)
        self._clock.sleep(seconds)

    def ahead(self, request: Request) -> None:
        """May send a request before it is fetched, where nothing limits when. What comes of it shows in `fetch`."""
        self._sender.ahead(request)

    def close(self) -> None:
        self._sender.close()

    def _put_off(self, request: Request, retry: Retry, attempt: int) -> None:
        """
        Waits before another attempt. Raises when there is none, when the server asks for too long a wait, and where
        nobody has the patience to wait for one that fails; a server that only slows us down is waited for.
        """
        wait = self._policy.backoff(attempt, self._chance(), at_least=retry.wait)
        fails = not retry.throttled or retry.error.code == OPEN
        if attempt >= self._policy.attempts or wait > MAX_WAIT or (fails and not self._patience()):
            retry.error.after = retry.wait
            raise retry.error
        self._meter.retried(origin_of(request.url).host)
        self.pause(request, wait, retry.why)

    def _attempt(self, request: Request, reading: Reading, judge: Judging, *, renewed: bool) -> Verdict:
        """What became of an attempt; `Refused` only where another with renewed credentials is worth it."""
        try:
            response, url, version = self._sender.send(request)
        except Open as error:
            again = Again(str(error), code=OPEN, help="It is asked again once its circuit breaker lets it.")
            why = "has failed too often of late: its circuit breaker is open"
            return Retry(again, error.after, throttled=True, why=why)  # nothing was sent
        except TransportError as error:
            return self._lost(request, error)
        try:
            found = judge.verdict(response, url, reading)
        except SynclineError as error:
            if error.code in UNREADABLE:
                place = self.place(request)
                error.sample = sample_of(place, response.status, response.headers, response.body, self._redacted)
            raise
        if isinstance(found, Refused) and (renewed or not self._auth.renew(version, response, ended=found.ended)):
            raise found.error if not (renewed and self._auth.renews) else _refused_anew(found.error)
        if isinstance(found, Retry):
            found = replace(found, why=_told(found, response.status))
            if found.throttled:
                self._meter.throttled(origin_of(url).host)
            if found.wait is not None and (found.throttled or response.status == 503):
                self._sender.hold(url, found.wait, found.why)
        return found

    def _lost(self, request: Request, error: TransportError) -> Retry:
        """What an exchange that didn't complete means."""
        if error.permanent:
            help_ = error.help or "Nothing was sent past the refusal."
            raise Stalled(str(error), code=error.code or "SYN408", help=help_) from error
        help_ = error.help or "Try again later; a run continues where it stopped."
        again = Again(str(error), code=error.code or "SYN402", help=help_)
        if error.part is not None and error.part.body:
            part = error.part
            again.sample = sample_of(self.place(request), part.status, part.headers, part.body, self._redacted)
        if error.kind not in self._policy.on:
            raise again from error
        why = "gave no whole answer, and is asked again"
        return Retry(again, throttled=error.unsent, why=why)  # then it had no effect either

    def _redacted(self, text: str) -> str:
        return redact(text, self._auth.hidden)


def _told(retry: Retry, status: int) -> str:
    """What a host did that has a request wait before it is sent again."""
    if retry.throttled:
        return f"announced that its quota is used up ({status})"
    return f"asked to wait ({status})" if retry.wait is not None else f"answered {status}, and is asked again"


def _refused_anew(error: Stalled) -> Stalled:
    error.help = "A new token is refused as well: look at its scopes, and at what the account may do."
    return error
