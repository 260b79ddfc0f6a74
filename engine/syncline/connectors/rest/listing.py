"""One listing of an API, compiled from a stream, and a pass over it: page after page from a position to the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from syncline.connectors.rest.gather import spans_of
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
from syncline.connectors.rest.judge import ResetPaging
from syncline.model.errors import Invalid, SynclineError
from syncline.sdk.batch import Malformed, Position, Span
from syncline.sdk.json_records import BadRecord, PageRecords
from syncline.sdk.paging import Pager, Seen, State

if TYPE_CHECKING:
    from syncline.connectors.rest.client import Client
    from syncline.connectors.rest.decoding import Decoding
    from syncline.connectors.rest.judge import Answer
    from syncline.connectors.rest.pages import PagePlan
    from syncline.connectors.rest.requests import RequestPlan
    from syncline.sdk.http import Request


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked for, how pages follow each other, and what their records are.

    `config` are the instance's plain settings. `typed`: the records' fields are declared, so that the cursor's field
    is a value; otherwise it is in JSON text.
    """

    name: str
    plan: RequestPlan
    pages: PagePlan
    cursor: Cursor | None
    decoding: Decoding
    config: Mapping[str, Any]
    typed: bool

    def begin(self, position: Position | None, *, incremental: bool, now: float) -> Progress:
        """The pass that a position is in, or a new one."""
        return begin(self.cursor, self.pages.pager().first(), position, incremental=incremental, now=now)

    def request(self, pager: Pager, progress: Progress, page: State, scope: Mapping[str, Any]) -> Request:
        """The request for a page of a pass; `scope` are further variables of its templates."""
        ask = pager.ask(page)
        bounds = progress.bounds()
        values: dict[str, str | int] = {}
        if self.cursor is not None:
            values |= {place: bounds[bound] for place, bound in self.cursor.into.items() if bound in bounds}
        known = {"cursor": "cursor", "page": "number", "offset": "offset"}
        shown = {name: page[key] for key, name in known.items() if key in page}
        variables = {**scope, "config": self.config, "page": shown, **bounds}
        if "start" in bounds:
            variables["cursor"] = bounds["start"]
        return self.plan.build(variables, values | dict(ask.values), ask.url)

    def cursors(self, records: list[Any]) -> list[str | None]:
        """The cursor of each record, as text."""
        assert self.cursor is not None
        path = self.cursor.path
        if self.typed:
            return [None if v is None else str(v) for v in self.decoding.values(records, path)]
        texts = self.decoding.values(records, path[:1])
        return [None if text is None else scalar_at(text, path[1:]) for text in texts]


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page's records that are kept, and the position after them.

    `size` is the body's, in bytes; `last`: the pass ended with it. `skipped` counts those that a filter left out.
    """

    records: list[Any]
    spans: tuple[Span, ...]
    malformed: tuple[Malformed, ...]
    digest: str
    size: int
    position: Position
    last: bool
    skipped: int = 0


@dataclass(slots=True)
class Pass:
    """A pass over a listing. Used by one thread at a time.

    `ahead`: the request of the next page is sent while a page is decoded. Only where nothing else uses the client.
    """

    listing: Listing
    client: Client
    progress: Progress
    scope: Mapping[str, Any] = field(default_factory=dict)
    ahead: bool = False
    _pager: Pager = field(init=False)
    _sent: tuple[State, Request] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._pager = self.listing.pages.pager()

    def pages(self) -> Iterator[PageRead]:
        """Every page to the end."""
        progress = self.progress
        resets = 0
        while not progress.ended:
            try:
                yield self._next()
            except ResetPaging:
                if resets:
                    raise Invalid("paging was to start over twice", code="SYN420") from None
                resets += 1
                self._pager = self.listing.pages.pager()
                progress.page = self._pager.first()

    def first_request(self) -> Request:
        """The request of the page that the pass is at."""
        return self.listing.request(self._pager, self.progress, self.progress.page, self.scope)

    def _next(self) -> PageRead:
        request = self._asked(self.progress.page)
        answer = self.client.fetch(request, reading=self.listing.decoding.reading)
        place = self.client.place(request)
        try:
            return self._read(answer, place)
        except SynclineError as error:
            error.message = f"{place}: {error.message}"
            error.args = (error.message,)
            raise

    def _asked(self, page: State) -> Request:
        if self._sent is not None and self._sent[0] is page:
            return self._sent[1]
        return self.listing.request(self._pager, self.progress, page, self.scope)

    def _read(self, answer: Answer, place: str) -> PageRead:
        digest = hashlib.sha256(answer.body).hexdigest()
        pages, progress = self.listing.pages, self.progress
        if answer.empty:
            found = _NOTHING
            following = self._pager.after(progress.page, Seen(0, digest, answer.url, last=True))
        else:
            seen = Seen(0, digest, answer.url, pages.next_token(answer), pages.is_last(answer))
            if pages.by_token and digest != progress.page.get("digest"):
                # The next page doesn't depend on this one's records: it can be on its way while they are decoded.
                following = self._following(seen)
                found = self.listing.decoding.decode(answer)
            else:
                found = self.listing.decoding.decode(answer)
                following = self._following(replace(seen, records=found.count))
        records, rows, bad = self._kept(found)
        malformed = tuple(Malformed(f"{place}#{b.index + 1}", b.message, b.raw, b.field) for b in bad)
        if progress.turn(following):
            progress.base_seen, progress.base = frozenset(progress.top_seen), progress.top
            self._pager = pages.pager()
        spans, position = spans_of(place, rows), progress.position()
        return PageRead(records, spans, malformed, digest, len(answer.body), position, progress.ended, found.skipped)

    def _following(self, seen: Seen) -> State | None:
        """The state of the next page, whose request is sent ahead."""
        following = self._pager.after(self.progress.page, seen)
        if following is None:
            return None
        if "url" in following:
            following["url"] = self.client.kept(following["url"])
        if self.ahead:
            self._sent = (following, self._asked(following))
            self.client.ahead(self._sent[1])
        return following

    def _kept(self, found: PageRecords) -> tuple[list[Any], Sequence[int], tuple[BadRecord, ...]]:
        """The page's records that belong to the pass, their indices on the page, and the malformed ones that do."""
        progress = self.progress
        if progress.cursor is None:
            return found.good, found.rows, found.bad
        encode = self.listing.decoding.encode
        good, rows, bad = found.good, list(found.rows), list(found.bad)
        cursors: list[Found] = []
        unreadable: set[int] = set()
        for index, text in enumerate(self.listing.cursors(good) if good else ()):
            try:
                cursors.append(found_cursor(progress.cursor, text))
            except ValueError:
                unreadable.add(index)
                message = f"Expected `{progress.cursor.kind.type}` as the cursor, got {text!a:.60}"
                raw = encode(good[index])[: 64 * 1024].decode(errors="replace")
                bad.append(BadRecord(rows[index], message, ".".join(progress.cursor.path), raw))
        if unreadable:
            good = [record for index, record in enumerate(good) if index not in unreadable]
            rows = [row for index, row in enumerate(rows) if index not in unreadable]
        # A malformed record has a place in the order too, or it would come again in every pass.
        cursors += [cursor_of_raw(progress.cursor, b.raw) for b in bad]
        size = len(good)

        def digest(index: int) -> str:
            return record_digest(encode(good[index]) if index < size else bad[index - size].raw.encode())

        kept = progress.keep(cursors, digest)
        left = sorted((bad[i - size] for i in kept if i >= size), key=lambda b: b.index)
        return [good[i] for i in kept if i < size], [rows[i] for i in kept if i < size], tuple(left)


_NOTHING = PageRecords([], (), ())
