"""Requests that lead to another origin than the connector's URL, which no run would send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from syncline.kinds.request import METHODS, Request
from syncline.manifests.findings import Problem

if TYPE_CHECKING:
    from syncline.kinds.connector import ConnectorSpec
    from syncline.model.manifest import Path

#: A URL whose origin has no template in it.
_LITERAL: Final = re.compile(r"(https?://[^/?#{}\\\s]+)(?=[/?#]|$)")


def check_origins(spec: ConnectorSpec) -> Iterator[Problem]:
    """That requests whose URL is written out are at the connector's origin, where that is written out as well."""
    base = _LITERAL.match(spec.http.url.strip()) if spec.http is not None else None
    if base is None:
        return
    for name in ("check", "webhooks"):
        yield from _within(getattr(spec, name), ("spec", name), base[1])
    for name, stream in spec.streams.items():
        yield from _within(stream, ("spec", "streams", name), base[1])


def _within(value: object, path: Path, base: str) -> Iterator[Problem]:
    """Of a request, and of those that a declaration has."""
    if not isinstance(value, BaseModel):
        return
    for name in METHODS if isinstance(value, Request) else ():
        url = _LITERAL.match(getattr(value, name) or "")
        if url is not None and _elsewhere(base, url[1]):
            yield Problem(
                "SYN406",
                (*path, name),
                f"the request goes to {url[1]}, and the connector's URL is at {base}",
                help="Credentials only go there: give the path alone, or write a connector for the other host.",
            )
    for name, field in type(value).model_fields.items():
        if name not in METHODS:
            yield from _within(getattr(value, name), (*path, field.alias or name), base)


def _elsewhere(base: str, url: str) -> bool:
    from syncline.sdk.http.url import same_origin

    try:
        return not same_origin(base, url)
    except ValueError:  # a port that is none: said where the URL is asked
        return False
