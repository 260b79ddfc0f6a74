"""A pass over a listing: page after page, from a position to the end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from syncline.connectors.rest.exchange.content import UNREADABLE
from syncline.connectors.rest.exchange.judge import ResetPaging, RestartReading, SplitSpan
from syncline.connectors.rest.reading.drift import Drift
from syncline.connectors.rest.reading.gather import spans_of
from syncline.connectors.rest.reading.incremental import (
    Found,
    Progress,
    cursor_of_raw,
    found_cursor,
    record_digest,
)
from syncline.connectors.rest.reading.partition import WHOLE, Partition, Values
from syncline.connectors.rest.reading.step import PageRead
from syncline.model.errors import Invalid, SynclineError, without_foreign
from syncline.model.sample import sample_of
from syncline.sdk.batch import Malformed
from syncline.sdk.formats.json_records import BadRecord, PageRecords
from syncline.sdk.paging import Pager, Seen, State

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.connectors.rest.reading.contract import Breach
    from syncline.connectors.rest.reading.fetching import Fetcher
    from syncline.connectors.rest.reading.listing import Listing
    from syncline.sdk.http import Request


def unheard(text: str) -> None:
    """A notice that nobody listens to."""
    del text


@dataclass(slots=True)
class Pass:
    """A pass over a listing. Used by one thread at a time.

    `partition` is what the listing is read for. `slots` bounds how many requests of all passes are under way.
    `ahead`: the request of the next page is sent while a page is decoded; only where nothing else uses the client.
    """

    listing: Listing
    client: Fetcher
    progress: Progress
    now: Callable[[], float]
    partition: Partition = WHOLE
    slots: AbstractContextManager[Any] = field(default_factory=nullcontext)
    ahead: bool = False
    notice: Callable[[str], None] = unheard
    _pager: Pager = field(init=False)
    _drift: Drift | None = field(init=False, default=None)
    _sent: tuple[State, Request] | None = field(init=False, default=None)
    _window: tuple[Values, ...] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._pager = self.listing.pages.pager()
        if self.listing.typed:
            self._drift = Drift(self.listing.records, frozenset(self.listing.decoding.schema.names))

    def pages(self) -> Iterator[PageRead]:
        """Every page to the end."""
        progress = self.progress
        resets = restarts = 0
        while not progress.ended:
            try:
                yield self._next()
            except SplitSpan:
                progress.split()
                self._pager = self.listing.pages.pager()
            except ResetPaging:
                if resets:
                    raise Invalid("paging was to start over twice", code="SYN420") from None
                resets += 1
                self._pager = self.listing.pages.pager()
                progress.page = self._pager.first()
            except RestartReading:
                if restarts:
                    raise Invalid("reading was to start over twice", code="SYN420") from None
                restarts += 1
                self._pager = self.listing.pages.pager()
                progress.restart(self.now())
                self._window = None
                self.notice(f"{self.listing.name}: the API no longer knew the cursor, so everything was read again")

    def skip(self) -> None:
        """Goes on as after a last page: the listing has none."""
        self._turn(None)

    def first_request(self) -> Request:
        """The request of the page that the pass is at."""
        return self.listing.request(self._pager, self.progress, self.progress.page, self.partition.scope)

    def _next(self) -> PageRead:
        request = self._asked(self.progress.page)
        with self.slots:
            answer = self.client.fetch(request, reading=self.listing.decoding.reading)
        place = self.client.place(request)
        if answer.status == 304 and not any(name.lower().startswith("if-") for name in request.headers):
            raise Invalid(f"{self.client.told_place(request)}: status 304, but no condition was sent", code="SYN405")
        try:
            return self._read(answer, request, place)
        except SynclineError as error:
            if error.code in UNREADABLE and error.sample is None:
                error.sample = sample_of(place, answer.status, answer.headers, answer.body, self.client.hide)
            error.message = f"{self.client.told_place(request)}: {error.marked}"
            raise

    def _asked(self, page: State) -> Request:
        if self._sent is not None and self._sent[0] is page:
            return self._sent[1]
        return self.listing.request(self._pager, self.progress, page, self.partition.scope)

    def _read(self, answer: Answer, request: Request, place: str) -> PageRead:
        digest = hashlib.sha256(answer.body).hexdigest()
        asked = self._described(request) if answer.note or answer.withheld else ""
        pages, progress = self.listing.pages, self.progress
        found = _NOTHING
        following: State | None
        if answer.empty:
            following = self._pager.after(progress.page, Seen(0, digest, answer.url, last=True))
        else:
            seen = pages.seen(answer, self.listing.decoding.digest(answer) if pages.by_records else digest)
            early = pages.by_token and not self._pager.again(progress.page, seen) and not self._decides_by_records
            if early:
                # The next page doesn't depend on this one's records: it can be on its way while they are decoded.
                following = self._following(seen)
            found = self.listing.decoding.decode(answer)
            self._tell_drift(answer, request)
            if not early:
                older = self._looked_at(answer, found)
                following = None if older else self._following(replace(seen, records=found.count))
        records, rows, bad = self._kept(found)
        malformed = tuple(Malformed(f"{place}#{b.index + 1}", b.message, b.raw, b.field) for b in bad)
        breach: Breach | None = None
        if self.listing.contract is not None and (records or bad):
            kept = PageRecords(records, rows, bad)
            # Records of a schema's page have every declared field: nothing of its document is looked at.
            document = answer.document if answer.page is None else None
            breach = self.listing.contract.breach(kept, self.listing.decoding, self._drift, document, place)
        window = self._window = self.progress.window() if self._window is None else self._window
        self._turn(following)
        spans, position = spans_of(place, rows), progress.position()
        size, last = len(answer.body), progress.ended
        notes = (f"{asked}: {answer.note}",) if answer.note else ()
        unsure = f"{asked} was passed over (status {answer.withheld})" if answer.withheld else ""
        return PageRead(
            records, spans, malformed, digest, size, position, last, found.skipped, breach, notes, unsure, window
        )

    def _described(self, request: Request) -> str:
        """The page that is read next, for receipts: what of its URL is declared, and in words what tells it apart."""
        page = self.progress.page
        values = [f"{name} {str(page[name])[:60]!a}" for name in ("cursor", "page", "offset") if page.get(name)]
        words = self.client.hide("".join(f", {text}" for text in (self.partition.described(), *values) if text))
        # What isn't declared of a URL may be a person's, and some of it is in no position.
        return f"{without_foreign(self.client.told_place(request))}{words}"

    def _turn(self, following: State | None) -> None:
        if self.progress.turn(following):
            self.progress.base_seen, self.progress.base = frozenset(self.progress.top_seen), self.progress.top
            self._pager = self.listing.pages.pager()
            self._window = None

    def _tell_drift(self, answer: Answer, request: Request) -> None:
        if self._drift is None:
            return
        page = answer.page
        came, gone = self._drift.changes(answer.document) if page is None else self._drift.changes_to(page.names)
        for names, what in ((came, "have come"), (gone, "are gone")):
            if names:
                shown = ", ".join(f"{name[:60]!a}" for name in names[:5])
                self.notice(f"{self._described(request)}: fields {what} since the first page of this run: {shown}")

    @property
    def _decides_by_records(self) -> bool:
        cursor = self.listing.cursor
        return cursor is not None and (cursor.descending or cursor.token is not None)

    def _looked_at(self, answer: Answer, found: PageRecords) -> bool:
        """Notes the token that an answer gives; whether a feed has come to records that are known."""
        cursor, progress = self.listing.cursor, self.progress
        if cursor is None:
            return False
        if cursor.token is not None:
            progress.told(cursor.token.text(answer, "the cursor's token"))
        return cursor.descending and progress.passed(self._found_cursors(found.good))

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

    def _found_cursors(self, records: list[Any]) -> list[Found]:
        """The cursors of records in their order; None for those that can't be read, which are told of later."""
        assert self.listing.cursor is not None
        cursors: list[Found] = []
        for text in self.listing.cursors(records) if records else ():
            try:
                cursors.append(found_cursor(self.listing.cursor, text))
            except ValueError:
                cursors.append((None, None))
        return cursors

    def _kept(self, found: PageRecords) -> tuple[list[Any], Sequence[int], tuple[BadRecord, ...]]:
        """The page's records that belong to the pass, their indices on the page, and the malformed ones that do."""
        progress = self.progress
        if progress.cursor is None or not progress.cursor.path:
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
                message = f"Expected `{progress.cursor.kind.type}` as the cursor, got another text"
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
