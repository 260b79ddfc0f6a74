"""Rows at a destination, read to be compared: values of its own types as values of the columns' types.

A database gives what was written. An API gives JSON: dates are texts there, and decimals digits, which are cast as a
mapping would cast them. So is a number of another type: digits that a column can't hold make it another value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from syncline.executor.previews.waiting import batches, reading
from syncline.mapping import casts, exact
from syncline.mapping.exact import Target
from syncline.mapping.types import category

if TYPE_CHECKING:
    from syncline.executor.flows.opening import Opener
    from syncline.model.schema import Field, Schema

#: Types that are cast exactly, of which a plain cast would lose digits, or take what is no such value for none.
_EXACTLY = frozenset({"string", "number", "json", "decimal", "integer", "int32", "list", "object"})


@dataclass(slots=True)
class RowsThere:
    """The rows of a flow's destination, as often as they are asked for; `mark` is the column of those that are deleted.

    Of the first time: `count` is how many there are, `compared` how many were given, `unclear` how many have or are
    something else than such a row, and `unsure` says why there may be others.
    """

    opener: Opener
    schema: Schema
    mark: str = ""
    count: int = 0
    compared: int = 0
    unclear: int = 0
    unsure: list[str] = field(default_factory=list)
    _known: bool = False

    def __iter__(self) -> Iterator[pl.DataFrame]:
        names = (*self.schema.names, self.mark) if self.mark else self.schema.names
        with reading(self.opener, lambda: self.opener.rows(names, self.schema.key), "destination") as source:
            for batch in batches(self.opener, source.read(None), "destination"):
                frame = batch.frame
                if self.mark:
                    frame = frame.filter(pl.col(self.mark).is_null())
                frame, unfit = as_columns(frame.select(self.schema.names), source.schema, self.schema)
                if not self._known:
                    self.compared += frame.height
                    self.count += frame.height + len(batch.malformed)
                    self.unclear += unfit + len(batch.malformed)
                    self.unsure += [batch.unsure] if batch.unsure and batch.unsure not in self.unsure else []
                yield frame
        self._known = True


def as_columns(frame: pl.DataFrame, source: Schema, schema: Schema) -> tuple[pl.DataFrame, int]:
    """A frame's values as those of the schema's types, and how many rows have one that is none: it is null then.

    >>> from syncline.model.schema import DataType, Field, Schema
    >>> texts, dates = (Schema((Field("born", DataType(name)),)) for name in ("string", "date"))
    >>> frame, unfit = as_columns(pl.DataFrame({"born": ["2001-02-03", "?"]}), texts, dates)
    >>> frame["born"].to_list(), unfit
    ([datetime.date(2001, 2, 3), None], 1)
    """
    unfit: set[int] = set()
    columns = []
    for declared in schema.fields:
        column = frame[declared.name]
        if (cast := _cast(source.get(declared.name), declared)) is not None:
            first = column.to_frame("v").select(cast.tiers[0](pl.col("v")).cast(cast.dtype).alias("v"))["v"]
            column, misfits = casts.finish(column, first, cast)
            unfit.update(misfit.row for misfit in misfits)
        columns.append(column.alias(declared.name))
    return pl.DataFrame(columns), len(unfit)


def _cast(found: Field | None, declared: Field) -> casts.Cast | None:
    """How a column is cast exactly; None for one that needs no cast, or that a plain cast does."""
    if found is None:
        return None
    kind = category(found) if category(found) in {"list", "object"} else found.type.name
    same = kind == declared.type.name and found.type == declared.type
    target = Target(declared.type)
    if same or kind not in _EXACTLY or exact.refusal(kind, target):
        return None
    return casts.cast_of(found, target)
