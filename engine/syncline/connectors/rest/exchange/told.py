"""What of a request may be told where it is kept: what is declared of its URL. The rest may be of a record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from syncline.connectors.rest.exchange.request import connector_of
from syncline.model.errors import foreign

if TYPE_CHECKING:
    from syncline.sdk.source import Instance

_BETWEEN = re.compile(r"[/?&=]")


def declared_words(instance: Instance) -> frozenset[str]:
    """Pieces of URLs, and names, that the connector and the integration declare."""
    declared = (connector_of(instance)[0].model_dump(mode="json"), instance.integration.model_dump(mode="json"))
    return frozenset(piece for text in _texts(declared) for piece in _BETWEEN.split(text) if piece)


def marked_place(place: str, words: frozenset[str]) -> str:
    """
    A request for people, with all that isn't declared of its path and query marked as `foreign`.

    >>> from syncline.model.errors import Invalid
    >>> place = marked_place("GET /people/ada/notes?since=8", frozenset({"people", "notes", "since"}))
    >>> Invalid(place, code="SYN405").told
    'GET /people/…/notes?since=…'
    """
    method, _, url = place.partition(" ")
    path, mark, query = url.partition("?")
    parts = [part if not part or unquote(part) in words else foreign(part) for part in path.split("/")]
    pairs = []
    for pair in query.split("&") if query else []:
        name, equals, value = pair.partition("=")
        pairs.append(f"{name if unquote(name) in words else foreign(name)}{equals}{foreign(value)}")
    return f"{method} {'/'.join(parts)}{mark}{'&'.join(pairs)}"


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
            yield from value.split(".")  # query.since
        case dict():
            for name, inner in value.items():
                yield from _texts(name)
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)
        case _:
            pass
