"""Objects of a bucket that a queue tells of: what has come since they were read last, without listing the bucket.

The notifications are those that S3 sends to SQS, by itself, through SNS or through EventBridge. One is deleted when
what it tells of is committed. It may come twice, and after another run has read the object: which version was read is
known from the position. What is of another bucket, or matches no pattern of the stream, is somebody else's and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

import orjson
from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.file.places.patterns import matcher
from syncline.connectors.file.places.s3 import S3
from syncline.connectors.file.places.sqs import LOOKED_AT, Message, Queue
from syncline.connectors.file.places.sqs import MOST as PER_ANSWER

if TYPE_CHECKING:
    from syncline.connectors.file.places.place import Room
    from syncline.connectors.file.position import OpenFile
    from syncline.sdk.source import Instance

#: Most messages that one run takes; what is left is for the next one.
MOST: Final = 5_000
#: What messages are noted under that tell of nothing that has come: a deletion, or that the queue is tried.
_NOTHING: Final = ""


class Told(Struct, frozen=True):
    """An object that a notification tells of, by its bucket and key, and its size where it says so. Not `created`: of
    something else that became of it, such as its deletion.
    """

    bucket: str
    key: str
    size: int | None = None
    created: bool = True


class Notified:
    """The objects below `s3://bucket/prefix` that a queue tells of. `close` gives back what wasn't `settled`.

    `trial`: nothing is kept of what is read, so that everything is given back.
    """

    def __init__(self, instance: Instance, root: str, url: str, *, trial: bool) -> None:
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
        received = self._queue.received(LOOKED_AT) if self._trial else self._queue.received()
        for message in islice(received, PER_ANSWER if self._trial else MOST):
            told = notified(message.body)
            unread += told is None
            self._sort(replace(message, body=""), told, matches)  # whoever may send decides how long bodies are
        if unread:
            self._notice(f"{self._queue.url}: {unread} messages are no notifications of S3, and were left there")
        self.settled(_NOTHING)
        return tuple(sorted(self._sizes))

    def _sort(self, message: Message, told: Sequence[Told] | None, matches: Sequence[Callable[[str], bool]]) -> None:
        """Notes what a message tells of, and who has to have it again: others, if it tells of anything else as well."""
        by_name = {self._objects.below(one.bucket, one.key): one for one in told or ()}
        ours = {name: one for name, one in by_name.items() if name and any(match(name) for match in matches)}
        come = {name: one.size for name, one in ours.items() if one.created}
        self._sizes |= come
        if told is None or len(ours) < len(by_name):
            self._others.append(message)
            return
        for name in come or (_NOTHING,):
            self._told.setdefault(name, []).append(message)

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
        return f"{asked}; {self._queue.url}: {self._queue.described()}"

    def close(self) -> None:
        """See `Place`."""
        left = {message.id: message for messages in (*self._told.values(), self._others) for message in messages}
        try:
            if left:
                self._queue.give_back(tuple(left.values()))
        finally:
            self._queue.close()
            self._objects.close()


def notified(body: str) -> tuple[Told, ...] | None:
    """
    The objects that have come, as a message tells; None for a message that is no notification of S3.

    >>> notified('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"},'
    ...          ' "object": {"key": "a+b.csv", "size": 3}}}]}')
    (Told(bucket='b', key='a b.csv', size=3, created=True),)
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
            return None if made is None else (replace(made, created=kind == "Object Created"),)
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
            return None if made is None else (replace(made, created=created),)
        case _:
            return None


def _told(found: Mapping[str, Any], *, encoded: bool) -> Told | None:
    match found:
        case {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **more}}:
            size = more.get("size")
            return Told(bucket, unquote_plus(key) if encoded else key, size if isinstance(size, int) else None)
        case _:
            return None
