"""Objects of S3, and of what speaks its protocol: listed (ListObjectsV2), and read in ranges, by signed requests.

A bucket is addressed by the path (`https://s3.eu-west-1.amazonaws.com/bucket/key`), which all of them understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from syncline import __version__
from syncline.connectors.file.places.patterns import literal_start, matcher
from syncline.connectors.file.places.place import bounded, spool_of
from syncline.connectors.file.places.web import Web
from syncline.connectors.rest.exchange.content import read_nothing
from syncline.model.errors import Invalid
from syncline.sdk.formats.xml_document import xml_document
from syncline.sdk.http import Request, with_query

if TYPE_CHECKING:
    from syncline.connectors.file.position import OpenFile
    from syncline.sdk.http import Transport
    from syncline.sdk.source import Instance

#: Most objects that are looked at to find those of a stream.
_MOST_LISTED = 1_000_000
#: What each page counts for at least, so that a server that gives empty ones for ever is left as well.
_LEAST_LISTED = 100
_LISTED = [("ListBucketResult", "Contents")]
_SIZE = re.compile(r"[0-9]{1,19}")


class S3:
    """The objects below `s3://bucket/prefix`."""

    def __init__(self, instance: Instance, root: str, transport: Transport | None = None) -> None:
        parts = urlsplit(root)
        self._root = root
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._web = Web(instance, transport)
        self._name = parts.netloc
        self._bucket = f"{self._web.base}/{quote(parts.netloc)}"
        self._sizes: dict[str, int] = {}
        self.spool = spool_of(instance.home, instance.spool)

    def matching(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """See `Place`. Objects whose names end in `/` stand for folders and are left out."""
        self._sizes = {}
        for pattern in patterns:
            matches = matcher(pattern)
            self._sizes |= {name: size for name, size in self._listed(literal_start(pattern)) if matches(name)}
        return bounded(list(self._sizes), patterns, self._root)

    def below(self, bucket: str, key: str) -> str:
        """The name of an object below the root; '' for one that isn't."""
        return key[len(self._prefix) :] if bucket == self._name and key.startswith(self._prefix) else ""

    def open(self, name: str, shown: str) -> OpenFile:
        """See `Place`."""
        return self._web.open(f"{self._bucket}/{quote(self._prefix + name, safe='/~-._')}", shown)

    def size(self, name: str) -> int | None:
        """See `Place`."""
        return self._sizes.get(name)

    def close(self) -> None:
        """See `Place`."""
        self._web.close()

    def check(self) -> str:
        """See `Place`: asks for one object of the list."""
        request = self._request({"max-keys": "1", "prefix": self._prefix})
        self._page(request)
        return self._web.client.place(request)

    def _listed(self, start: str) -> Iterator[tuple[str, int]]:
        """Names below the prefix that begin with a text, and sizes."""
        query, seen = {"max-keys": "1000"}, 0
        while True:
            page = self._page(self._request({**query, "prefix": self._prefix + start}))
            for entry in page["Contents"]:
                key, size = self._object(entry)
                if not key.endswith("/"):
                    yield key[len(self._prefix) :], size
            if page.get("IsTruncated") != "true":
                return
            seen += max(len(page["Contents"]), _LEAST_LISTED)
            if seen >= _MOST_LISTED:
                raise Invalid(
                    f"{self._root}/{start} has more than {_MOST_LISTED:,} objects",
                    code="SYN450",
                    help="Narrow the pattern: what stands before its first wildcard is asked for only.",
                )
            token = page.get("NextContinuationToken")
            if not isinstance(token, str) or not token or token == query.get("continuation-token"):
                raise self._broken("a page of its list says that more follow, and not where")
            query["continuation-token"] = token

    def _object(self, entry: object) -> tuple[str, int]:
        """The key and the size of an entry of a list."""
        match entry:
            case {"Key": str(key), "Size": str(size)} if key.startswith(self._prefix) and _SIZE.fullmatch(size):
                return key, int(size)
        raise self._broken("an entry of its list has no key below the prefix, or no size")

    def _request(self, query: dict[str, str]) -> Request:
        url = with_query(self._bucket, {"list-type": "2", **query})
        return Request("GET", url, {"User-Agent": f"syncline/{__version__}", "Accept": "application/xml"})

    def _page(self, request: Request) -> dict[str, Any]:
        answer = self._web.client.fetch(request, reading=read_nothing)
        page = xml_document(answer.body, answer.headers.get("content-type", ""), _LISTED).get("ListBucketResult")
        if not isinstance(page, dict):
            raise self._broken("the answer is no list of objects")
        return page

    def _broken(self, why: str) -> Invalid:
        return Invalid(
            f"{self._root}: the server doesn't list its objects as S3 does: {why}",
            code="SYN410",
            help="Check the endpoint: it must speak the protocol of S3, with buckets in the path.",
        )
