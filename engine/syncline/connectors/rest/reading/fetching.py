"""What reading pages needs of a client; a client that is wrapped offers the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from syncline.connectors.rest.exchange.content import Reading, read_json

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.sdk.http import Request


class Fetcher(Protocol):
    """Fetches answers. See `Client`."""

    def fetch(self, request: Request, *, reading: Reading = read_json, repeat: bool = True) -> Answer:
        """The answer to a request, its body read by `reading`. Without `repeat` it isn't sent again after a failure."""

    def ahead(self, request: Request) -> None:
        """May send a request before it is fetched."""

    def hide(self, text: str) -> str:
        """The text without secrets."""

    def place(self, request: Request) -> str:
        """A request for people, without secrets."""

    def told_place(self, request: Request) -> str:
        """The same for the message of an error, with what isn't declared of it marked as `foreign`."""

    def kept(self, url: str) -> str:
        """A URL that may be kept in a position."""
