"""Values of a right type that a database can't hold, or would change: found before they are written.

Limits are expressions over whole columns. `refusals` names the rows; `ensure` only says that there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from syncline.model.errors import Invalid
from syncline.model.schema import Field, Schema
from syncline.sdk.destination import Refusal

if TYPE_CHECKING:
    import polars as pl


_FIRST = datetime(1, 1, 1)  # noqa: DTZ001 - compared with columns whose zone is taken off
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - likewise


@dataclass(frozen=True, slots=True)
class Limit:
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


def suspects(frame: pl.DataFrame, limits: Sequence[Limit]) -> list[Limit]:
    """The limits that some value may be beyond: all columns are looked at in one go, since hardly a batch has any."""
    import polars as pl

    if not limits:
        return []
    looks = [limit.broken(pl.col(limit.column)).any().alias(str(i)) for i, limit in enumerate(limits)]
    return [limit for limit, found in zip(limits, frame.select(looks).row(0), strict=True) if found]


def ensure(frame: pl.DataFrame, limits: Sequence[Limit]) -> None:
    """Raises Invalid for the first column with a value beyond a limit that isn't found later anyway."""
    for limit in suspects(frame, [limit for limit in limits if not limit.late]):
        if limit.rows(frame).any():
            raise beyond(limit.column, limit.message)


def refusals(frame: pl.DataFrame, limits: Sequence[Limit]) -> list[Refusal]:
    """Every value beyond a limit, by row."""
    found = [
        Refusal(row, limit.column, f"{limit.message} can't be held")
        for limit in suspects(frame, limits)
        for row in limit.rows(frame).arg_true()
    ]
    return sorted(found, key=lambda refusal: refusal.row)


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
