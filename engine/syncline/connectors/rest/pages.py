"""The paging of a stream, compiled from its declaration, and what a page says about the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from syncline.connectors.rest.judge import Answer
from syncline.connectors.rest.requests import check_place
from syncline.kinds.stream import Page
from syncline.model.errors import Invalid
from syncline.sdk.json_document import exact_document
from syncline.sdk.paging import ByCursor, ByOffset, ByPage, ByUrl, Pager, Paging, Single, link


@dataclass(frozen=True, slots=True)
class PagePlan:
    """How a listing is paged. The expressions are compiled JMESPath, over an answer's document."""

    paging: Paging
    size: dict[str, int]
    token: Any = None
    last: Any = None
    relation: str | None = None

    @property
    def by_token(self) -> bool:
        """Whether a page names the next one, whatever records it has."""
        return isinstance(self.paging, ByCursor | ByUrl)

    def pager(self) -> Pager:
        """A pager at the start of the listing."""
        return Pager(self.paging, self.size)

    def next_token(self, answer: Answer) -> str | None:
        """The cursor or URL of the next page, as the answer gives it. `Invalid` (SYN422) for what is no text."""
        if self.relation is not None:
            return link(answer.headers.get("link", ""), self.relation)
        if self.token is None:
            return None
        token = self.token.search(answer.document)
        if isinstance(token, float):
            token = self.token.search(exact_document(answer.body))  # digits that a double has lost
        if token is None or token is False or token == "":
            return None
        if isinstance(token, bool | dict | list):
            raise Invalid(
                f"the next page's cursor is {type(token).__name__}, not text",
                code="SYN422",
                help="Compare `page.cursor` or `page.next` of the stream with the answer.",
            )
        return str(token)

    def is_last(self, answer: Answer) -> bool:
        """Whether the answer says that it is the last page."""
        return self.last is not None and bool(self.last.search(answer.document))


def _expression(text: str | None) -> Any:
    if text is None:
        return None
    import jmespath

    return jmespath.compile(text)


def compile_paging(page: Page | None, *, templated: bool) -> PagePlan:
    """
    Compiles a declaration of paging. `templated`: a template of the request reads `page`, so a cursor needs no place.

    Raises `Invalid` (SYN432) unless it is exactly one way.
    """
    if page is None:
        return PagePlan(Single(), {})
    return PagePlan(
        _paging(page, templated=templated),
        dict(page.size),
        token=_expression(page.cursor or page.next),
        last=_expression(page.last),
        relation=page.link,
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
        return ByPage(check_place(page.page), page.start)
    if page.offset is not None:
        return ByOffset(check_place(page.offset))
    return ByUrl() if ways else Single()
