"""The client of one API: sends a request until it is answered, within its limits, and says what the answer means.

Authenticates, keeps rate limits, follows redirects at the same origin, retries, and applies the connector's error
rules. Credentials are added to each attempt and are in no message, URL or value that outlives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson

from syncline.kinds.connector import ErrorRule, Http
from syncline.model import units
from syncline.model.errors import Again, Invalid, Stalled, SynclineError
from syncline.model.secret import redact
from syncline.sdk.auth import authenticate, forms_of_secrets, sensitive_parameters
from syncline.sdk.clock import Clock
from syncline.sdk.http import Request, Response, Transport, TransportError, same_origin, shown_url, without_query
from syncline.sdk.json_document import check_document, excerpt
from syncline.sdk.limits import Limiter, Rule
from syncline.sdk.retry import MAX_WAIT, RetryPolicy, retry_after
from syncline.sdk.source import Credentials

_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An accepted answer: the body without byte order mark, and the checked document. `empty`: it counts as a page
    without records, because a rule says so or because it has no content (status 204).
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    document: Any = None
    empty: bool = False


class ResetPaging(Exception):
    """A rule says that paging must start over. Caught by the source, once."""


@dataclass(frozen=True, slots=True)
class _Retry:
    """Worth another attempt: after so many seconds, if the server says so; `error` if there is none left."""

    error: Again
    wait: float | None = None


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
        self._rules = [(_condition(rule), rule) for rule in http.errors]
        self._hidden = forms_of_secrets(credentials)
        self._sensitive = sensitive_parameters(credentials)

    def place(self, request: Request) -> str:
        """A request for people, without secrets: `GET /tickets?cursor=8`."""
        return f"{request.method} {self._redacted(shown_url(request.url, self._sensitive))}"

    def kept(self, url: str) -> str:
        """A URL that may be kept in a position: without parameters that carry credentials."""
        return without_query(url, self._sensitive)

    def fetch(self, request: Request, *, json: bool = True) -> Answer:
        """
        The answer to a request. Raises `Again` when attempts are used up, `Stalled` for refused credentials, `Invalid`
        for an answer that can't be used, and `ResetPaging`.
        """
        try:
            attempt = 1
            while True:
                found = self._attempt(request, json=json)
                if isinstance(found, Answer):
                    return found
                self._pause(found, attempt)
                attempt += 1
        except SynclineError as error:
            error.message = self._redacted(f"{self.place(request)}: {error.message}")
            error.args = (error.message,)
            raise

    def ahead(self, request: Request) -> None:
        """May send a request before it is fetched, where nothing limits when. What comes of it shows in `fetch`."""
        if request.method == "GET" and not self._limiters:
            self._transport.ahead(authenticate(request, self._credentials), self._timeout)

    def close(self) -> None:
        self._transport.close()

    def _pause(self, retry: _Retry, attempt: int) -> None:
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

    def _attempt(self, request: Request, *, json: bool) -> Answer | _Retry:
        try:
            response, url = self._send(request)
        except TransportError as error:
            if error.permanent:
                raise Stalled(str(error), code="SYN408", help="Nothing was sent past the refusal.") from error
            again = Again(str(error), code="SYN402", help="The next run continues where this one stopped.")
            if error.kind not in self._policy.on:
                raise again from error
            return _Retry(again)
        return self._judge(response, url, json=json)

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

    def _judge(self, response: Response, url: str, *, json: bool) -> Answer | _Retry:
        """What a response means: the first matching rule decides, then its status."""
        good = 200 <= response.status < 300
        answer = Answer(url, response.status, response.headers, response.body, empty=response.status == 204)
        if good and json and not answer.empty:
            body, document = check_document(response.body, response.headers.get("content-type", ""), self._redacted)
            answer = replace(answer, body=body, document=document)
        elif self._rules:
            answer = replace(answer, document=_loose(response.body))
        for condition, rule in self._rules:
            if condition.search({"status": answer.status, "headers": answer.headers, "body": answer.document}):
                return self._ruled(rule, answer)
        return answer if good else self._by_status(answer)

    def _ruled(self, rule: ErrorRule, answer: Answer) -> Answer | _Retry:
        message = rule.message or f"the connector's rule for {rule.when} says {rule.do}"
        match rule.do:
            case "retry":
                return _Retry(Again(message, code="SYN403"), self._asked(answer))
            case "rate_limited":
                return self._limited(answer, message)
            case "ignore" | "skip":
                return replace(answer, body=b"", document=None, empty=True)
            case "reauthenticate":
                raise Stalled(
                    message, code="SYN401", help="These credentials can't be renewed by themselves: set new ones."
                )
            case "reset_paging":
                raise ResetPaging
            case "fail":
                raise Invalid(
                    message, code="SYN440", help=f"Status {answer.status}: {excerpt(answer.body, self._redacted)}"
                )

    def _by_status(self, answer: Answer) -> _Retry:
        status, shown = answer.status, excerpt(answer.body, self._redacted)
        what = f"status {status}" + (f": {shown}" if shown else "")
        if status == 429:
            retry = self._limited(answer, f"too many requests ({what})")
            if self._policy.retries_status(status):
                return retry
            retry.error.after = retry.wait
            raise retry.error
        if self._policy.retries_status(status):
            return _Retry(Again(what, code="SYN403"), self._asked(answer))
        if status in {401, 403}:
            raise Stalled(
                f"the credentials are refused ({what})",
                code="SYN401",
                help="Look at the AuthConfig: is the secret current, and may its owner read this?",
            )
        if status >= 500:
            raise Again(what, code="SYN403", after=self._asked(answer))
        raise Invalid(what, code="SYN405", help="Compare the stream's request with the vendor's documentation.")

    def _limited(self, answer: Answer, message: str) -> _Retry:
        self._count("throttled", 1)
        return _Retry(Again(message, code="SYN404"), self._asked(answer))

    def _asked(self, answer: Answer) -> float | None:
        return retry_after(answer.headers, self._policy.honor, self._clock.now())

    def _redacted(self, text: str) -> str:
        return redact(text, self._hidden)


def _condition(rule: ErrorRule) -> Any:
    import jmespath

    return jmespath.compile(rule.when)


def _loose(body: bytes) -> Any:
    """A document that only conditions look at; None when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
