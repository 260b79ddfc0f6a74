"""Webhooks that are registered at an HTTP API, as its connector declares under `webhooks`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

from syncline.connectors.rest.exchange.opening import once, open_client
from syncline.connectors.rest.exchange.request import base_url, compile_request, connector_of
from syncline.connectors.rest.reading.began import NOW
from syncline.connectors.rest.reading.source import RestSource
from syncline.connectors.rest.writing.judge import Judged, WriteJudge
from syncline.kinds.registering import REQUESTS
from syncline.model.errors import Invalid, Stalled, SynclineError, foreign
from syncline.sdk.formats.whole import COLUMN, WHOLE, as_record
from syncline.sdk.source import Instance, SourceRequest, plain
from syncline.sdk.webhooks import Wanted, Webhook

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.request import RequestPlan

#: Most webhooks of an account that are looked at.
MOST: Final = 10_000
_GONE: Final = frozenset({404, 410})


class RestWebhooks:
    """See `Webhooks`. A change is asked for once: what fails, the next look tries again."""

    def __init__(self, instance: Instance) -> None:
        import jmespath

        spec, http = connector_of(instance)
        if spec.webhooks is None:
            raise Invalid(
                f"no webhooks can be registered at {instance.name}",
                code="SYN790",
                help="Declare `webhooks` in its connector, or leave them out of the integration.",
            )
        self._declared = declared = spec.webhooks
        self._instance = instance
        expressions = {name: getattr(declared, name) for name in ("id", "url", "events", "active")}
        self._expressions = {name: jmespath.compile(text) for name, text in expressions.items() if text is not None}
        base = base_url(instance, http)
        self._plans: dict[str, RequestPlan] = {
            name: compile_request(request, base, http, what=f"webhooks.{name}")
            for name in REQUESTS
            if (request := getattr(declared, name)) is not None
        }
        self._config = plain(instance.config)
        self._client = open_client(once(instance))
        self._judge = WriteJudge(http.errors, self._client.judge, self._client.hide)

    def place(self) -> str:
        blank = {"name": "", "url": "", "events": [], "secret": "", "id": "ID"}
        asked = self._plans["delete"].build({"config": self._config, "webhook": blank, NOW: ""}, {})
        return json.dumps([asked.method, asked.url, asked.body.decode(errors="replace")])

    def there(self) -> tuple[Webhook, ...]:
        request = SourceRequest(self._declared.stream, WHOLE, ())
        source = RestSource(self._instance, request)
        try:
            found: list[Webhook] = []
            for batch in source.read(None):
                found += [self._webhook(as_record(row[COLUMN])) for row in batch.frame.to_dicts()]
                if batch.malformed or len(found) > MOST:
                    raise self._unreadable("records that can't be read" if batch.malformed else f"more than {MOST:,}")
            return tuple(found)
        finally:
            source.close()

    def register(self, wanted: Wanted) -> None:
        if wanted.id and "update" not in self._plans:
            self.delete(wanted.id)
            self._ask("create", wanted)
        else:
            self._ask("update" if wanted.id else "create", wanted)

    def delete(self, id: str) -> None:  # noqa: A002 - the field's word
        self._ask("delete", Wanted("", "", id=id))

    def close(self) -> None:
        self._client.close()

    def _webhook(self, record: Any) -> Webhook:
        found = {name: expression.search(record) for name, expression in self._expressions.items()}
        id_, url, events = found["id"], found["url"], found.get("events")
        if isinstance(id_, bool) or not isinstance(id_, str | int) or not isinstance(url, str):
            raise self._unreadable("one without an id or a URL")
        listed = tuple(e for e in events if isinstance(e, str)) if isinstance(events, list) else None
        return Webhook(str(id_), url, listed, bool(found.get("active", True)))

    def _unreadable(self, what: str) -> Invalid:
        return Invalid(
            f"{self._instance.name}: the stream {self._declared.stream} gives {what}",
            code="SYN792",
            help="Look at `webhooks` of the connector: at its stream, and at id and url.",
        )

    def _ask(self, name: str, wanted: Wanted) -> None:
        """Sends one of the requests. What the answer says of the secret is said of nobody."""
        secret = wanted.secret.reveal() if wanted.secret is not None else ""
        about = {"name": wanted.name, "url": wanted.url, "events": list(wanted.events), "secret": secret}
        variables: Mapping[str, Any] = {
            "config": self._config,
            "webhook": {**about, "id": wanted.id},
            NOW: self._client.now(),
        }
        request = self._plans[name].build(variables, {})
        try:
            # Where it isn't known what became of one, the next look finds what is new there.
            answer = self._client.fetch(request, judge=self._judge, repeat=False)
        except SynclineError as error:
            error.message = _hidden(error.marked, secret)
            raise
        assert isinstance(answer, Judged)
        if answer.refused and not (name == "delete" and answer.status in _GONE):
            raise Stalled(
                _hidden(f"{self._client.told_place(request)}: {foreign(answer.refused)}", secret),
                code="SYN791",
                help="Look at the webhook's events, and at what the credentials may do.",
            )


def _hidden(text: str, secret: str) -> str:
    """The text without a secret, also where it was escaped once or twice: for JSON, for a URL, for HTML."""
    if not secret:
        return text
    once = _escaped(secret)
    forms = once | {twice for form in once for twice in _escaped(form)}
    found = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return re.sub(found, "***", text, flags=re.IGNORECASE)


def _escaped(text: str) -> set[str]:
    plain_json = json.dumps(text, ensure_ascii=False)[1:-1]
    json_forms = {json.dumps(text)[1:-1], plain_json}
    json_forms |= {form.replace("/", "\\/") for form in json_forms}
    return {text, *json_forms, quote(text), quote(text, safe=""), quote_plus(text), html.escape(text), repr(text)[1:-1]}
