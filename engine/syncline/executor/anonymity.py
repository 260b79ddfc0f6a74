"""k-anonymity: how many rows are alike in the fields by which people could be told apart, over all rows of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from syncline.model.errors import Denied

if TYPE_CHECKING:
    import polars as pl

    from syncline.kinds.sync import Anonymity

#: Groups that are kept apart: more of them than this are no groups to hide in, and would take much memory.
MOST: Final = 1_000_000


@dataclass(slots=True)
class Groups:
    """
    Counts rows that are alike. Nothing of them is kept but their values in these fields, while the run checks.

    Several threads may add at once.
    """

    floor: Anonymity
    _counts: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, frame: pl.DataFrame) -> None:
        """Counts the rows of a batch; `Denied` (SYN517) where there are too many groups."""
        fields = list(self.floor.fields)
        alike = frame.group_by(fields).len("=rows")
        with self._lock:
            for *values, rows in alike.iter_rows():
                self._counts[tuple(values)] += rows
        if len(self._counts) > MOST:
            raise _denied(self.floor, f"records differ in them in more than {MOST:,} ways")

    def check(self) -> None:
        """`Denied` (SYN517) where fewer rows than the floor are alike. It isn't said which."""
        small = [rows for rows in self._counts.values() if rows < self.floor.k]
        if small:
            raise _denied(
                self.floor, f"{sum(small):,} rows are alike with fewer than {self.floor.k} in {len(small):,} groups"
            )


def _denied(floor: Anonymity, what: str) -> Denied:
    return Denied(
        f"the rows are not {floor.k}-anonymous by {', '.join(floor.fields)}: {what}",
        code="SYN517",
        help="Generalise these fields further (protect: {generalize: …}), drop one, or leave out rare records.",
    )
