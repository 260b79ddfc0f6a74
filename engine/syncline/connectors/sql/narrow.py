"""Columns of others that hold a part of what is declared: values beyond them are refused one by one, none is changed.

Only where no declared type has just what the column holds: of a `numeric(9,2)`, a mapping says `decimal(9,2)`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from syncline.connectors.sql.limits import Limit

if TYPE_CHECKING:
    import polars as pl

    from syncline.model.schema import Field

#: Whole numbers by bits, as the names of the dialects say them.
_BITS: Final = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_UNSIGNED: Final = re.compile(r"(\w+) unsigned|u(\w+)")


def characters(field: Field, most: int) -> Limit | None:
    """For a column of texts of so many characters at most."""
    if field.type.name != "string":
        return None
    return Limit(
        field.name, f"more than the {most:,} characters of its column", lambda column: column.str.len_chars() > most
    )


def bytes_of_text(field: Field, most: int) -> Limit | None:
    """For a column of texts of so many bytes in UTF-8 at most."""
    if field.type.name != "string":
        return None
    return Limit(
        field.name, f"more than the {most:,} bytes of its column", lambda column: column.str.len_bytes() > most
    )


def padded(field: Field, count: int) -> Limit | None:
    """For a column that makes texts that long with blanks: shorter ones would be read back with them."""
    if field.type.name != "string":
        return None

    def other(column: pl.Expr) -> pl.Expr:
        return (column.str.len_chars() != count) | column.str.ends_with(" ")

    return Limit(field.name, f"other than the {count:,} characters of its column, or a blank at their end,", other)


def trimmed(field: Field, most: int) -> Limit | None:
    """For a column of so many characters at most that loses blanks at their end."""
    if field.type.name != "string":
        return None

    def other(column: pl.Expr) -> pl.Expr:
        return (column.str.len_chars() > most) | column.str.ends_with(" ")

    return Limit(field.name, f"more than the {most:,} characters of its column, or a blank at their end,", other)


def whole(field: Field, existing: str) -> Limit | None:
    """For a column of whole numbers that nothing declared is as small as: `smallint`, `int unsigned`, `UTINYINT`."""
    if field.type.name not in {"integer", "int32"}:
        return None
    name = existing.lower()
    unsigned = _UNSIGNED.fullmatch(name)
    bits = _BITS.get((unsigned[1] or unsigned[2]) if unsigned else name, 0)
    if not bits or (not unsigned and bits >= 32):  # for these there are `int32` and `integer`
        return None
    lowest, highest = (0, min(2**bits, 2**63) - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return Limit(
        field.name,
        f"a number outside the {lowest:,} to {highest:,} of its column",
        lambda column: ~column.is_between(lowest, highest),
    )
