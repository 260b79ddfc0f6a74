"""What a file format offers: reading one file piece by piece. The loop over files is in `source`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, Self

from msgspec import Struct

from syncline.connectors.file.position import OpenFile
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed, Span

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.file.blocks import Block


class Piece(Struct, frozen=True):
    """Some records of a file, and where it continues after them.

    `digest` and `size` are of the raw bytes. `upto` is how many bytes of the file must stay as they are for a later
    read to continue; `growable` says whether what is appended after the last piece starts a new record.
    """

    frame: pl.DataFrame
    spans: tuple[Span, ...]
    malformed: tuple[Malformed, ...]
    digest: bytes
    size: int
    at: Mapping[str, int]
    upto: int
    last: bool
    growable: bool = False

    @classmethod
    def of(
        cls,
        block: Block,
        head: bytes,
        line: int,
        frame: pl.DataFrame,
        spans: tuple[Span, ...],
        malformed: tuple[Malformed, ...],
    ) -> Self:
        """The records of a block that ends with the file's line `line`; `head` is what was read right before it."""
        digest = hashlib.sha256(head)
        digest.update(block.data)
        end = block.offset + len(block.data)
        return cls(
            frame,
            spans,
            malformed,
            digest.digest(),
            len(head) + len(block.data),
            {"offset": end, "line": line},
            end,
            last=block.last,
            growable=block.data.endswith(b"\n"),
        )


class Format(Protocol):
    """A file format, configured for one stream."""

    @property
    def schema(self) -> Schema:
        """Schema of the records of every file."""

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the file's pieces from `at` (empty: its start); at least one, the last marked as such."""
