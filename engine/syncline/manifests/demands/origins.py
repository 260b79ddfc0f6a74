"""Requests that lead to another origin than the one that credentials go to, which no run would send.

That is the origin of the connector's URL, or of the endpoint that an integration has in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from syncline.kinds.request import METHODS, Request
from syncline.manifests.findings import Problem

if TYPE_CHECKING:
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.integration import IntegrationSpec
    from syncline.model.manifest import Path

#: A URL whose origin has no template in it.
_LITERAL: Final = re.compile(r"(https?://[^/?#{}\\\s]+)(?=[/?#]|$)")


def check_origins(spec: ConnectorSpec) -> Iterator[Problem]:
    """That requests whose URL is written out are at the connector's origin, where that is written out as well."""
    base = _LITERAL.match(spec.http.url.strip()) if spec.http is not None else None
    if base is None:
        return
    for path, url in _requests(spec):
        if _elsewhere(base[1], url):
            yield Problem(
                "SYN406",
                path,
                f"the request goes to {url}, and the connector's URL is at {base[1]}",
                help="Credentials only go there: give the path alone, or write a connector for the other host.",
            )


def check_endpoints(spec: IntegrationSpec, connector: ConnectorSpec) -> Iterator[Problem]:
    """That requests of the connector whose URL is written out are at the origin of each endpoint in its place."""
    for number, endpoint in enumerate(spec.endpoints):
        base = _LITERAL.match(endpoint.url.strip())
        if base is None:
            continue
        for path, url in _requests(connector):
            if _elsewhere(base[1], url):
                where = ".".join(str(part) for part in path[1:])
                yield Problem(
                    "SYN406",
                    ("spec", "endpoints", number, "url"),
                    f"{where} of the connector goes to {url}, and this endpoint is at {base[1]}",
                    help="Credentials only go there: let the connector give the path alone, which every endpoint has.",
                )
                break  # one says what is to be done


def _requests(spec: ConnectorSpec) -> Iterator[tuple[Path, str]]:
    """The origins of requests that are written out, and where they are declared."""
    for name in ("check", "webhooks"):
        yield from _within(getattr(spec, name), ("spec", name))
    for name, stream in spec.streams.items():
        yield from _within(stream, ("spec", "streams", name))


def _within(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Of a request, and of those that a declaration has."""
    if not isinstance(value, BaseModel):
        return
    for name in METHODS if isinstance(value, Request) else ():
        url = _LITERAL.match(getattr(value, name) or "")
        if url is not None:
            yield (*path, name), url[1]
    for name, field in type(value).model_fields.items():
        if name not in METHODS:
            yield from _within(getattr(value, name), (*path, field.alias or name))


def _elsewhere(base: str, url: str) -> bool:
    from syncline.sdk.http.url import same_origin

    try:
        return not same_origin(base, url)
    except ValueError:  # a port that is none: said where the URL is asked
        return False
