"""What an answer to a write means: it was taken, it is refused for this record, or what it means when reading.

Rules come first: skip rejects the record, ignore counts it as written, fail ends the run, the others mean what they
mean when reading. Without a rule, a 4xx status is about the record, but for those that are about the client.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from syncline.connectors.rest.exchange.answer import Answer
from syncline.connectors.rest.exchange.content import Content, Reading, read_nothing
from syncline.connectors.rest.exchange.judge import Judge, Verdict
from syncline.connectors.rest.exchange.rules import compile_rules, loose
from syncline.kinds.rule import ErrorRule
from syncline.model.errors import Invalid
from syncline.sdk.formats.json_document import Hide, excerpt
from syncline.sdk.http import Response

#: Statuses that are about the client and not about the record: RFC 9110, sections 15.5.2, 15.5.4, 15.5.9; RFC 6585.
_OF_THE_CLIENT = frozenset({401, 403, 408, 429})


class Judged(Answer, frozen=True):
    """An answer to a write. `refused` says why the record isn't taken; empty where it is."""

    refused: str = ""

    def search(self, expression: Any) -> Any:
        """What a compiled expression finds in {status, headers, body}; None for no expression."""
        if expression is None:
            return None
        return expression.search({"status": self.status, "headers": self.headers, "body": self.document})


class WriteJudge:
    """Judges answers to writes; `reading` is the judge of what reads mean."""

    def __init__(self, rules: Sequence[ErrorRule], judging: Callable[[Sequence[ErrorRule]], Judge], hide: Hide) -> None:
        self._rules = [(compiled, judging([compiled.declared])) for compiled in compile_rules(rules)]
        self._plain = judging(())
        self._hide = hide

    def verdict(self, response: Response, url: str, reading: Reading = read_nothing) -> Verdict:
        """What a response means. Raises `Again`, `Stalled` and `Invalid`."""
        del reading
        answer = Judged(url, response.status, response.headers, response.body, parsed=_document(response.body))
        body = loose(response.body) if answer.document is None else answer.document
        facts = {"status": answer.status, "headers": answer.headers, "body": body}
        for rule, as_read in self._rules:
            if not rule.matches(facts):
                continue
            match rule.declared.do:
                case "skip":
                    return self._refused(answer, rule.said(facts, self._hide) if rule.declared.message else "")
                case "ignore":
                    return answer
                case "reset_paging":
                    raise Invalid("a rule says that paging must start over, and this is no page", code="SYN440")
                case _:
                    return as_read.verdict(response, url, _AS_SEEN)
        if 200 <= answer.status < 300:
            return answer
        if 400 <= answer.status < 500 and answer.status not in _OF_THE_CLIENT:
            return self._refused(answer, "")
        return self._plain.verdict(response, url, read_nothing)

    def _refused(self, answer: Judged, message: str) -> Judged:
        shown = message or excerpt(answer.body, self._hide)
        why = f"status {answer.status}" + (f": {shown}" if shown else "")
        return Judged(answer.url, answer.status, answer.headers, answer.body, parsed=answer.parsed, refused=why)


class _AsSeen(Reading):
    """Whatever the body is, so that a rule which matched it here matches it there."""

    def read(self, response: Response, hide: Hide) -> Content:
        del hide
        return Content(response.body, _document(response.body))


_AS_SEEN = _AsSeen()


def _document(body: bytes) -> Any:
    """The document in a body; None where there is none, as in many answers to a write."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
