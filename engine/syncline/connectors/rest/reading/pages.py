"""The paging of a stream, compiled from its declaration, and what a page says about the next one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from syncline.connectors.rest.exchange.answer import Answer
from syncline.connectors.rest.exchange.expressions import Reads, jmespath_of, reads_of
from syncline.connectors.rest.exchange.request import check_place
from syncline.kinds.reading import FromHeader, Page, Told
from syncline.model.errors import Invalid, foreign
from syncline.sdk.formats.json_document import exact_document
from syncline.sdk.paging import ByCursor, ByOffset, ByPage, ByUrl, Pager, Paging, Seen, Short, Single, link
from syncline.sdk.uri import of_header


class Telling(Struct, frozen=True):
    """Where an answer says something: a compiled JMESPath expression over the document, or the name of a header."""

    expression: Any = None
    header: str = ""
    reads: Reads = None

    def of(self, answer: Answer) -> Any:
        """
        What it says; None for nothing, which some APIs write as null in a header. A number has all its digits, as text
        where a double would lose some.
        """
        if self.header:
            text = answer.headers.get(self.header)
            return None if text == "null" else text
        found = self.expression.search(answer.seen_by(self.reads))
        if isinstance(found, float):
            found = self.expression.search(exact_document(answer.body))
        return found

    def text(self, answer: Answer, what: str) -> str | None:
        """What it says as text; None for nothing. `Invalid` (SYN422) for what is no text; `what` it is for people."""
        found = self.of(answer)
        if found is None or found is False or found == "":
            return None
        if isinstance(found, bool | dict | list):
            raise Invalid(
                f"{what} is {type(found).__name__}, not text",
                code="SYN422",
                help="Compare the expression of the stream with the answer.",
            )
        return str(found)

    def count(self, answer: Answer, what: str) -> int | None:
        """What it says as a whole number; None for nothing. `Invalid` (SYN422) for what is none."""
        text = self.text(answer, what)
        if text is not None and not (text.isascii() and text.strip().isdigit() and len(text) < 19):
            raise Invalid(f"{what} is {foreign(ascii(text[:80]))}, not a whole number", code="SYN422")
        return None if text is None else int(text)


class PagePlan(Struct, frozen=True):
    """How a listing is paged, and where its answers say what about it."""

    paging: Paging
    size: dict[str, int]
    token: Telling | None = None
    last: Telling | None = None
    total: Telling | None = None
    count: Telling | None = None
    relation: str | None = None
    short: Short = "next"

    @property
    def by_token(self) -> bool:
        """Whether a page names the next one, whatever records it has."""
        counted = self.total or self.short != "next"
        return isinstance(self.paging, ByCursor | ByUrl) and not counted

    @property
    def by_records(self) -> bool:
        """Whether pages are the same where their records are, whatever is around them. Cursors are compared instead."""
        return isinstance(self.paging, ByPage | ByOffset | ByUrl)

    def pager(self) -> Pager:
        """A pager at the start of the listing."""
        return Pager(self.paging, self.size, self.short)

    def seen(self, answer: Answer, digest: str) -> Seen:
        """What a page shows of the listing, but for how many records it has."""
        return Seen(
            0,
            digest,
            answer.url,
            self._next_token(answer),
            self.last is not None and bool(self.last.of(answer)),
            self.total.count(answer, "the total") if self.total else None,
            self.count.count(answer, "the number of pages") if self.count else None,
        )

    def _next_token(self, answer: Answer) -> str | None:
        """The cursor or URL of the next page, as the answer gives it."""
        if self.relation is not None:
            return link(of_header(answer.headers.get("link", "")), self.relation)
        if self.token is None:
            return None
        found = self.token.text(answer, "the next page's cursor")
        return of_header(found) if found and self.token.header and isinstance(self.paging, ByUrl) else found


def compile_telling(told: Told | None, config: Mapping[str, Any] | None = None) -> Telling | None:
    """Compiles where an answer says something; with `config`, settings may decide it."""
    if told is None:
        return None
    if isinstance(told, FromHeader):
        return Telling(header=told.header.lower())
    expression = jmespath_of(told, config)
    return Telling(expression, reads=reads_of(expression))


def compile_paging(page: Page | None, config: Mapping[str, Any], *, templated: bool) -> PagePlan:
    """
    Compiles a declaration of paging. `templated`: a template of the request reads `page`, so a cursor needs no place.
    Settings of `config` may decide which page is the last.

    Raises `Invalid` (SYN432) unless it is exactly one way.
    """
    if page is None:
        return PagePlan(Single(), {})
    return PagePlan(
        _paging(page, templated=templated),
        dict(page.size),
        token=compile_telling(page.cursor or page.next),
        last=compile_telling(page.last, config),
        total=compile_telling(page.total),
        count=compile_telling(page.pages),
        relation=page.link,
        short=page.short,
    )


def _paging(page: Page, *, templated: bool) -> Paging:
    ways = [name for name in ("cursor", "page", "offset", "next", "link") if getattr(page, name) is not None]
    if len(ways) > 1 or (not ways and not page.size):
        raise Invalid("page needs exactly one of cursor, page, offset, next, link", code="SYN432")
    for place in page.size:
        check_place(place)
    if page.cursor is not None:
        if page.into is None and not templated:
            raise Invalid("page.cursor needs `into`, the place of the cursor in a request", code="SYN432")
        return ByCursor(check_place(page.into) if page.into else "")
    if page.page is not None:
        return ByPage(check_place(page.page), 1 if page.start is None else page.start)
    if page.offset is not None:
        return ByOffset(check_place(page.offset), page.start or 0)
    return ByUrl() if ways else Single()
