"""The quality of data, field by field, over any number of batches in bounded memory (dimensions as in ISO/IEC 25012).

Completeness and validity are exact. Uniqueness and consistency are of the first `SAMPLE` rows: how many values are
distinct, and how many have the shape that most have. Currentness is the newest value of a date or a time.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
from msgspec import Struct

from syncline.model.run import Reject
from syncline.model.schema import Schema

#: Rows that uniqueness and consistency are told from.
SAMPLE = 100_000
_TIMES = frozenset({"date", "timestamp", "datetime"})


class Quality(Struct, frozen=True):
    """
    A field's quality; shares are from 0 to 1, None where there is nothing to tell them from.

    `completeness`: rows with a value. `validity`: records that broke no rule of the field. `distinct`: distinct values
    of those there are; `consistency`: texts of the shape that most have, `shape`. `newest` is ISO 8601.
    """

    field: str
    completeness: float | None
    validity: float | None
    distinct: float | None = None
    consistency: float | None = None
    shape: str = ""
    newest: str = ""

    @property
    def score(self) -> float | None:
        """From 0 to 100: completeness and validity together, since a value that is there and wrong helps nobody."""
        if self.completeness is None or self.validity is None:
            return None
        return 100 * self.completeness * self.validity


@dataclass(slots=True)
class QualityMeter:
    """Takes rows and rejects as they come.

    >>> from syncline.model.schema import STRING, Field
    >>> meter = QualityMeter(Schema((Field("zip", STRING),)))
    >>> meter.take(pl.DataFrame({"zip": ["8001", "CH-80", None]}), (), 3)
    >>> meter.found()[0].shape
    '9999'
    """

    schema: Schema
    rows: int = 0
    records: int = 0
    present: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    newest: dict[str, dt.date] = field(default_factory=dict)
    sample: list[pl.DataFrame] = field(default_factory=list)
    sampled: int = 0

    def take(self, frame: pl.DataFrame, rejects: Sequence[Reject], read: int) -> None:
        """Rows that would be written, the rejects among `read` records."""
        self.rows += frame.height
        self.records += read
        self.broken.update(reason.field for reject in rejects for reason in reject.reasons if reason.field)
        if not frame.height:
            return
        for name, nulls in frame.null_count().row(0, named=True).items():
            self.present[name] += frame.height - nulls
        for one in self.schema.fields:
            if one.type.name in _TIMES and isinstance(last := frame[one.name].max(), dt.date):
                self.newest[one.name] = max(self.newest.get(one.name, last), last)
        if self.sampled < SAMPLE:
            some = frame.head(SAMPLE - self.sampled)
            self.sample.append(some)
            self.sampled += some.height

    def found(self) -> tuple[Quality, ...]:
        """The quality of each field, in the schema's order."""
        sample = pl.concat(self.sample) if self.sample else None
        return tuple(self._of(one.name, one.type.name, sample) for one in self.schema.fields)

    def _of(self, name: str, kind: str, sample: pl.DataFrame | None) -> Quality:
        quality = Quality(
            name,
            self.present[name] / self.rows if self.rows else None,
            1 - self.broken[name] / self.records if self.records else None,
            newest=self.newest[name].isoformat() if name in self.newest else "",
        )
        values = sample[name].drop_nulls() if sample is not None else None
        if values is None or values.is_empty() or values.dtype.is_nested():
            return quality
        distinct = values.n_unique() / len(values)
        if kind != "string":
            return _with(quality, distinct)
        shapes = _shapes(values).value_counts(sort=True).head(1)
        return _with(quality, distinct, shapes["count"][0] / len(values), shapes[shapes.columns[0]][0])


def _with(quality: Quality, distinct: float, consistency: float | None = None, shape: str = "") -> Quality:
    return Quality(quality.field, quality.completeness, quality.validity, distinct, consistency, shape, quality.newest)


def _shapes(values: pl.Series) -> pl.Series:
    """Shapes of texts, with runs of one class as one: `Aa 99` for both `Ada 1815` and `Grace 1906`."""
    shapes = values.str.replace_all(r"\p{Lu}+", "A").str.replace_all(r"\p{Ll}+|\p{Lo}+", "a")
    return shapes.str.replace_all(r"\d", "9").str.slice(0, 40).alias("shape")
