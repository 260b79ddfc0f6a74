"""Messages of a queue of Amazon SQS, received and deleted by its JSON protocol, with signed requests.

A message that is received isn't given to others for `HIDDEN` seconds; one that isn't deleted by then comes again. So
nothing is lost where whoever received it dies, and whoever receives it has to expect it twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from syncline import __version__
from syncline.connectors.rest.exchange.content import Content, Reading
from syncline.connectors.rest.exchange.opening import open_client
from syncline.connectors.rest.exchange.request import connector_of
from syncline.kinds.integration import IntegrationSpec
from syncline.model.errors import Invalid
from syncline.sdk.formats.json_document import Hide, check_document
from syncline.sdk.http import Request

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.client import Client
    from syncline.sdk.http import Response, Transport
    from syncline.sdk.source import Instance

#: Seconds for which a message that was received is hidden: the longest that SQS knows is 12 hours.
HIDDEN: Final = 3600
#: The same for one that is only looked at.
LOOKED_AT: Final = 60
#: Messages that one answer has at most, and that one request may delete.
MOST: Final = 10
_PROTOCOL: Final = "AmazonSQS"


class _Answers(Reading):
    """Answers of SQS are JSON under a media type of their own."""

    def read(self, response: Response, hide: Hide) -> Content:
        """See `Reading`."""
        return Content(*check_document(response.body, hide=hide))


class Message(Struct, frozen=True):
    """A message, and the receipt by which it is deleted."""

    id: str
    receipt: str
    body: str


class Queue:
    """A queue by its URL, asked with the credentials, limits and network of an integration. `close` it."""

    def __init__(self, instance: Instance, url: str, transport: Transport | None = None) -> None:
        self.url = url
        parts = urlsplit(url)
        self._base = f"{parts.scheme}://{parts.netloc}/"
        self._client: Client = open_client(_asking(instance, self._base), transport=transport)

    def received(self, hidden: int = HIDDEN) -> Iterator[Message]:
        """Messages, each hidden from others for so many seconds from now on, until there are none."""
        while True:
            asked = {"MaxNumberOfMessages": MOST, "VisibilityTimeout": hidden, "WaitTimeSeconds": 1}
            answer = self._asked("ReceiveMessage", asked)
            messages = answer.get("Messages") or []
            if not messages:
                return
            for found in messages:
                match found:
                    case {"MessageId": str(known), "ReceiptHandle": str(receipt), "Body": str(body)}:
                        yield Message(known, receipt, body)
                    case _:
                        raise self._broken("a message has no id, receipt and body")

    def delete(self, messages: Sequence[Message]) -> None:
        """Deletes messages that were received. One that was hidden for too long may come again all the same."""
        for part in _tens(messages):
            entries = [{"Id": str(n), "ReceiptHandle": message.receipt} for n, message in enumerate(part)]
            self._asked("DeleteMessageBatch", {"Entries": entries})

    def give_back(self, messages: Sequence[Message]) -> None:
        """Lets others have messages that were received, at once."""
        for part in _tens(messages):
            entries = [
                {"Id": str(n), "ReceiptHandle": message.receipt, "VisibilityTimeout": 0}
                for n, message in enumerate(part)
            ]
            self._asked("ChangeMessageVisibilityBatch", {"Entries": entries})

    def described(self) -> str:
        """About how many messages wait to be received, and how often one may be before it is given up."""
        answer = self._asked("GetQueueAttributes", {"AttributeNames": ["ApproximateNumberOfMessages", "RedrivePolicy"]})
        match answer.get("Attributes"):
            case {"ApproximateNumberOfMessages": str(count), **more} if count.isascii() and count.isdigit():
                most = re.search(r'"maxReceiveCount"\s*:\s*"?(\d+)', str(more.get("RedrivePolicy", "")))
                given_up = f", each given up after it was received {most[1]} times" if most else ""
                return f"about {int(count):,} messages{given_up}"
            case _:
                raise self._broken("it doesn't tell how many messages wait")

    def close(self) -> None:
        """Closes the client."""
        self._client.close()

    def _asked(self, action: str, what: Mapping[str, Any]) -> dict[str, Any]:
        headers = {
            "User-Agent": f"syncline/{__version__}",
            "Content-Type": "application/x-amz-json-1.0",
            "Accept": "application/json",
            "X-Amz-Target": f"{_PROTOCOL}.{action}",
        }
        request = Request("POST", self._base, headers, json.dumps({"QueueUrl": self.url, **what}).encode())
        answer = self._client.fetch(request, reading=_Answers()).document
        if not isinstance(answer, dict):
            raise self._broken("the answer is no object")
        return answer

    def _broken(self, why: str) -> Invalid:
        return Invalid(
            f"{self.url}: the server doesn't answer as SQS does: {why}",
            code="SYN332",
            help="Check config.queue: it is the URL of a queue of Amazon SQS.",
        )


def _asking(instance: Instance, base: str) -> Instance:
    """The instance as it asks the queue: at another host, and signed for another service."""
    spec, http = connector_of(instance)
    credentials = instance.credentials
    if credentials.type == "aws_sigv4":
        credentials = replace(credentials, settings={**credentials.settings, "service": "sqs"})
    integration = instance.integration
    if isinstance(integration, IntegrationSpec):
        integration = integration.model_copy(update={"endpoints": ()})
    connector = spec.model_copy(update={"http": http.model_copy(update={"url": base})})
    return replace(instance, connector=connector, integration=integration, credentials=credentials)


def _tens(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    return (messages[at : at + MOST] for at in range(0, len(messages), MOST))
