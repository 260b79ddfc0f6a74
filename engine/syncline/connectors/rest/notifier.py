"""Messages through an HTTP API, as its connector declares under `notify`: sent, replied to, and resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from syncline.connectors.rest.exchange.expressions import jmespath_of
from syncline.connectors.rest.exchange.opening import once, open_client
from syncline.connectors.rest.exchange.request import RequestPlan, base_url, compile_request, connector_of
from syncline.connectors.rest.reading.began import NOW
from syncline.connectors.rest.writing.judge import Judged, WriteJudge
from syncline.model.errors import Invalid, Stalled, foreign
from syncline.model.notice import Phase
from syncline.sdk.source import Instance, plain

if TYPE_CHECKING:
    from syncline.kinds.carrying import Say
    from syncline.kinds.http import Http
    from syncline.sdk.clock import Clock
    from syncline.sdk.http import Transport
    from syncline.sdk.notice import Notice

#: What a system may call a thread, in characters.
_LONGEST_REF = 255


class _Saying(Struct, frozen=True):
    """A request, compiled, and the expression that finds the thread's name in its answer."""

    plan: RequestPlan
    ref: Any


class RestNotifier:
    """See `Notifier`. Transport and clock are parameters for tests: a real one of each by default.

    A request is made once: what fails is for the outbox to try again.
    """

    def __init__(self, instance: Instance, *, transport: Transport | None = None, clock: Clock | None = None) -> None:
        instance = once(instance)
        spec, http = connector_of(instance)
        if spec.notify is None:
            raise Invalid(
                f"{instance.name} can't carry messages",
                code="SYN731",
                help="Declare `notify` in its connector, or use slack, pagerduty-events or smtp.",
            )
        self._declared = spec.notify
        base = base_url(instance, http)
        self._sayings = {
            name: _saying(say, base, http, f"notify.{name}")
            for name in ("send", "reply", "resolve")
            if (say := getattr(spec.notify, name)) is not None
        }
        self._config = plain(instance.config)
        self._client = open_client(instance, transport=transport, clock=clock)
        self._judge = WriteJudge(http.errors, self._client.judge, self._client.hide)

    def escape(self, text: str) -> str:
        if self._declared.escape == "slack":
            return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return text

    def send(self, notice: Notice) -> str:
        saying = self._sayings[self._name(notice)]
        request = saying.plan.build(self._variables(notice), {})
        answer = self._client.fetch(request, judge=self._judge)
        assert isinstance(answer, Judged)
        if answer.refused:
            raise Stalled(
                f"{self._client.told_place(request)}: {foreign(answer.refused)}",
                code="SYN738",
                help="Look at the channel of the subscription, and at what the credentials may do.",
            )
        found = answer.search(saying.ref)
        return found[:_LONGEST_REF] if isinstance(found, str) else ""

    def close(self) -> None:
        self._client.close()

    def _name(self, notice: Notice) -> str:
        if notice.phase is Phase.resolve and "resolve" in self._sayings:
            return "resolve"
        return "reply" if notice.ref and "reply" in self._sayings else "send"

    def _variables(self, notice: Notice) -> Mapping[str, Any]:
        longest = self._declared.longest
        text = notice.text if len(notice.text) <= longest else notice.text[: longest - 1] + "…"
        return {
            "config": self._config,
            NOW: self._client.now(),
            "id": notice.id,
            "thread": notice.thread or notice.id,
            "ref": notice.ref,
            "phase": str(notice.phase),
            "channel": notice.channel,
            "title": notice.title,
            "text": text,
            "event": notice.event,
            "severity": notice.event["severity"],
        }


def _saying(say: Say, base: str, http: Http, what: str) -> _Saying:
    return _Saying(compile_request(say, base, http, what=what), jmespath_of(say.ref or None))
