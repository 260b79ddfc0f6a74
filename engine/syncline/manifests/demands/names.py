"""What templates of requests may read: the texts that all requests share, and requests that belong to no read.

The requests of streams and jobs are looked at with what they are read for, in `partitions.py` and `content.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from syncline.kinds.carrying import VARIABLES as OF_MESSAGES
from syncline.kinds.erase import ERASING
from syncline.kinds.reading import TIMES
from syncline.kinds.registering import REQUESTS
from syncline.kinds.request import BODIES
from syncline.kinds.rest_stream import scope_fields
from syncline.kinds.write import VERBS
from syncline.manifests.demands.texts import names_in, needed_in, texts_in, texts_of
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest

if TYPE_CHECKING:
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.reading import Cursor
    from syncline.kinds.request import Request
    from syncline.kinds.rest_stream import RestStream
    from syncline.kinds.write import Find, ReadBack, WriteBatch, WriteRequest
    from syncline.model.manifest import Path

#: What every request knows.
_ALWAYS: Final = ("config", "now")
#: What a request about one record knows besides; one about several knows only the last of them.
_OF_RECORD: Final = ("record", "id", "version", "idempotency_key")
#: What tells the result of one record from those of others knows of it.
_OF_RESULT: Final = ("record", "id", "idempotency_key")
#: What a stream with a cursor knows: its bounds.
_BOUNDS: Final = ("start", "end", "cursor")


class _Kind(Struct, frozen=True):
    """A kind of request: what it is called, what it knows, and the first place of it."""

    what: str
    known: tuple[str, ...]
    path: Path


class _Alone(Struct, frozen=True):
    """A request that belongs to no read. `steady`: its body is the same in every attempt, so without `now`."""

    kind: _Kind
    request: Request
    steady: bool = False

    def texts(self) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
        """Its templates, each with its place and the names that are known there."""
        path, known = self.kind.path, self.kind.known
        for at, text in texts_of(self.request, path):
            steady = self.steady and at[len(path)] in BODIES
            yield at, text, tuple(name for name in known if name != "now") if steady else known
        batch: WriteBatch | None = getattr(self.request, "batch", None)
        if batch is not None:
            for at, text in texts_in(batch.each, (*path, "batch", "each")):
                yield at, text, ("config", *_OF_RECORD)
            if batch.key is not None:
                yield (*path, "batch", "key"), batch.key, _OF_RESULT


def check_names(spec: ConnectorSpec) -> Iterator[Problem]:
    """Findings of names that nothing gives, where a template is filled in."""
    alone = list(_alone(spec))
    for asked in alone:
        yield from _own(asked)
    yield from _first(spec)
    kinds = [*_reading(spec), *(asked.kind for asked in alone)]
    for part in ("headers", "query") if spec.http is not None else ():
        for path, text in texts_in(getattr(spec.http, part), ("spec", "http", part)):
            yield from _shared(text, path, kinds)


def _own(asked: _Alone) -> Iterator[Problem]:
    """A finding for each name that a request's own templates read and that it doesn't know."""
    for path, text, known in asked.texts():
        for name in sorted(names_in(text) - set(known)):
            yield Problem(
                "SYN213",
                path,
                f"the template {text[:80]!r} reads {name!r}, which {asked.kind.what} doesn't know here",
                listed(known),
                nearest(name, known),
                help=_STEADY if name == "now" else "",
            )


_STEADY: Final = "What is sent of a record has to be the same in every attempt: have the mapping make the time."


def _shared(text: str, path: Path, kinds: list[_Kind]) -> Iterator[Problem]:
    """A finding for each name that a text of all requests needs, and that one of them doesn't know."""
    for name in sorted(needed_in(text)):
        lacking = next((kind for kind in kinds if name not in kind.known), None)
        if lacking is not None:
            yield Problem(
                "SYN335",
                path,
                f"the template {text[:80]!r} is sent with every request, and reads {name!r}, which {lacking.what}"
                " doesn't know",
                listed(_ALWAYS),
                nearest(name, _ALWAYS),
                help=f"Give a default, {{{{ {name} | default('') }}}}, or put it into the requests that know it.",
            )


def _reading(spec: ConnectorSpec) -> Iterator[_Kind]:
    """What requests that read know for certain."""
    for name, stream in spec.streams.items():
        path: Path = ("spec", "streams", name)
        around = tuple(field.name for field in scope_fields(spec.streams, stream, (name,), grouped=True))
        bounds = _bounds(stream.cursor)
        if stream.job is None:
            yield _Kind(f"stream {name}", (*_ALWAYS, *around, *bounds, "page"), path)
        else:
            known = (*_ALWAYS, *around, "job")
            yield _Kind(f"job.create of stream {name}", (*known, *bounds), path)
            yield _Kind(f"job.poll of stream {name}", known, path)


def _bounds(cursor: Cursor | None) -> tuple[str, ...]:
    """What a stream knows of its bounds when it is read for the first time, its settings given."""
    if cursor is None:
        return ()
    if cursor.windows is not None:
        return _BOUNDS  # windows without a start are refused for themselves
    start = cursor.start is not None or cursor.start_within is not None
    end = cursor.marker is None and cursor.type in TIMES
    return (*(("start", "cursor") if start else ()), *(("end",) if end else ()))


def _first(spec: ConnectorSpec) -> Iterator[Problem]:
    """A finding for each bound that a stream's own templates need and that its first read hasn't."""
    for name, stream in spec.streams.items():
        path: Path = ("spec", "streams", name)
        known = _bounds(stream.cursor)
        own = texts_of(stream, path) if stream.job is None else texts_of(stream.job.create, (*path, "job", "create"))
        for at, text in own:
            for lacking in sorted(needed_in(text).intersection(_BOUNDS).difference(known)):
                more = ", or the cursor a `start`" if lacking != "end" else ""
                yield Problem(
                    "SYN339",
                    at,
                    f"the template {text[:80]!r} reads {lacking!r}, which the first read of stream {name} doesn't have",
                    help=f"Give a default, {{{{ {lacking} | default('') }}}}{more}.",
                )


def _alone(spec: ConnectorSpec) -> Iterator[_Alone]:
    if spec.check is not None:
        yield _Alone(_Kind("the check", _ALWAYS, ("spec", "check")), spec.check)
    for name in ("send", "reply", "resolve") if spec.notify is not None else ():
        if (say := getattr(spec.notify, name)) is not None:
            yield _Alone(_Kind(f"notify.{name}", OF_MESSAGES, ("spec", "notify", name)), say)
    for name in REQUESTS if spec.webhooks is not None else ():
        if (request := getattr(spec.webhooks, name)) is not None:
            yield _Alone(_Kind(f"webhooks.{name}", (*_ALWAYS, "webhook"), ("spec", "webhooks", name)), request)
    for name, stream in spec.streams.items():
        yield from _of_records(name, stream)


def _of_records(name: str, stream: RestStream) -> Iterator[_Alone]:
    for part, verbs in (("write", VERBS), ("erase", ERASING)):
        declared = getattr(stream, part)
        for verb in verbs if declared is not None else ():
            request: WriteRequest | Find | ReadBack | None = getattr(declared, verb)
            if request is None:
                continue
            several = getattr(request, "batch", None) is not None
            known = (*_ALWAYS, *(_OF_RECORD[-1:] if several else _OF_RECORD))
            kind = _Kind(f"{part}.{verb} of stream {name}", known, ("spec", "streams", name, part, verb))
            yield _Alone(kind, request, steady=True)
