"""A webhook: one signed POST (Standard Webhooks) of a message as JSON, to a host that may be reached."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from syncline import __version__
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.notice import INCIDENT
from syncline.model.secret import Secret
from syncline.sdk.clock import Clock
from syncline.sdk.http import Request, Transport, TransportError
from syncline.sdk.notice import Notice
from syncline.sdk.retry import retry_after
from syncline.sdk.standard_webhooks import signed

#: Seconds within which a receiver must answer.
TIMEOUT: Final = 15.0
#: Largest answer that is read, in bytes: nothing in it matters.
MAX_ANSWER: Final = 64 * 1024
_GONE: Final = 410


class WebhookNotifier:
    """See `Notifier`. `keys` are the current one and, while it is being replaced, the former."""

    def __init__(self, url: str, keys: Sequence[Secret], transport: Transport, clock: Clock) -> None:
        self._url = url
        self._keys = keys
        self._transport = transport
        self._clock = clock

    def escape(self, text: str) -> str:
        return text

    def send(self, notice: Notice) -> str:
        body = payload(notice)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"syncline/{__version__}",
            **signed(notice.id, int(self._clock.now()), body, self._keys),
        }
        try:
            answer = self._transport.send(Request("POST", self._url, headers, body), TIMEOUT)
        except TransportError as error:
            if error.permanent:
                raise Stalled(str(error), code=error.code or "SYN408", help=error.help) from error
            raise Again(str(error), code="SYN734", help="It is sent again by itself.") from error
        if 200 <= answer.status < 300:
            return ""
        if answer.status == _GONE:
            raise Invalid("the receiver answers that it is gone (410)", code="SYN733", help="Remove the subscription.")
        wait = retry_after(answer.headers, ("Retry-After",), self._clock.now())
        raise Again(f"the receiver answers {answer.status}", code="SYN734", after=wait)

    def close(self) -> None:
        self._transport.close()


def payload(notice: Notice) -> bytes:
    """The body: type, time and data, as the specification advises; a thread's messages have its id in their data."""
    event = notice.event
    kind = f"{event['type']}.{notice.phase}" if event["type"] == INCIDENT else event["type"]
    data = {name: value for name, value in event.items() if name not in {"type", "time"}}
    document = {"type": kind, "timestamp": event["time"], "data": {**data, "title": notice.title, "text": notice.text}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
