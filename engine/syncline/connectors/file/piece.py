"""What a file format offers: reading one file piece by piece. The loop over files is in `source`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from syncline.connectors.file.position import OpenFile
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed, Span

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Piece:
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


class Format(Protocol):
    """A file format, configured for one stream."""

    @property
    def schema(self) -> Schema:
        """Schema of the records of every file."""

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the file's pieces from `at` (empty: its start); at least one, the last marked as such."""
