"""From an answer to records: the seam between reading pages and the formats that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from syncline.sdk.json_records import PageRecords, RecordDecoder, record_decoder

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.rest.judge import Answer
    from syncline.kinds.stream import RestStream
    from syncline.model.schema import Schema


class Decoding(Protocol):
    """How the answers of one stream become records, and records columns. Keeps nothing between pages: any thread may
    decode.
    """

    @property
    def schema(self) -> Schema:
        """The fields of the records."""

    def decode(self, answer: Answer) -> PageRecords:
        """The records of an accepted answer that isn't empty. `Invalid` when it holds none where they should be."""

    def frame(self, records: Sequence[Any]) -> pl.DataFrame:
        """Columns of decoded records, with the types of `sdk/frame.py`."""

    def values(self, records: Sequence[Any], path: Sequence[str]) -> list[Any]:
        """The value of a scalar field of each record, by the names that lead to it; None where something is missing."""

    def encode(self, record: Any) -> bytes:
        """Bytes that are equal for equal records, within one schema."""


class _Json:
    """Records of a JSON document."""

    def __init__(self, decoder: RecordDecoder) -> None:
        self._decoder = decoder
        self.schema = decoder.schema
        self.frame = decoder.frame
        self.values = decoder.values
        self.encode = decoder.encode

    def decode(self, answer: Answer) -> PageRecords:
        return self._decoder.decode(answer.body)


def compile_decoding(stream: RestStream, schema: Schema) -> Decoding:
    """The decoding that a stream declares, into records of a schema."""
    return _Json(record_decoder(schema, stream.records))
