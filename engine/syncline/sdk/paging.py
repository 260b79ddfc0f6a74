"""Paging as pure logic: what to ask for first, and after each page whether and how to go on. No I/O.

The state is plain JSON data that goes into a source's position, so that a killed run continues at the page it was to
read. A server that never ends is found out: a cursor, URL or page that comes again is an error, never an endless or
silently partial read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Literal, assert_never

from msgspec import Struct, field

from syncline.model.errors import Invalid, foreign
from syncline.sdk.http import followed, same_origin

State = dict[str, Any]


class Single(Struct, frozen=True):
    """One request gives everything.

    >>> Pager(Single()).after({}, Seen(records=3, digest="a")) is None
    True
    """


class ByCursor(Struct, frozen=True):
    """Each page names the cursor of the next, which goes to `into` (`query.cursor`; empty: a template reads it).

    >>> Pager(ByCursor("query.cursor")).after({}, Seen(records=3, digest="a", token="c2"))
    {'cursor': 'c2', 'digest': 'a'}
    """

    into: str


class ByPage(Struct, frozen=True):
    """Pages are numbered from `start`; the first without records is the end. A short one isn't: servers cap sizes.

    >>> Pager(ByPage("query.page", start=0)).first()
    {'page': 0}
    """

    into: str
    start: int = 1


class ByOffset(Struct, frozen=True):
    """Pages start at a record number, from `start` on counted by the records that came, whatever size was asked for.

    >>> Pager(ByOffset("query.offset")).after({"offset": 0}, Seen(records=50, digest="a"))
    {'offset': 50, 'digest': 'a', 'first': 'a'}
    >>> Pager(ByOffset("query.startIndex", start=1)).first()
    {'offset': 1}
    """

    into: str
    start: int = 0


class ByUrl(Struct, frozen=True):
    """Each page gives the URL of the next, absolute or relative to its own, at the same origin.

    >>> Pager(ByUrl()).after({}, Seen(3, "a", url="https://api.example.com/t", token="/t?p=2"))
    {'url': 'https://api.example.com/t?p=2', 'digest': 'a', 'first': 'a'}
    """


Paging = Single | ByCursor | ByPage | ByOffset | ByUrl
#: What a page with fewer records than were asked for means.
Short = Literal["next", "last", "fail"]


class Ask(Struct, frozen=True):
    """What a request for a page needs: values by place, or a whole URL instead of the stream's own.

    >>> Pager(ByPage("query.page"), {"query.limit": 100}).ask({"page": 3}).values
    {'query.limit': 100, 'query.page': 3}
    """

    values: Mapping[str, str | int] = field(default_factory=dict)
    url: str | None = None


class Seen(Struct, frozen=True):
    """
    What a page showed: how many records, a digest of them (of the whole page, where a cursor leads to the next), its
    URL, the token of the next page (cursor or URL), whether it says that it is the last, and how many records and pages
    it says there are in all.

    >>> Seen(records=0, digest="e3b0c442").last
    False
    """

    records: int
    digest: str
    url: str = ""
    token: str | None = None
    last: bool = False
    total: int | None = None
    pages: int | None = None


class Pager:
    """Walks the pages of one listing. `size` are constant values by place, such as {"query.limit": 100}.

    `short` says what a page with fewer records than that means: `next` nothing, `last` the end, `fail` an error if
    there is to be another one. A listing that ends with fewer records or pages than it said is an error.

    >>> pager = Pager(ByCursor("query.cursor"))
    >>> state = pager.after(pager.first(), Seen(records=2, digest="a", token="c2"))
    >>> pager.ask(state).values
    {'query.cursor': 'c2'}
    >>> pager.after(state, Seen(records=1, digest="b", token=None)) is None
    True
    """

    def __init__(self, paging: Paging, size: Mapping[str, int] | None = None, short: Short = "next") -> None:
        self._paging = paging
        self._size: dict[str, str | int] = dict(size or {})
        self._full = min(size.values()) if size else 0
        self._short = short
        self._tokens: set[bytes] = set()

    def first(self) -> State:
        """The state before the first page."""
        match self._paging:
            case ByPage(start=start):
                return {"page": start}
            case ByOffset(start=start):
                return {"offset": start}
            case _:
                return {}

    def ask(self, state: State) -> Ask:
        """What to ask for in a state."""
        match self._paging:
            case Single():
                return Ask(self._size)
            case ByCursor(into=into):
                return Ask(self._size | ({into: state["cursor"]} if into and "cursor" in state else {}))
            case ByPage(into=into):
                return Ask(self._size | {into: state["page"]})
            case ByOffset(into=into):
                return Ask(self._size | {into: state["offset"]})
            case ByUrl():
                return Ask(url=state["url"]) if "url" in state else Ask(self._size)
            case _ as unknown:
                assert_never(unknown)

    def after(self, state: State, seen: Seen) -> State | None:
        """The state after a page; None when it was the last. Raises `Invalid` when the server goes in circles."""
        if seen.records and (which := self.again(state, seen)):
            raise Invalid(
                f"the page has the same records as {which}",
                code="SYN421",
                help="The API seems to ignore the paging parameter: compare `page` with its documentation. If it gives "
                "its last or first page again past the end, declare what ends the listing: `total`, `pages`, `last` or "
                "`short`.",
            )
        following = None if seen.last else self._following(state, seen)
        if following is not None and self._short != "next" and 0 < seen.records < self._full:
            if self._short == "fail":
                raise _fewer(
                    f"the page has {seen.records} records of {self._full} asked for, and claims that there are more"
                )
            following = None
        return self._counted(state, seen, following)

    def again(self, state: State, seen: Seen) -> str | None:
        """
        Which page has come again, in words; None for none. A position that an earlier version kept has no first page,
        and then it is the first that is read from it.
        """
        if seen.digest == state.get("digest"):
            return "the one before it"
        return "the first one" if seen.digest == state.get("first") else None

    def _following(self, state: State, seen: Seen) -> State | None:
        match self._paging:
            case Single():
                return None
            case ByCursor():
                return {"cursor": self._new(seen.token)} if seen.token else None
            case ByPage(start=start):
                number = state["page"] + 1
                ended = seen.pages is not None and number - start >= seen.pages
                return {"page": number} if seen.records and not ended else None
            case ByOffset():
                return {"offset": state["offset"] + seen.records} if seen.records else None
            case ByUrl():
                return {"url": self._new(_resolved(seen.url, seen.token))} if seen.token else None
            case _ as unknown:
                assert_never(unknown)

    def _counted(self, state: State, seen: Seen, following: State | None) -> State | None:
        """The next state with what was counted in it. Raises `Invalid` where fewer came than there are."""
        count = state.get("count", 0) + seen.records
        total = state.get("total") if seen.total is None else seen.total
        pages = state.get("pages") if seen.pages is None else seen.pages
        if following is not None and isinstance(self._paging, ByPage | ByOffset) and total is not None:
            following = None if count >= total else following
        if following is None:
            read = state["page"] - self._paging.start + 1 if isinstance(self._paging, ByPage) else None
            if total is not None and count < total:
                raise _fewer(f"{count:,} records came of {total:,} that the API says there are")
            # An empty page is how some of them end, so it isn't one of those that are counted.
            if pages is not None and read is not None and read - (not seen.records) < pages:
                raise _fewer(f"{read:,} pages came of {pages:,} that the API says there are")
            return None
        told = {"count": count, "total": total, "pages": pages} if total is not None or pages is not None else {}
        following |= {k: v for k, v in told.items() if v is not None} | {"digest": seen.digest}
        if isinstance(self._paging, ByPage | ByOffset | ByUrl):
            following["first"] = state.get("first", seen.digest)
        return following

    def _new(self, token: str) -> str:
        mark = blake2b(token.encode(errors="surrogatepass"), digest_size=8).digest()
        if mark in self._tokens:
            raise Invalid(
                f"paging goes in circles: the next page would be {foreign(ascii(token[:120]))} again",
                code="SYN420",
                help="The API gave a cursor or URL for the second time. Nothing after the last commit was kept.",
            )
        self._tokens.add(mark)
        return token


def _fewer(what: str) -> Invalid:
    return Invalid(
        what,
        code="SYN476",
        help="Run again: records may have been deleted meanwhile. If it stays, compare `page` with the API's answers.",
    )


def _resolved(base: str, token: str) -> str:
    try:
        url = followed(base, token)
        same = same_origin(base, url)
    except ValueError:
        url, same = token, False
    if not same:
        raise Invalid(
            f"the next page is said to be at another host: {url.partition('?')[0][:200]!a}",
            code="SYN406",
            help="Credentials are only sent to the origin of the connector's URL.",
        )
    return url


_LINK = re.compile(r"\s*<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*))?)*)\s*(?:,|$)")
_PARAMETER = re.compile(r";\s*([^\s=;,]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*))")


def link(header: str, relation: str) -> str | None:
    """
    The target of a relation in a Link header (RFC 8288, section 3); None when there is none.

    A `rel` holds several relations separated by spaces, compared without case; only the first `rel` of a link counts.

    >>> link('<https://api.example.com/t?page=2>; rel="next", </t>; rel="first"', "next")
    'https://api.example.com/t?page=2'
    """
    at = 0
    while match := _LINK.match(header, at):
        relations: str | None = None
        for name, quoted, bare in _PARAMETER.findall(match[2]):
            if name.lower() == "rel" and relations is None:
                relations = re.sub(r"\\(.)", r"\1", quoted) or bare
        if relation.lower() in (relations or "").lower().split():
            return match[1].strip()
        if match.end() == at:
            break
        at = match.end()
    return None
