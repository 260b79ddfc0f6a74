"""What ties the files of an import to the rows at its destination, for its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field, structs

from syncline.model.run import FileCounts
from syncline.sdk.destination import Counting
from syncline.sdk.offers import offers
from syncline.sdk.source import Digesting

if TYPE_CHECKING:
    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.sdk.destination import Destination
    from syncline.sdk.source import Source


class Accounted(Struct, frozen=True):
    """Digests (SHA-256, hex) and counts by file, and how many rows are at the destination; nothing of a sync, or of
    what is no files.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileCounts] = field(default_factory=dict)
    rows: int | None = None


def accounted_of(source: Source, done: Checkpoint, rows: int | None) -> Accounted:
    """What a source was, as it was read until its end; `rows` are at the destination."""
    digests = source.digests(done.position) if offers(source, Digesting) else {}
    sizes = source.sizes(done.position) if offers(source, Digesting) else {}
    files = {name: structs.replace(each, size=sizes.get(name)) for name, each in done.files.items()}
    return Accounted(digests, files, rows)


def rows_at(destination: Destination, stream: str) -> int | None:
    """How many rows a table has now, asked of its destination; None of one that can't count."""
    return destination.count(stream) if offers(destination, Counting) else None
