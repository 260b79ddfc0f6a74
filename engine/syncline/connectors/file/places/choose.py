"""Which place an integration's root is: a URL's scheme says it, and a path is a folder of this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from syncline.connectors.file.folder import remote_root, root_of
from syncline.connectors.file.places.local import Local
from syncline.model.errors import Invalid
from syncline.sdk.reached import Reached

if TYPE_CHECKING:
    from syncline.connectors.file.places.place import Place
    from syncline.sdk.source import Instance


#: The connectors of the catalogue that say how servers of a scheme are asked over HTTP.
_CONNECTORS: Mapping[str, str] = {"s3": "s3", "https": "web-files", "http": "web-files"}


def place_of(instance: Instance, *, trial: bool = False) -> Place:
    """
    The place of an integration's files. Stalled for a folder that isn't there; servers aren't asked yet. `trial`: what
    is read isn't kept.
    """
    root = remote_root(instance)
    scheme = root.partition("://")[0]
    if scheme in _CONNECTORS and getattr(instance.connector, "http", None) is None:
        raise Invalid(
            f"{instance.name}: its connector can't read files from {scheme}://",
            code="SYN560",
            help=f"Use the connector {_CONNECTORS[scheme]}, which says how such a server is asked.",
        )
    match scheme:
        case "":
            return Local(root_of(instance), instance.home, instance.spool)
        case "s3" if queue := str(instance.config.get("queue") or ""):
            from syncline.connectors.file.places.notified import Notified

            return Notified(instance, root, queue, trial=trial)
        case "s3":
            from syncline.connectors.file.places.s3 import S3

            return S3(instance, root)
        case "https" | "http":
            from syncline.connectors.file.places.http import Http

            return Http(instance, root)
        case "sftp":
            from syncline.connectors.file.places.sftp import Sftp

            return Sftp(instance, root)
        case other:
            raise Invalid(
                f"{instance.name}: files can't be read from {other}://",
                code="SYN560",
                help="config.root is a folder, s3://BUCKET/PREFIX, https://HOST/PATH or sftp://HOST/PATH.",
            )


def check(instance: Instance) -> Reached:
    """Whether a server with files answers, and lets these credentials in. Raises what a run would."""
    began = time.perf_counter()
    with closing(place_of(instance)) as place:
        asked = place.check()
    return Reached(asked, remote_root(instance), time.perf_counter() - began)
