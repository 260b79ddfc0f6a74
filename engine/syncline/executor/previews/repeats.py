"""Samples of keys that come more than once in what is read, or that rows at the destination have. Bounded.

A key is shown only where none of its fields is classified; the place says in any case where its record is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.executor.batches.prepare import ROW
from syncline.executor.previews.report import LENGTH, SAMPLES

if TYPE_CHECKING:
    import polars as pl

    from syncline.executor.batches.prepare import Origin
    from syncline.model.schema import Schema

#: Comparisons that looking for samples may take besides those of whole batches.
_MOST_ASKED = 40


class Repeat(Struct, frozen=True):
    """A record whose key isn't its own: where it is, and its key (`id=7`); '' where that is classified."""

    place: str
    key: str


@dataclass(slots=True)
class Repeats:
    """The first of them: `again` have a key that another record has, `there` one that a row at the destination has."""

    schema: Schema
    again: list[Repeat] = field(default_factory=list)
    there: list[Repeat] = field(default_factory=list)
    _left: int = _MOST_ASKED

    def note_again(self, origin: Origin, frame: pl.DataFrame, fresh: pl.Series) -> None:
        """A batch: keys that came twice in it, and rows of it whose key isn't `fresh`."""
        if len(self.again) < SAMPLES and origin.older.height:
            older = origin.older.head(SAMPLES - len(self.again))
            self.again += self._repeats(origin, older, older[ROW].to_list())
        if len(self.again) < SAMPLES and not fresh.all():
            at = (~fresh).arg_true()[: SAMPLES - len(self.again)]
            self.again += self._repeats(origin, frame[at], origin.source(at.to_list()))

    def note_there(
        self, origin: Origin, frame: pl.DataFrame, at: pl.Series, matched: int, ask: Callable[[pl.DataFrame], int]
    ) -> None:
        """
        Rows of which `matched` have a key that is at the destination, and where they are in the batch; `ask` says that
        of some of them.
        """
        wanted = SAMPLES - len(self.there)
        if not matched or wanted <= 0 or self._left <= 0:
            return
        rows = self._found(frame, matched, wanted, ask)
        self.there += self._repeats(origin, frame[rows], origin.source([at[row] for row in rows]))

    def _found(self, frame: pl.DataFrame, matched: int, wanted: int, ask: Callable[[pl.DataFrame], int]) -> list[int]:
        """The first rows that are there, by halves, as far as may be asked."""
        found: list[int] = []
        parts = [(0, frame.height, matched)]
        while parts and len(found) < wanted:
            start, count, those = parts.pop()
            if those == count:
                found += range(start, start + min(count, wanted - len(found)))
            elif those and self._left > 0:
                self._left -= 1
                half = count // 2
                first = ask(frame.slice(start, half))
                parts += [(start + half, count - half, those - first), (start, half, first)]
        return found

    def _repeats(self, origin: Origin, frame: pl.DataFrame, rows: list[int]) -> Iterator[Repeat]:
        names = self.schema.key
        fields = [self.schema.get(name) for name in names]
        shown = not any(field is None or field.classes for field in fields)
        for place, values in zip(origin.batch.places(rows), frame.select(names).iter_rows(), strict=True):
            key = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True)) if shown else ""
            yield Repeat(place, key[:LENGTH])
