"""Files of a web server, each named by its URL below the root: a web server can't be asked which files it has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from syncline.connectors.file.places.place import bounded, spool_of
from syncline.connectors.file.places.web import Web
from syncline.kinds.integration import IntegrationSpec
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.connectors.file.position import OpenFile
    from syncline.sdk.http import Transport
    from syncline.sdk.source import Instance

#: What stays as it is written in a name: all that a URL's path and query may have (RFC 3986, sections 3.3 and 3.4).
_SAFE = "/%?=&~-._+,:;@!$'()"

#: A path that may lead out of the root for one server or another: one that encodes dots and separators, even twice, or
#: that climbs, by a backslash as well, or with a parameter behind the dots.
_CLIMBS = re.compile(r"%(25)*(2e|2f|5c)|^[/\\]|(^|[/\\])\.\.($|[/\\;])", re.IGNORECASE)


class Http:
    """The files below a URL. Names are as they are in it: percent-encoded where they must be, with a query or not."""

    def __init__(self, instance: Instance, root: str, transport: Transport | None = None) -> None:
        self._root = root
        streams = instance.integration.streams if isinstance(instance.integration, IntegrationSpec) else {}
        self._names = [name for stream in streams.values() for name in stream.patterns]
        self._web = Web(instance, transport)
        self.spool = spool_of(instance.home, instance.spool)

    def matching(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """See `Place`. Invalid (SYN450) for names with wildcards, (SYN451) for what leaves the root."""
        for name in patterns:
            if "*" in name or "[" in name:
                raise Invalid(
                    f"{name!r} has a wildcard, and a web server can't be asked which files it has",
                    code="SYN450",
                    help="List the files' names: files: [2026-01.csv, 2026-02.csv].",
                )
            if _CLIMBS.search(name.partition("?")[0]):
                raise Invalid(
                    f"{name!r} leaves the root",
                    code="SYN451",
                    help="Write names relative to config.root, without '..' and without encoded dots and slashes.",
                )
        return bounded(patterns, patterns, self._root)

    def open(self, name: str, shown: str) -> OpenFile:
        """See `Place`."""
        return self._web.open(f"{self._web.base}/{quote(name, safe=_SAFE)}", shown)

    def size(self, name: str) -> int | None:
        """Not known before a file is opened."""
        del name
        return None

    def check(self) -> str:
        """See `Place`: asks for the first file of a stream, since a folder may be nobody's to look at."""
        if not self._names:
            raise Invalid(
                f"{self._root}: no stream names a file to ask for",
                code="SYN450",
                help="Declare a stream: streams: {accounts: {files: accounts.csv}}.",
            )
        name = self.matching(self._names[:1])[0]
        self.open(name, name).handle.close()
        return f"{self._root.rstrip('/')}/{name}"

    def close(self) -> None:
        """See `Place`."""
        self._web.close()
