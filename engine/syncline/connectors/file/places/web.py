"""Files of a web server (RFC 9110), read in ranges by the client that APIs are asked with: limits, retries, egress.

What a file is known again by is its strong ETag, else its weak one with its time. A server that gives neither, or no
ranges, is asked for the whole file, which has to fit into `http.maxBody`; it is then known by its SHA-256. Each answer
must be of the file as it was when it was opened.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline import __version__
from syncline.connectors.file.places.ranges import WINDOW, Ranges, handle
from syncline.connectors.file.position import OpenFile, changed
from syncline.connectors.rest.exchange.answer import Answer
from syncline.connectors.rest.exchange.content import read_nothing
from syncline.connectors.rest.exchange.opening import open_client
from syncline.connectors.rest.exchange.request import base_url, connector_of
from syncline.model.errors import Again, Invalid
from syncline.sdk.http import Request, Response, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.connectors.rest.exchange.client import Client
    from syncline.connectors.rest.exchange.content import Reading
    from syncline.connectors.rest.exchange.judge import Judging, Verdict
    from syncline.sdk.source import Instance

#: How much of a file is asked for when it is opened: as much as a header may have.
_FIRST = 1024 * 1024
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_NO_RANGE = re.compile(r"bytes \*/(\d+)")
#: As it lies there: what is packed is unpacked by the stream's `packing`, and counted in its own bytes.
_AS_IT_IS = {"Accept-Encoding": "identity"}


class Web:
    """Opens files by their URLs. `base` is the integration's endpoint, else its connector's URL. `close` it.

    `transport` is for checks and tests; else there is one to what the instance may reach.
    """

    def __init__(self, instance: Instance, transport: Transport | None = None) -> None:
        _, http = connector_of(instance)
        self.base = base_url(instance, http).rstrip("/")
        self._client = open_client(instance, transport=transport)
        self._judge = _Files(self._client.judge(http.errors))

    @property
    def client(self) -> Client:
        """What sends requests."""
        return self._client

    def open(self, url: str, name: str) -> OpenFile:
        """A file, as it is now. Invalid (SYN450) when it isn't there; else raises what the client does."""
        answer = self._asked(url, 0, _FIRST)
        version = _version(answer)
        size = _size(answer)
        if answer.status == 206 and version and size is not None:

            def fetch(offset: int, count: int) -> bytes:
                steps = range(offset, offset + count, WINDOW)
                return b"".join(self._part(url, name, version, at, min(WINDOW, offset + count - at)) for at in steps)

            ranges = Ranges(fetch, size, answer.body)
            return OpenFile(name, handle(ranges.read, size), size, 0, version, ranges)
        body = b"" if answer.status == 416 else answer.body
        if answer.status == 206:
            answer = self._fetched(url, _AS_IT_IS)
            body, version = answer.body, _version(answer)

        def known(offset: int, count: int) -> bytes:
            return body[offset : offset + count]

        version = version or f"sha256:{hashlib.sha256(body).hexdigest()}"
        return OpenFile(name, handle(known, len(body)), len(body), 0, version, Ranges(known, len(body), body))

    def close(self) -> None:
        """Closes the client."""
        self._client.close()

    def _asked(self, url: str, offset: int, count: int) -> Answer:
        return self._fetched(url, {**_AS_IT_IS, "Range": f"bytes={offset}-{offset + count - 1}"})

    def _fetched(self, url: str, headers: Mapping[str, str]) -> Answer:
        request = Request("GET", url, {"User-Agent": f"syncline/{__version__}", **headers}, raw=True)
        return self._client.fetch(request, reading=read_nothing, judge=self._judge)

    def _part(self, url: str, name: str, version: str, offset: int, count: int) -> bytes:
        answer = self._asked(url, offset, count)
        if answer.status != 206 or _version(answer) != version:
            raise changed(name, "the server has another version of it now")
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if found is None or int(found[1]) != offset or len(answer.body) != count:
            raise Again(
                f"{name}: the server answers with other bytes than it was asked for",
                code="SYN403",
                help="A cache or a proxy between may be broken.",
            )
        return answer.body


class _Files(Struct, frozen=True):
    """Says what answers to requests for files mean, and leaves all else to the judge of the API."""

    inner: Judging

    def verdict(self, response: Response, url: str, reading: Reading) -> Verdict:
        """See `Judging`."""
        if response.status == 416:  # an empty file has no range
            return Answer(url, 416, response.headers)
        if response.status in {404, 410}:
            raise Invalid(
                f"there is no such file (status {response.status})",
                code="SYN450",
                help="Check the name, config.root, and whether the file has arrived.",
            )
        return self.inner.verdict(response, url, reading)


def _version(answer: Answer) -> str:
    """What a file is known again by; empty where the server doesn't tell."""
    tag, time = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    return tag if tag and not tag.startswith("W/") else "; ".join(filter(None, (tag, time)))


def _size(answer: Answer) -> int | None:
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    return int(found[3]) if found is not None and int(found[1]) == 0 else None
