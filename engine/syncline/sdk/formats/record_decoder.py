"""The decoder of a stream's records: by the declared schema, or whole where none is declared."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from syncline.sdk.formats.json_records import RecordDecoder
from syncline.sdk.formats.whole import WHOLE, WholeRecords

if TYPE_CHECKING:
    from syncline.model.schema import Schema


@lru_cache(maxsize=128)
def record_decoder(schema: Schema, records: str) -> RecordDecoder:
    """The decoder of a schema and an expression, made once: it keeps nothing between pages."""
    return WholeRecords(records) if schema == WHOLE else RecordDecoder(schema, records)
