"""The `file` runtime, as the registry lists it. Formats and column libraries are imported when a stream is opened."""

from __future__ import annotations

import os
import time

from syncline.connectors.file.folder import remote_root, root_of
from syncline.connectors.runtime import Runtime
from syncline.model.errors import Stalled
from syncline.sdk.comparison import Compared, Proposed
from syncline.sdk.destination import Destination, Limits, Target
from syncline.sdk.reached import Reached
from syncline.sdk.source import Instance, Source, SourceRequest


def open_source(instance: Instance, request: SourceRequest) -> Source:
    """Opens a stream of files."""
    from syncline.connectors.file import source

    return source.open_source(instance, request)


def open_destination(instance: Instance) -> Destination:
    """Opens a folder for writing."""
    from syncline.connectors.file import destination

    return destination.open_destination(instance)


def open_rows(instance: Instance, stream: str, names: tuple[str, ...], key: tuple[str, ...]) -> Source:
    """What a folder holds; see `Runtime.open_rows`."""
    from syncline.connectors.file import reading_back

    return reading_back.open_rows(instance, stream, names, key)


def check(instance: Instance) -> Reached:
    """Whether the root is there and can be read; what it returns of a folder says whether it can be written, too."""
    if remote_root(instance):
        from syncline.connectors.file.places.choose import check as look

        return look(instance)
    began = time.perf_counter()
    root = root_of(instance)
    if not os.access(root, os.R_OK | os.X_OK):
        raise Stalled(f"{root} can't be read", code="SYN452", help="Give the user that runs Syncline access to it.")
    writable = " and writable" if os.access(root, os.W_OK) else ", not writable"
    return Reached(f"{root}: readable{writable}", "a folder", time.perf_counter() - began)


def compare(instance: Instance, proposed: Proposed) -> Compared:
    """What a write would do: files are appended to, or replaced whole."""
    from syncline.connectors.file.folder import declared_root, locate
    from syncline.connectors.file.listing import Folder

    target, root = proposed.target, declared_root(instance)
    listing = None
    if root.is_dir():
        place = locate(root, target.stream, instance.home)
        listing = Folder(place).load() if place.is_dir() else None
    there = listing.rows if listing is not None else 0
    return Compared(inserted=proposed.frame.height, deleted=there if target.mode == "replace" else 0, there=there)


def limits(instance: Instance, target: Target) -> Limits:
    """Values that the format can't hold; see `file/render.py`."""
    from syncline.connectors.file import render
    from syncline.connectors.file.destination import format_of

    form = format_of(instance)
    return Limits(lambda frame: render.refusals(frame, target.schema, form))


RUNTIME = Runtime("file", open_source, open_destination, check, compare=compare, open_rows=open_rows, limits=limits)
