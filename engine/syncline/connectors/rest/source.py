"""A stream of an HTTP API as a source: asks for pages, decodes them, gathers them into batches with their position."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from syncline.connectors.rest.client import Client
from syncline.connectors.rest.incremental import (
    Cursor,
    Found,
    Progress,
    begin,
    cursor_of_raw,
    found_cursor,
    record_digest,
    scalar_at,
)
from syncline.connectors.rest.judge import Answer, ResetPaging
from syncline.connectors.rest.pages import compile_paging
from syncline.connectors.rest.requests import base_url, check_place, compile_request, connector_of
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.stream import RestStream
from syncline.model.errors import Invalid, SynclineError
from syncline.model.schema import Schema
from syncline.sdk.batch import Batch, Malformed, Position, Span
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http import HttpTransport, Request, Transport
from syncline.sdk.json_records import BadRecord, PageRecords, RecordDecoder, record_decoder, untyped_schema
from syncline.sdk.paging import Pager, Seen, State
from syncline.sdk.source import Instance, SourceRequest, plain

#: Most pages of a batch: at 100 records a page, a commit each 10,000 records.
MAX_PAGES = 100
#: Longest time, in seconds, that records wait for others before they make a batch: slow APIs commit all the same.
MAX_AGE = 30.0
#: Records that are held as objects before they become columns: few enough to stay in the processor's cache, which makes
#: decoding the pages after them a third faster than gathering a whole batch of objects does.
CHUNK = 1000


def open_client(
    instance: Instance, *, transport: Transport | None, clock: Clock, chance: Callable[[], float]
) -> Client:
    """A client of the instance's API."""
    _, http = connector_of(instance)
    integration = instance.integration
    rate = integration.limits.rate if isinstance(integration, IntegrationSpec) else None
    return Client(
        http,
        instance.credentials,
        transport or HttpTransport(clock, http.max_body),
        clock,
        rate=rate,
        chance=chance,
        count=instance.count,
    )


