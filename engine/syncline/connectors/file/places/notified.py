"""Objects of a bucket that a queue tells of: what has come since they were read last, without listing the bucket.

The notifications are those that S3 sends to SQS, by itself, through SNS or through EventBridge. One is deleted when
what it tells of is committed. It may come twice, and after another run has read the object: which version was read is
known from the position. What is of another bucket, or matches no pattern of the stream, is somebody else's and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus, urlsplit

import orjson

from syncline.connectors.file.places.patterns import matcher
from syncline.connectors.file.places.s3 import S3
from syncline.connectors.file.places.sqs import Message, Queue

if TYPE_CHECKING:
    from syncline.connectors.file.places.place import Room
    from syncline.connectors.file.position import OpenFile
    from syncline.sdk.source import Instance

#: Most messages that one run takes; what is left is for the next one.
MOST: Final = 5_000


@dataclass(frozen=True, slots=True)
class Told:
    """An object that a notification tells of, by its bucket and key, and its size where it says so."""

    bucket: str
    key: str
    size: int | None = None


class Notified:
    """The objects below `s3://bucket/prefix` that a queue tells of. `close` gives back what wasn't `settled`.

    `trial`: nothing is kept of what is read, so that everything is given back.
    """

    def __init__(self, instance: Instance, root: str, url: str, *, trial: bool) -> None:
        parts = urlsplit(root)
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._objects = S3(instance, root)
        self._queue = Queue(instance, url)
        self._notice = instance.notice
        self._trial = trial
        self._told: dict[str, list[Message]] = {}
        self._others: list[Message] = []
        self._sizes: dict[str, int | None] = {}

    @property
    def spool(self) -> Room:
        """See `Place`."""
        return self._objects.spool

    def matching(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """See `Place`; none at all is nothing new."""
        matches = [matcher(pattern) for pattern in patterns]
        unread = 0
        for message in islice(self._queue.received(), MOST):
            told = notified(message.body)
            names = [self._name(one) for one in told or ()]
            if told is None:
                unread += 1
                self._others.append(message)
            elif not told:
                self._told.setdefault("", []).append(message)  # of nothing that has come: a test, or a deletion
            else:
                ours = {name for name in names if name and any(match(name) for match in matches)}
                self._sizes |= {name: one.size for one, name in zip(told, names, strict=True) if name in ours}
                if len(ours) < len(set(names)):
                    self._others.append(message)
                    continue
                for name in ours:
                    self._told.setdefault(name, []).append(message)
        if unread:
            self._notice(f"{self._queue.url}: {unread} messages are no notifications of S3, and were left there")
        self.settled("")
        return tuple(sorted(self._sizes))

    def open(self, name: str, shown: str) -> OpenFile:
        """See `Place`."""
        return self._objects.open(name, shown)

    def size(self, name: str) -> int | None:
        """See `Place`."""
        return self._sizes.get(name)

    def settled(self, name: str) -> None:
        """What a file has is committed: nobody needs to be told of it any more, unless by a message on others too."""
        if self._trial:
            return
        messages = self._told.pop(name, [])
        still = {message.id for others in self._told.values() for message in others}
        self._queue.delete([message for message in messages if message.id not in still])

    def check(self) -> str:
        """See `Place`: asks the bucket for an object, and the queue how many messages wait."""
        asked = self._objects.check()
        return f"{asked}; {self._queue.url}: about {self._queue.waiting():,} messages"

    def close(self) -> None:
        """See `Place`."""
        left = {message.id: message for messages in (*self._told.values(), self._others) for message in messages}
        try:
            if left:
                self._queue.give_back(tuple(left.values()))
        finally:
            self._queue.close()
            self._objects.close()

    def _name(self, told: Told) -> str:
        """The name below the root; '' for what isn't there."""
        if told.bucket != self._bucket or not told.key.startswith(self._prefix):
            return ""
        return told.key[len(self._prefix) :]


def notified(body: str) -> tuple[Told, ...] | None:
    """
    The objects that have come, as a message tells; None for a message that is no notification of S3.

    >>> notified('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"},'
    ...          ' "object": {"key": "a+b.csv", "size": 3}}}]}')
    (Told(bucket='b', key='a b.csv', size=3),)
    >>> notified('{"Event": "s3:TestEvent"}'), notified("hello")
    ((), None)
    """
    document = _document(body)
    match document:
        case {"Type": "Notification", "Message": str(inner)}:  # through SNS
            return notified_by(_document(inner))
        case _:
            return notified_by(document)


def notified_by(document: Any) -> tuple[Told, ...] | None:
    """The same, of the document that S3 or EventBridge has made."""
    match document:
        case {"Event": "s3:TestEvent"}:
            return ()
        case {"Records": list(records)}:
            found = [_record(record) for record in records]
            return None if None in found else tuple(told for part in found for told in part or ())
        case {"source": "aws.s3", "detail-type": str(kind), "detail": dict(detail)}:
            made = _told(detail, encoded=False)
            return None if made is None else (made,) if kind == "Object Created" else ()
        case _:
            return None


def _document(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _record(record: Any) -> tuple[Told, ...] | None:
    match record:
        case {"eventName": str(event), "s3": dict(found)}:
            made = _told(found, encoded=True)
            created = event.removeprefix("s3:").startswith("ObjectCreated:")
            return None if made is None else (made,) if created else ()
        case _:
            return None


def _told(found: Mapping[str, Any], *, encoded: bool) -> Told | None:
    match found:
        case {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **more}}:
            size = more.get("size")
            return Told(bucket, unquote_plus(key) if encoded else key, size if isinstance(size, int) else None)
        case _:
            return None
