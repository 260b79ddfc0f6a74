"""What an answer of an API means: the first rule that matches decides, then its status. Logic only, nothing is sent.

A judge gives an `Answer` to read on, a `Retry` (worth another attempt) or `Refused` (the credentials are); what ends
the read at once is raised. Who sends decides when to try again, and whether credentials can be renewed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.rest.exchange.answer import Answer
from syncline.connectors.rest.exchange.content import Reading, read_json
from syncline.connectors.rest.exchange.rules import Facts, Rule, compile_rules, loose
from syncline.kinds.rule import ErrorRule
from syncline.model.errors import Again, Invalid, Stalled, SynclineError, foreign
from syncline.sdk.formats.json_document import Hide, excerpt
from syncline.sdk.http import Response
from syncline.sdk.retry import RetryPolicy, retry_after, server_time


class ResetPaging(Exception):
    """A rule says that paging must start over. Caught by the source, once."""


class SplitSpan(Exception):
    """A rule says that there are too many results for one listing. Caught by the source."""


class RestartReading(Exception):
    """A rule says that the position no longer applies. Caught by the source, once."""


class Retry(Struct, frozen=True):
    """Worth another attempt: after so many seconds, if the server says so; `error` if there is none left.

    `throttled`: it came too early or too often, which is no fault of the server's. `why` says what the host did.
    """

    error: Again
    wait: float | None = None
    throttled: bool = False
    why: str = ""


class Refused(Struct, frozen=True):
    """The credentials are refused: worth another attempt with renewed ones, where they can be; else the error.

    `ended`: they may have ended, and aren't just without permission.
    """

    error: Stalled
    ended: bool = True


Verdict = Answer | Retry | Refused
_EMPTY = frozenset({204, 304})
#: What a rule may pass over because it isn't there.
_GONE = frozenset({404, 410})


class Judging(Protocol):
    """Who says what a response means."""

    def verdict(self, response: Response, url: str, reading: Reading) -> Verdict:
        """What a response to a request for `url` means; raises what ends the work at once."""


class Judge:
    """Judges answers by rules, the first of which that matches decides. `hide` takes secrets out of messages."""

    def __init__(
        self, rules: Sequence[ErrorRule], policy: RetryPolicy, *, hide: Hide, now: Callable[[], float]
    ) -> None:
        self._rules = compile_rules(rules)
        self._policy = policy
        self._hide = hide
        self._now = now

    def verdict(self, response: Response, url: str, reading: Reading = read_json) -> Verdict:
        """What a response to a request for `url` means. Raises errors, and what sources catch."""
        good = 200 <= response.status < 300 or response.status == 304
        answer = Answer(
            url,
            response.status,
            response.headers,
            response.body,
            empty=response.status in _EMPTY,
            withheld=304 if response.status == 304 else 0,
        )
        fault: SynclineError | None = None
        try:
            if good and not answer.empty:
                content = reading.read(response, self._hide)
                answer = replace(
                    answer, body=content.body, parsed=content.document, parts=content.parts, page=content.page
                )
        except SynclineError as error:
            fault = error
        for rule, facts in self._matching(answer, reading, unread=not good or fault is not None):
            return self._ruled(rule, facts, answer)
        if fault is not None:
            raise fault
        if not good:
            return self._by_status(answer)
        if not answer.empty:
            note = reading.check(answer, self._hide)
            return replace(answer, note=note) if note else answer
        return answer

    def _matching(self, answer: Answer, reading: Reading, *, unread: bool) -> Iterator[tuple[Rule, Facts]]:
        """The rules that an answer matches: the stream's own, then those of the API."""
        if not (self._rules or reading.rules):
            return
        told = {"status": answer.status, "headers": answer.headers}
        text = loose(answer.body) if unread else None
        for rule in chain(reading.rules, self._rules):
            if rule.matches({**told, "body": text if unread else answer.seen_by(rule.reads)}):
                yield rule, {**told, "body": text if unread else answer.document}

    def _ruled(self, rule: Rule, facts: Facts, answer: Answer) -> Verdict:
        message = rule.told(facts, self._hide)
        wait = rule.asked(facts, server_time(answer.headers, self._now()))
        wait = self._asked(answer) if wait is None else wait
        match rule.declared.do:
            case "retry":
                return Retry(Again(message, code="SYN403"), wait)
            case "rate_limited":
                return Retry(Again(message, code="SYN404"), wait, throttled=True)
            case "ignore" | "skip":
                withheld = 0 if answer.status in _GONE else answer.status
                return replace(answer, body=b"", parsed=None, parts=(), page=None, empty=True, withheld=withheld)
            case "reauthenticate":
                return Refused(
                    Stalled(
                        message, code="SYN401", help="These credentials can't be renewed by themselves: set new ones."
                    )
                )
            case "reset_paging":
                raise ResetPaging
            case "split":
                raise SplitSpan
            case "restart":
                raise RestartReading
            case "fail":
                raise Invalid(
                    message, code="SYN440", help=f"Status {answer.status}: {excerpt(answer.body, self._hide)}"
                )

    def _by_status(self, answer: Answer) -> Verdict:
        status, shown = answer.status, excerpt(answer.body, self._hide)
        what = f"status {status}" + (f": {foreign(shown)}" if shown else "")
        if status == 429:
            retry = self._limited(answer, f"too many requests ({what})")
            if self._policy.retries_status(status):
                return retry
            retry.error.after = retry.wait
            raise retry.error
        if self._policy.retries_status(status):
            return Retry(Again(what, code="SYN403"), self._asked(answer))
        if status in {401, 403}:
            return Refused(
                Stalled(
                    f"the credentials are refused ({what})",
                    code="SYN401",
                    help="Look at the AuthConfig: is the secret current, and may its owner read this?",
                ),
                ended=status == 401,
            )
        if status >= 500:
            raise Again(what, code="SYN403", after=self._asked(answer))
        raise Invalid(what, code="SYN405", help="Compare the stream's request with the vendor's documentation.")

    def _limited(self, answer: Answer, message: str) -> Retry:
        return Retry(Again(message, code="SYN404"), self._asked(answer), throttled=True)

    def _asked(self, answer: Answer) -> float | None:
        return retry_after(answer.headers, self._policy.honor, self._now())