class RestSource:
    """See `Source`. Transport, clock and chance are parameters for tests: a real one of each by default."""

    def __init__(
        self,
        instance: Instance,
        request: SourceRequest,
        *,
        transport: Transport | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        spec, http = connector_of(instance)
        stream = spec.streams.get(request.stream)
        if stream is None:
            raise Invalid(f"connector {instance.name} has no stream {request.stream}", code="SYN432")
        if stream.parent is not None:
            raise Invalid(
                f"stream {request.stream}: streams for each record of another can't be read yet", code="SYN432"
            )
        self._request = request
        self._config = plain(instance.config)
        self._plan = compile_request(stream, base_url(instance, http), http, what=f"stream {request.stream}")
        self._cursor = self._compiled_cursor(stream)
        self._schema = request.schema or untyped_schema(self._paths(), stream.key)
        self._declared = request.schema is not None
        self._decoder = record_decoder(self._schema, stream.records)
        self._pages = compile_paging(stream.page, templated="page" in self._plan.names)
        self._ahead: tuple[State, Request] | None = None
        self._clock = clock or SystemClock()
        self._client = open_client(instance, transport=transport, clock=self._clock, chance=chance)

    @property
    def schema(self) -> Schema:
        return self._schema

    def read(self, position: Position | None) -> Iterator[Batch]:
        pager = self._pages.pager()
        if not self._schema.fields:
            raise Invalid(
                f"nothing is read of stream {self._request.stream}: it has no schema, and no field is mapped",
                code="SYN432",
            )
        progress = begin(
            self._cursor, pager.first(), position, incremental=self._request.incremental, now=self._clock.now()
        )
        start = position or {}
        gathered = _Gathered(self._decoder, self._clock.monotonic())
        resets = 0
        while not progress.ended:
            try:
                page = self._page(pager, progress)
            except ResetPaging:
                if resets:
                    raise Invalid("paging was to start over twice", code="SYN420") from None
                resets += 1
                pager, progress.page = self._pages.pager(), pager.first()
                continue
            except SynclineError:
                # What came before the failure is good: it is handed over, so that the next run continues after it.
                if gathered.pages:
                    yield self._batch(gathered, start)
                raise
            gathered.add(page)
            if progress.turn(page.following):
                progress.base_seen, progress.base = frozenset(progress.top_seen), progress.top
                pager = self._pages.pager()
            start = progress.position()
            if gathered.full(self._request, self._clock.monotonic()) and not progress.ended:
                yield self._batch(gathered, start)
                gathered = _Gathered(self._decoder, self._clock.monotonic())
        if gathered.rows or gathered.malformed or progress.position() != position:
            yield self._batch(gathered, progress.position())

    def close(self) -> None:
        self._client.close()

    def first_page(self) -> str:
        """Asks for the first page and says where it was; for a connector that declares no check."""
        pager = self._pages.pager()
        state = begin(self._cursor, pager.first(), None, incremental=False, now=self._clock.now())
        request = self._asked(pager, state, state.page)
        self._client.fetch(request)
        return self._client.place(request)

    # --- one page

    def _page(self, pager: Pager, progress: Progress) -> _PageRead:
        request = self._asked(pager, progress, progress.page)
        answer = self._client.fetch(request)
        place = self._client.place(request)
        try:
            return self._read(pager, progress, answer, place)
        except SynclineError as error:
            error.message = f"{place}: {error.message}"
            error.args = (error.message,)
            raise

    def _asked(self, pager: Pager, progress: Progress, page: State) -> Request:
        """The request for a page."""
        if self._ahead is not None and self._ahead[0] is page:
            return self._ahead[1]
        ask = pager.ask(page)
        bounds = progress.bounds()
        values: dict[str, str | int] = {}
        if self._cursor is not None:
            values |= {place: bounds[bound] for place, bound in self._cursor.into.items() if bound in bounds}
        known = {"cursor": "cursor", "page": "number", "offset": "offset"}
        shown = {name: page[key] for key, name in known.items() if key in page}
        variables = {"config": self._config, "page": shown, **bounds}
        if "start" in bounds:
            variables["cursor"] = bounds["start"]
        return self._plan.build(variables, values | dict(ask.values), ask.url)

    def _read(self, pager: Pager, progress: Progress, answer: Answer, place: str) -> _PageRead:
        digest = hashlib.sha256(answer.body).hexdigest()
        if answer.empty:
            seen = Seen(0, digest, answer.url, last=True)
            return _PageRead([], (), (), digest, len(answer.body), pager.after(progress.page, seen))
        seen = Seen(0, digest, answer.url, self._pages.next_token(answer), self._pages.is_last(answer))
        if self._pages.by_token and digest != progress.page.get("digest"):
            # The next page doesn't depend on this one's records: it can be on its way while they are decoded.
            following = self._following(pager, progress, seen)
            found = self._decoder.decode(answer.body)
        else:
            found = self._decoder.decode(answer.body)
            following = self._following(pager, progress, replace(seen, records=found.count))
        records, rows, bad = self._kept(progress, found)
        malformed = tuple(Malformed(f"{place}#{b.index + 1}", b.message, b.raw, b.field) for b in bad)
        return _PageRead(records, _spans(place, rows), malformed, digest, len(answer.body), following)

    def _following(self, pager: Pager, progress: Progress, seen: Seen) -> State | None:
        """The state of the next page, whose request is sent ahead."""
        following = pager.after(progress.page, seen)
        if following is None:
            return None
        if "url" in following:
            following["url"] = self._client.kept(following["url"])
        self._ahead = (following, self._asked(pager, progress, following))
        self._client.ahead(self._ahead[1])
        return following

    def _kept(self, progress: Progress, found: PageRecords) -> tuple[list[Any], list[int], tuple[BadRecord, ...]]:
        """The page's records that belong to the pass, their indices on the page, and the malformed ones that do."""
        if progress.cursor is None:
            return found.good, list(found.rows), found.bad
        good, rows, bad = found.good, list(found.rows), list(found.bad)
        cursors: list[Found] = []
        unreadable: set[int] = set()
        for index, text in enumerate(self._cursors(good)):
            try:
                cursors.append(found_cursor(progress.cursor, text))
            except ValueError:
                unreadable.add(index)
                message = f"Expected `{progress.cursor.kind.type}` as the cursor, got {text!a:.60}"
                raw = self._decoder.encode(good[index])[: 64 * 1024].decode(errors="replace")
                bad.append(BadRecord(rows[index], message, ".".join(progress.cursor.path), raw))
        if unreadable:
            good = [record for index, record in enumerate(good) if index not in unreadable]
            rows = [row for index, row in enumerate(rows) if index not in unreadable]
        # A malformed record has a place in the order too, or it would come again in every pass.
        cursors += [cursor_of_raw(progress.cursor, b.raw) for b in bad]
        size = len(good)

        def digest(index: int) -> str:
            return record_digest(self._decoder.encode(good[index]) if index < size else bad[index - size].raw.encode())

        kept = progress.keep(cursors, digest)
        left = sorted((bad[i - size] for i in kept if i >= size), key=lambda b: b.index)
        return [good[i] for i in kept if i < size], [rows[i] for i in kept if i < size], tuple(left)

    def _cursors(self, records: list[Any]) -> list[str | None]:
        assert self._cursor is not None
        path = self._cursor.path
        if self._declared:
            return [None if v is None else str(v) for v in self._decoder.values(records, path)]
        texts = self._decoder.values(records, path[:1])
        return [None if text is None else scalar_at(text, path[1:]) for text in texts]

    def _batch(self, gathered: _Gathered, position: Position) -> Batch:
        return Batch(
            frame=gathered.frame(),
            spans=tuple(gathered.spans),
            position=position,
            malformed=tuple(gathered.malformed),
            digest=gathered.digest.digest(),
            size=gathered.size,
        )

    # --- what is compiled once

    def _compiled_cursor(self, stream: RestStream) -> Cursor | None:
        if stream.cursor is None:
            if self._request.incremental:
                raise Invalid(
                    f"stream {self._request.stream} has no cursor, so it can't be read incrementally",
                    code="SYN433",
                    help="Declare `cursor: {field: …}` in the connector, or let the sync read: full.",
                )
            return None
        for place in stream.cursor.into:
            check_place(place)
        cursor = Cursor.compile(stream.cursor, self._config, self._plan.names)
        schema = self._request.schema
        if schema is not None and schema.get(cursor.path[0]) is None:
            raise Invalid(
                f"the cursor's field {stream.cursor.field} is not in the schema of stream {self._request.stream}",
                code="SYN433",
                help="Add it to the stream's schema.",
            )
        return cursor

    def _paths(self) -> tuple[str, ...]:
        own = (self._cursor.path[0],) if self._cursor else ()
        return (*self._request.paths, *own)


@dataclass(frozen=True, slots=True)
class _PageRead:
    """A page's records that are kept, with the state of the page after it."""

    records: list[Any]
    spans: tuple[tuple[str, int, int], ...]
    malformed: tuple[Malformed, ...]
    digest: str
    size: int
    following: State | None


@dataclass(slots=True)
class _Gathered:
    """Pages on their way to a batch. `since` is the monotonic time of its start."""

    decoder: RecordDecoder
    since: float
    rows: int = 0
    records: list[Any] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0
    pages: int = 0

    def add(self, page: _PageRead) -> None:
        self.records += page.records
        self.rows += len(page.records)
        if len(self.records) >= CHUNK:
            self.frames.append(self.decoder.frame(self.records))
            self.records = []
        self.spans += [Span(uri, "record", first, count) for uri, first, count in page.spans]
        self.malformed += page.malformed
        self.digest.update(bytes.fromhex(page.digest))
        self.size += page.size
        self.pages += 1

    def frame(self) -> pl.DataFrame:
        """All records, as columns."""
        if self.records or not self.frames:
            self.frames.append(self.decoder.frame(self.records))
            self.records = []
        return pl.concat(self.frames, rechunk=True)

    def full(self, request: SourceRequest, now: float) -> bool:
        return (
            self.rows + len(self.malformed) >= request.batch_rows
            or self.size >= request.batch_bytes
            or self.pages >= MAX_PAGES
            or now - self.since >= MAX_AGE
        )


def _spans(place: str, rows: list[int]) -> tuple[tuple[str, int, int], ...]:
    """Runs of consecutive records of a page: (place, number of the first from 1, count)."""
    if not rows:
        return ()
    if rows[-1] - rows[0] == len(rows) - 1:
        return ((place, rows[0] + 1, len(rows)),)
    found: list[tuple[str, int, int]] = []
    start = 0
    for index in range(1, len(rows) + 1):
        if index == len(rows) or rows[index] != rows[index - 1] + 1:
            found.append((place, rows[start] + 1, index - start))
            start = index
    return tuple(found)
