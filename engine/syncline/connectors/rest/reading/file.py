"""Files that answers name: at the API itself like any request, at a declared other host without credentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct, field

from syncline.connectors.rest.exchange.content import Reading, read_json
from syncline.connectors.rest.exchange.sender import Elsewhere
from syncline.connectors.rest.reading.pages import PagePlan
from syncline.model.errors import Invalid, foreign
from syncline.sdk.http import Request, checked_url, followed, same_origin
from syncline.sdk.paging import Ask, Pager, Seen, Single, State

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.connectors.rest.reading.fetching import Fetcher

#: Most redirects from one host to another.
_REDIRECTS = 3
#: Headers that go to other hosts too; whatever else a connector declares may be meant for the API alone.
_PLAIN = frozenset({"accept", "user-agent"})


class FileFetcher(Struct, frozen=True):
    """Fetches files: those at the API's origin with `inner`, those at `hosts` with a client without credentials."""

    inner: Fetcher
    base: str
    hosts: tuple[str, ...]
    anonymous: Callable[[], Fetcher]

    def fetch(self, request: Request, *, reading: Reading = read_json, repeat: bool = True) -> Answer:
        """The answer, after redirects. `Invalid` (SYN498) for a host that isn't declared, or isn't asked by https."""
        for _ in range(_REDIRECTS):
            try:
                return self._once(request, reading, repeat=repeat)
            except Invalid as error:
                if not isinstance(error.__cause__, Elsewhere):
                    raise
                request = Request("GET", checked_url(str(error.__cause__)), request.headers)
        raise Invalid(f"more than {_REDIRECTS} redirects between hosts", code="SYN406")

    def _once(self, request: Request, reading: Reading, *, repeat: bool) -> Answer:
        if same_origin(self.base, request.url):
            return self.inner.fetch(request, reading=reading, repeat=repeat)
        parts = urlsplit(request.url)
        host = (parts.hostname or "").lower()
        safe = parts.scheme == "https" or self.base.startswith("http://")
        if not safe or not any(_is_at(host, pattern.lower()) for pattern in self.hosts):
            raise Invalid(
                f"a file is said to be at {parts.scheme}://{host[:120]}, which is no host of the connector's",
                code="SYN498",
                help="Add the host to `hosts` if files are really kept there. Nothing was sent to it.",
            )
        headers = {name: value for name, value in request.headers.items() if name.lower() in _PLAIN}
        return self.anonymous().fetch(Request("GET", request.url, headers), reading=reading, repeat=repeat)

    def hide(self, text: str) -> str:
        """The text without secrets."""
        return self.inner.hide(text)

    def told_place(self, request: Request) -> str:
        """A request for the message of an error."""
        if same_origin(self.base, request.url):
            return self.inner.told_place(request)
        parts = urlsplit(request.url)
        return f"GET {parts.scheme}://{parts.hostname}{foreign(parts.path)}"

    def place(self, request: Request) -> str:
        """A request for people; another host's without its parameters, which may be a signature."""
        if same_origin(self.base, request.url):
            return self.inner.place(request)
        parts = urlsplit(request.url)
        return f"GET {parts.scheme}://{parts.hostname}{parts.path}"

    def kept(self, url: str) -> str:
        """A URL that may be kept in a position."""
        return self.inner.kept(url)

    def ahead(self, request: Request) -> None:
        """May send a request before it is fetched; none to another host."""
        if same_origin(self.base, request.url):
            self.inner.ahead(request)


def _is_at(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and host != pattern[2:] if pattern.startswith("*.") else host == pattern


class FilePager(Pager):
    """One page a file; where it is in the list is all that a position keeps, since URLs may be signed."""

    def __init__(self, urls: list[str]) -> None:
        super().__init__(Single())
        self._urls = urls

    def first(self) -> State:
        """The state before the first file."""
        return {"file": 0}

    def ask(self, state: State) -> Ask:
        """The file's URL. `Invalid` (SYN422) when the list has become shorter."""
        if state["file"] >= len(self._urls):
            raise Invalid(f"there is no file {state['file'] + 1} of {len(self._urls)} any more", code="SYN422")
        return Ask(url=self._urls[state["file"]])

    def after(self, state: State, seen: Seen) -> State | None:
        """The state of the next file, if there is one."""
        del seen
        return {"file": state["file"] + 1} if state["file"] + 1 < len(self._urls) else None


class FilePages(PagePlan, frozen=True):
    """The pages of files whose URLs are known once their job is done."""

    paging: Single = field(default_factory=Single)
    size: dict[str, int] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)

    def pager(self) -> Pager:
        """A pager at the first file."""
        return FilePager(self.urls)

    def found(self, urls: object, base: str) -> None:
        """Takes in what names the files: a URL or a list of them. `Invalid` (SYN422) for anything else."""
        named = urls if isinstance(urls, list) else [urls]
        listed = [url for url in named if isinstance(url, str) and url]
        if len(listed) < len(named):
            raise Invalid(
                "job.download.url gives neither a URL nor a list of them",
                code="SYN422",
                help="Compare it with the last poll's answer: an expression over {status, headers, body}.",
            )
        try:
            self.urls[:] = [followed(base, url) for url in listed]
        except ValueError:
            raise Invalid(
                "job.download.url gives something that is no URL",
                code="SYN422",
                help="Compare it with the last poll's answer: an expression over {status, headers, body}.",
            ) from None
