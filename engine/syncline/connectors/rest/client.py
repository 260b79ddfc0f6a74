"""The client of one API: sends a request until it is answered, within its limits.

Authenticates, keeps rate limits, follows redirects at the same origin, and retries; what an answer means is for its
judge to say. Credentials are added to each attempt and are in no message, URL or value that outlives it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from syncline.connectors.rest.judge import Answer, Judge, Judging, Reading, Refused, Retry, Verdict, read_json
from syncline.kinds.connector import Http
from syncline.kinds.rule import ErrorRule
from syncline.model import units
from syncline.model.errors import Again, Invalid, Stalled, SynclineError
from syncline.model.secret import redact
from syncline.sdk.auth import authenticate, forms_of_secrets, sensitive_parameters
from syncline.sdk.clock import Clock
from syncline.sdk.http import Request, Response, Transport, TransportError, same_origin, shown_url, without_query
from syncline.sdk.limits import Limiter, Rule
from syncline.sdk.retry import MAX_WAIT, RetryPolicy
from syncline.sdk.source import Credentials

_REDIRECTS = 5


class Client:
    """Talks to one API. Used by one thread; `close` it."""

    def __init__(
        self,
        http: Http,
        credentials: Credentials,
        transport: Transport,
        clock: Clock,
        *,
        rate: str | None = None,
        chance: Callable[[], float],
        count: Callable[[str, float], None],
    ) -> None:
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._chance = chance
        self._count = count
        self._timeout = units.duration(http.timeout)
        self._policy = RetryPolicy(
            on=frozenset(http.retry.on),
            attempts=http.retry.attempts,
            initial=units.duration(http.retry.backoff.initial),
            max=units.duration(http.retry.backoff.max),
            honor=http.retry.honor,
        )
        limits = [Rule(*units.rate(limit.rate), limit.match, limit.remaining, limit.reset) for limit in http.limits]
        if rate:
            limits.append(Rule(*units.rate(rate)))
        self._limiters = [Limiter(rule, clock) for rule in limits]
        self._hidden = forms_of_secrets(credentials)
        self._sensitive = sensitive_parameters(credentials)
        self._judge = self.judge(http.errors)

    def place(self, request: Request) -> str:
        """A request for people, without secrets: `GET /tickets?cursor=8`."""
        return f"{request.method} {self._redacted(shown_url(request.url, self._sensitive))}"

    def kept(self, url: str) -> str:
        """A URL that may be kept in a position: without parameters that carry credentials."""
        return without_query(url, self._sensitive)

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
        at once. One that the server refused because of its limits is, since it had no effect.
        """
        try:
            attempt = 1
            while True:
                found = self._attempt(request, reading, judge or self._judge)
                if isinstance(found, Answer):
                    return found
                if isinstance(found, Refused) or not (repeat or found.throttled):
                    raise found.error
                self._pause(found, attempt)
                attempt += 1
        except SynclineError as error:
            error.message = self._redacted(f"{self.place(request)}: {error.message}")
            error.args = (error.message,)
            raise

    def hide(self, text: str) -> str:
        """The text without secrets."""
        return self._redacted(text)

    def ahead(self, request: Request) -> None:
        """May send a request before it is fetched, where nothing limits when. What comes of it shows in `fetch`."""
        if request.method == "GET" and not self._limiters:
            self._transport.ahead(authenticate(request, self._credentials), self._timeout)

    def close(self) -> None:
        self._transport.close()

    def _pause(self, retry: Retry, attempt: int) -> None:
        """Waits before another attempt; raises when there is none, or when the server asks for too long a wait."""
        wait = self._policy.backoff(attempt, self._chance())
        if retry.wait is not None:
            # Never earlier than asked; the jitter on top keeps many clients from coming back at the same moment.
            wait = retry.wait + min(wait, 1.0)
        if attempt >= self._policy.attempts or wait > MAX_WAIT:
            retry.error.after = retry.wait
            raise retry.error
        self._count("retries", 1)
        self._clock.sleep(wait)

    def _attempt(self, request: Request, reading: Reading, judge: Judging) -> Verdict:
        try:
            response, url = self._send(request)
        except TransportError as error:
            if error.permanent:
                raise Stalled(str(error), code="SYN408", help="Nothing was sent past the refusal.") from error
            again = Again(str(error), code="SYN402", help="The next run continues where this one stopped.")
            if error.kind not in self._policy.on:
                raise again from error
            return Retry(again)
        found = judge.verdict(response, url, reading)
        if isinstance(found, Retry) and found.throttled:
            self._count("throttled", 1)
        return found

    def _send(self, request: Request) -> tuple[Response, str]:
        """One exchange with its redirects, which stay at the origin."""
        for _ in range(_REDIRECTS + 1):
            limiters = [limiter for limiter in self._limiters if limiter.applies(urlsplit(request.url).path)]
            for limiter in limiters:
                if limiter.wait() > 0:
                    self._count("throttled", 1)
            self._count("requests", 1)
            response = self._transport.send(authenticate(request, self._credentials), self._timeout)
            self._count("bytes", len(response.body))
            for limiter in limiters:
                limiter.learn(response.headers)
            location = response.headers.get("location", "")
            if response.status not in {301, 302, 303, 307, 308} or not location:
                return response, request.url
            request = self._redirected(request, response.status, location)
        raise Invalid(f"more than {_REDIRECTS} redirects", code="SYN406")

    def _redirected(self, request: Request, status: int, location: str) -> Request:
        try:
            url = self.kept(urljoin(request.url, location))
            same = same_origin(request.url, url)
        except ValueError:
            url, same = location, False
        if not same:
            raise Invalid(
                f"redirected to another origin: {url.partition('?')[0][:200]!a}",
                code="SYN406",
                help="Credentials are only sent to the origin of the connector's URL: change the URL if it has moved.",
            )
        if status in {301, 302, 303} and request.method != "GET":
            return replace(request, method="GET", url=url, body=b"")
        return replace(request, url=url)

    def _redacted(self, text: str) -> str:
        return redact(text, self._hidden)
