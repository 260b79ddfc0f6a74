"""Error rules compiled: whether one matches an answer, what it says to people, and how long it says to wait."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from msgspec import Struct

from syncline.connectors.rest.exchange.expressions import Reads, jmespath_of, reads_of
from syncline.kinds.rule import ErrorRule
from syncline.model.errors import Invalid, foreign
from syncline.sdk.retry import MAX_BELIEVED, reset_after
from syncline.sdk.template import Template, TemplateError, compile_template

#: Longest message of a rule, in characters.
MAX_MESSAGE = 500
#: How much of a text of the API is looked at, in bytes.
_MAX_TEXT = 64 * 1024
Facts = Mapping[str, Any]


class Rule(Struct, frozen=True):
    """A compiled rule, over facts of an answer: its status, headers (names in lower case) and body.

    `reads` is what its condition looks at in the body.
    """

    declared: ErrorRule
    condition: Any
    message: Template
    wait: Any = None
    reads: Reads = None

    def matches(self, facts: Facts) -> bool:
        """Whether the condition is true; one that can't be applied to this answer isn't."""
        return bool(_found(self.condition, facts))

    def said(self, facts: Facts, hide: Callable[[str], str]) -> str:
        """What it says to people: without secrets and control characters, and bounded."""
        text = ""
        try:
            text = self.message.render(facts)
        except Invalid:
            text = self.message.text  # what it asks for isn't in this answer
        return for_people(text, hide) or f"the connector's rule for {self.declared.when} says {self.declared.do}"

    def told(self, facts: Facts, hide: Callable[[str], str]) -> str:
        """The same for the message of an error: what isn't the connector's own text is marked as `foreign`."""
        text = self.said(facts, hide)
        return text if "{" not in self.message.text or text == self.message.text else foreign(text)

    def asked(self, facts: Facts, now: float) -> float | None:
        """Seconds that its `wait` expression finds; None without one, or for what is no time."""
        return None if self.wait is None else wait_of(_found(self.wait, facts), now)


def compile_rules(rules: Iterable[ErrorRule]) -> tuple[Rule, ...]:
    """Compiles declared rules, in their order."""
    try:
        return tuple(map(_compiled, rules))
    except TemplateError as error:
        raise Invalid(f"the message of an error rule: {error.message}", code="SYN430") from error


def _compiled(rule: ErrorRule) -> Rule:
    condition = jmespath_of(rule.when)
    return Rule(rule, condition, compile_template(rule.message), jmespath_of(rule.wait), reads_of(condition, "body"))


def for_people(text: str, hide: Callable[[str], str]) -> str:
    """A text of an API in a message: without secrets and control characters, and bounded."""
    text = hide(text[:_MAX_TEXT])[: 4 * MAX_MESSAGE]
    text = " ".join("".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text).split())
    return text[: MAX_MESSAGE - 1] + "…" if len(text) > MAX_MESSAGE else text


def wait_of(value: Any, now: float) -> float | None:
    """Seconds from now that a number of seconds, a Unix time, an HTTP date or an ISO 8601 time means."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = reset_after(str(value), now)
    if found is not None:
        return found
    try:
        time = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    time = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return min(max(time.timestamp() - now, 0.0), MAX_BELIEVED)


def loose(body: bytes) -> Any:
    """What conditions see of a body that isn't read: its document if it is JSON, else the start of its text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:_MAX_TEXT].decode("utf-8", errors="replace")


def _found(expression: Any, facts: Facts) -> Any:
    from jmespath.exceptions import JMESPathError

    try:
        return expression.search(facts)
    except (JMESPathError, TypeError, RecursionError):
        return None
