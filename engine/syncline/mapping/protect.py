"""Protection of target values: masks, and keyed hashes that are stable inside a tenant."""

from __future__ import annotations

import hmac

import polars as pl

from syncline.mapping.lower import Column, as_text
from syncline.mapping.types import scalar
from syncline.model.schema import DataType

#: What a masked value becomes, before the characters that are kept. Its length says nothing about the value's.
MASK = "***"


def masked(values: pl.Series, data_type: DataType, keep: int) -> pl.Series:
    """`***` and the last `keep` characters, of values that are at least twice as long; others show none."""
    text = as_text(Column(pl.col(values.name), scalar(data_type)))
    hides = text.str.len_chars() >= 2 * keep
    shown = pl.when(hides).then(text.str.tail(keep)).otherwise(pl.lit("")) if keep else pl.lit("")
    return values.to_frame().select(
        pl.when(text.is_not_null()).then(pl.concat_str([pl.lit(MASK), shown])).alias(values.name)
    )[values.name]


def hashed(values: pl.Series, data_type: DataType, key: bytes) -> pl.Series:
    """The HMAC-SHA-256 (hex) of each value's canonical text; null stays null. Each distinct value is hashed once."""
    name = values.name
    texts = values.to_frame().select(as_text(Column(pl.col(name), scalar(data_type))).alias(name))[name]
    distinct = texts.drop_nulls().unique()
    if distinct.is_empty():
        return texts
    digests = [keyed_hash(text, key) for text in distinct.to_list()]
    return texts.replace_strict(distinct, pl.Series(digests, dtype=pl.String), default=None, return_dtype=pl.String)


def keyed_hash(text: str, key: bytes) -> str:
    """The HMAC-SHA-256 of a text (RFC 2104), as 64 hex digits."""
    return hmac.digest(key, text.encode(), "sha256").hex()
