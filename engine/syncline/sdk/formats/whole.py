"""Whole records: everything that a system gives of a record, for looking at it before its fields are declared.

A source that is asked for the schema `WHOLE` yields one column, `@`, with each record as JSON text. Flows never read
so: what isn't declared isn't read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import polars as pl

from syncline.model.errors import Invalid
from syncline.model.schema import JSON, Field, Schema
from syncline.sdk.formats.json_records import PageRecords, RecordDecoder

#: The column that holds a whole record.
COLUMN: Final = "@"
#: The schema that asks a source for whole records. It is open: a cursor may be in any field.
WHOLE: Final = Schema((Field(COLUMN, JSON, nullable=False),), open=True)


class WholeRecords(RecordDecoder):
    """A decoder that keeps each record as it is; one that is no object stays, too, for whoever looks at it.

    >>> decoder = WholeRecords("data[]")
    >>> page = decoder.decode(b'{"data": [{"id": 1, "price": 1.10}]}')
    >>> decoder.frame(page.good).row(0)
    ('{"id": 1, "price": 1.10}',)
    """

    def __init__(self, records: str = "@") -> None:
        super().__init__(WHOLE, records)

    def decode(self, body: bytes) -> PageRecords:
        return self.decode_each(self._raw_records(body))

    def decode_each(self, raws: Sequence[bytes]) -> PageRecords:
        for raw in raws:
            msgspec.json.decode(raw, type=msgspec.Raw)  # a line that is no document by itself raises
        return PageRecords([str(raw, "utf-8") for raw in raws], range(len(raws)), ())

    def frame(self, records: Sequence[Any]) -> pl.DataFrame:
        return pl.DataFrame({COLUMN: pl.Series(COLUMN, list(records), dtype=pl.String)})

    def encode(self, record: Any) -> bytes:
        return msgspec.json.encode(record)

    def values(self, records: Sequence[Any], path: Sequence[str]) -> list[Any]:
        return [_at(as_record(record), path) for record in records]


def as_record(text: str) -> Any:
    """A whole record as Python values, with every digit of its numbers.

    >>> as_record('{"price": 1.10}')
    {'price': Decimal('1.10')}
    """
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Invalid("a record is beyond every bound", code="SYN412") from error


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return None if isinstance(value, dict | list) else value
