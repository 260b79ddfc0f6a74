"""What an answer of an API means: the first rule that matches decides, then its status. Logic only, nothing is sent.

A judge gives an `Answer` to read on, a `Retry` (worth another attempt) or `Refused` (the credentials are); what ends
the read at once is raised. Who sends decides when to try again, and whether credentials can be renewed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from syncline.kinds.connector import ErrorRule
from syncline.model.errors import Again, Invalid, Stalled
from syncline.sdk.http import Response
from syncline.sdk.json_document import Hide, check_document, excerpt
from syncline.sdk.retry import RetryPolicy, retry_after


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
class Retry:
    """Worth another attempt: after so many seconds, if the server says so; `error` if there is none left.

    `throttled`: it came too early or too often, which is no fault of the server's.
    """

    error: Again
    wait: float | None = None
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The credentials are refused: worth another attempt with renewed ones, where they can be; else the error."""

    error: Stalled


Verdict = Answer | Retry | Refused


class Reading(Protocol):
    """How the body of a good answer is read."""

    def __call__(self, response: Response, hide: Hide) -> tuple[bytes, Any]:
        """The body as checked JSON and the document in it. Raises `Again` for damage and `Invalid` for other things."""


def read_json(response: Response, hide: Hide) -> tuple[bytes, Any]:
    """A body that is JSON as it stands."""
    return check_document(response.body, response.headers.get("content-type", ""), hide)


def read_nothing(response: Response, hide: Hide) -> tuple[bytes, Any]:
    """A body that nobody looks at."""
    del hide
    return response.body, None


class Judge:
    """Judges answers by rules, the first of which that matches decides. `hide` takes secrets out of messages."""

    def __init__(
        self, rules: Sequence[ErrorRule], policy: RetryPolicy, *, hide: Hide, now: Callable[[], float]
    ) -> None:
        self._rules = [(_compiled(rule.when), rule) for rule in rules]
        self._policy = policy
        self._hide = hide
        self._now = now

    def verdict(self, response: Response, url: str, reading: Reading = read_json) -> Verdict:
        """What a response to a request for `url` means. Raises `Again`, `Stalled`, `Invalid` and `ResetPaging`."""
        good = 200 <= response.status < 300
        answer = Answer(url, response.status, response.headers, response.body, empty=response.status == 204)
        if good and not answer.empty:
            body, document = reading(response, self._hide)
            answer = replace(answer, body=body, document=document)
        elif self._rules:
            answer = replace(answer, document=_loose(response.body))
        for condition, rule in self._rules:
            if condition.search({"status": answer.status, "headers": answer.headers, "body": answer.document}):
                return self._ruled(rule, answer)
        return answer if good else self._by_status(answer)

    def _ruled(self, rule: ErrorRule, answer: Answer) -> Verdict:
        message = rule.message or f"the connector's rule for {rule.when} says {rule.do}"
        match rule.do:
            case "retry":
                return Retry(Again(message, code="SYN403"), self._asked(answer))
            case "rate_limited":
                return self._limited(answer, message)
            case "ignore" | "skip":
                return replace(answer, body=b"", document=None, empty=True)
            case "reauthenticate":
                return Refused(
                    Stalled(
                        message, code="SYN401", help="These credentials can't be renewed by themselves: set new ones."
                    )
                )
            case "reset_paging":
                raise ResetPaging
            case "fail":
                raise Invalid(
                    message, code="SYN440", help=f"Status {answer.status}: {excerpt(answer.body, self._hide)}"
                )

    def _by_status(self, answer: Answer) -> Verdict:
        status, shown = answer.status, excerpt(answer.body, self._hide)
        what = f"status {status}" + (f": {shown}" if shown else "")
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
                )
            )
        if status >= 500:
            raise Again(what, code="SYN403", after=self._asked(answer))
        raise Invalid(what, code="SYN405", help="Compare the stream's request with the vendor's documentation.")

    def _limited(self, answer: Answer, message: str) -> Retry:
        return Retry(Again(message, code="SYN404"), self._asked(answer), throttled=True)

    def _asked(self, answer: Answer) -> float | None:
        return retry_after(answer.headers, self._policy.honor, self._now())


def _compiled(expression: str) -> Any:
    import jmespath

    return jmespath.compile(expression)


def _loose(body: bytes) -> Any:
    """A document that only conditions look at; None when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
