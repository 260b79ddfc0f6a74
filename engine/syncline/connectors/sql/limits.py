"""Values of a right type that a database can't hold, or would change: found before they are written.

Limits are expressions over whole columns, made once for a schema. `refusals` names the rows; `ensure` only says that
there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.model.errors import Invalid
from syncline.model.schema import Field, Schema
from syncline.sdk.destination import Refusal

if TYPE_CHECKING:
    import polars as pl


_FIRST = datetime(1, 1, 1)  # noqa: DTZ001 - compared with columns whose zone is taken off
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - likewise


class Limit(Struct, frozen=True):
    """Values of `column` for which `broken` is true (null is not) can't be held, as `message` says.

    With `judged`, they only may not be: it decides, value by value. `late` limits are found by other means when a batch
    is written (in its bytes, by the server), so that only naming the rows needs them.
    """

    column: str
    message: str
    broken: Callable[[pl.Expr], pl.Expr]
    judged: Callable[[pl.Series], pl.Series] | None = None
    late: bool = False

    def rows(self, frame: pl.DataFrame) -> pl.Series:
        """For each row, whether its value can't be held."""
        import polars as pl

        if self.judged is not None:
            return self.judged(frame[self.column])
        return frame.select(self.broken(pl.col(self.column)).fill_null(value=False)).to_series()


def common(schema: Schema) -> Iterator[Limit]:
    """Limits that every database here has: years 1 to 9999 (ISO 8601, Python's own range), times in microseconds."""
    for field in schema.fields:
        match field.type.name:
            case "date":
                yield Limit(field.name, "a year outside 1 to 9999", _outside(date.min, date.max))
            case "timestamp" | "datetime":
                yield Limit(field.name, "a year outside 1 to 9999", _outside(_FIRST, _LAST))
            case "time":
                yield Limit(field.name, "a time of day finer than a microsecond", _nanoseconds)
            case _:
                pass


def no_null_keys(schema: Schema) -> Iterator[Limit]:
    """Rows without a key. SQLite would give them one of its own."""
    return (Limit(name, "a null in the key", lambda column: column.is_null()) for name in schema.key)


class Limits:
    """The limits of one schema. Safe for threads."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._early: list[Limit] = []
        self._late: list[Limit] = []
        for limit in limits:
            (self._late if limit.late else self._early).append(limit)
        self._look_early, self._look_late = _looks(self._early), _looks(self._late)

    def with_more(self, limits: Sequence[Limit]) -> Limits:
        """With others besides, such as those of an existing table's columns."""
        return Limits((*self._early, *self._late, *limits)) if limits else self

    def ensure(self, frame: pl.DataFrame) -> None:
        """Raises Invalid for the first column with a value beyond a limit that isn't found later anyway."""
        for limit in _suspects(frame, self._early, self._look_early):
            if limit.rows(frame).any():
                raise beyond(limit.column, limit.message)

    def late(self, frame: pl.DataFrame) -> Limit | None:
        """The first limit of those found later that some value is beyond."""
        suspects = _suspects(frame, self._late, self._look_late)
        return next((limit for limit in suspects if limit.rows(frame).any()), None)

    def refusals(self, frame: pl.DataFrame) -> list[Refusal]:
        """Every value beyond a limit, by row."""
        suspects = (
            *_suspects(frame, self._early, self._look_early),
            *_suspects(frame, self._late, self._look_late),
        )
        found = [
            Refusal(row, limit.column, f"{limit.message} can't be held")
            for limit in suspects
            for row in limit.rows(frame).arg_true()
        ]
        return sorted(found, key=lambda refusal: refusal.row)


def _looks(limits: Sequence[Limit]) -> list[pl.Expr]:
    import polars as pl

    return [limit.broken(pl.col(limit.column)).any().alias(str(i)) for i, limit in enumerate(limits)]


def _suspects(frame: pl.DataFrame, limits: Sequence[Limit], looks: Sequence[pl.Expr]) -> list[Limit]:
    """The limits that some value may be beyond: all columns are looked at in one go, since hardly a batch has any."""
    from syncline.sdk.expressions import selected

    if not limits:
        return []
    return [limit for limit, found in zip(limits, selected(frame, looks).row(0), strict=True) if found]


def beyond(column: str, message: str) -> Invalid:
    """The error for a batch with such a value."""
    return Invalid(
        f"column {column!r} has {message}, which this database can't hold",
        code="SYN485",
        help="Reject the rows, or map the value to one that fits.",
    )


def text_fields(schema: Schema) -> tuple[Field, ...]:
    """Fields that are held as text of the source: strings and JSON."""
    return tuple(field for field in schema.fields if field.type.name in {"string", "json"})


def _outside(lowest: date, highest: date) -> Callable[[pl.Expr], pl.Expr]:
    def broken(column: pl.Expr) -> pl.Expr:
        plain = column.dt.replace_time_zone(None) if isinstance(lowest, datetime) else column
        return ~plain.is_between(lowest, highest)

    return broken


def _nanoseconds(column: pl.Expr) -> pl.Expr:
    return column.dt.nanosecond() % 1000 != 0
