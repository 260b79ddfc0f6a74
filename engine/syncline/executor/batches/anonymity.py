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
    Counts rows that are alike. Nothing of them is kept but their values in these fields and 64-bit hashes of their
    `key`, while the run checks. Without a key, each record is a row.

    Of several records of one key one is left in the end. Where these differ in the fields, none of them makes a group
    larger: which one it is depends on the order in which they are written.

    Several threads may add at once.
    """

    floor: Anonymity
    key: tuple[str, ...] = ()
    _numbers: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _counts: Counter[int] = field(default_factory=Counter)
    _rows: list[pl.DataFrame] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(self, frame: pl.DataFrame) -> None:
        """Counts the rows of a batch; `Denied` (SYN517) where there are too many groups."""
        import polars as pl

        fields = list(self.floor.fields)
        what = pl.struct(self.key).hash(0) if self.key else pl.len()
        alike = frame.group_by(fields).agg(what.alias("=rows"))
        with self._lock:
            numbers = [self._numbers.setdefault(v, len(self._numbers)) for v in alike.select(fields).iter_rows()]
            if self.key:
                group = pl.Series("=group", numbers, dtype=pl.UInt32)
                self._rows.append(alike.select(group, "=rows").explode("=rows"))
            else:
                self._counts.update(dict(zip(numbers, alike["=rows"], strict=True)))
        if len(self._numbers) > MOST:
            raise _denied(self.floor, f"records differ in them in more than {MOST:,} ways")

    def check(self) -> None:
        """`Denied` (SYN517) where fewer rows than the floor are alike. It isn't said which."""
        counts = self._counts + self._of_keys()
        small = [rows for number in self._numbers.values() if (rows := counts[number]) < self.floor.k]
        if small:
            raise _denied(
                self.floor, f"{sum(small):,} rows are alike with fewer than {self.floor.k} in {len(small):,} groups"
            )

    def _of_keys(self) -> Counter[int]:
        """Rows by group, each key once."""
        import polars as pl

        if not self._rows:
            return Counter()
        rows = pl.concat(self._rows).unique()
        sure = rows.filter(pl.len().over("=rows") == 1)
        return Counter(dict(sure["=group"].value_counts().iter_rows()))


def _denied(floor: Anonymity, what: str) -> Denied:
    return Denied(
        f"the rows are not {floor.k}-anonymous by {', '.join(floor.fields)}: {what}",
        code="SYN517",
        help="Generalise these fields further (protect: {generalize: …}), drop one, or leave out rare records.",
    )
