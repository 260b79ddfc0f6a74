"""Keys that came before, remembered by 64-bit hashes: 8 bytes a key. Of ten million keys, two are taken for one another
with a chance of three in a million.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


class SeenKeys:
    """Tells which rows have a key that came before. Sorted runs of hashes are merged as they grow, as in an LSM tree.

    >>> seen = SeenKeys(["id"])
    >>> seen.fresh(pl.DataFrame({"id": [1, 2]})).to_list(), seen.fresh(pl.DataFrame({"id": [2, 3]})).to_list()
    ([True, True], [False, True])
    """

    def __init__(self, key: Sequence[str]) -> None:
        self._key = pl.struct(list(key)).hash(0)
        self._runs: list[pl.Series] = []

    def fresh(self, frame: pl.DataFrame) -> pl.Series:
        """For each row whether its key is new. Keys that stand twice in one frame are both new."""
        hashes = frame.select(self._key.alias("key"))["key"]
        order = hashes.arg_sort()
        rising = hashes.gather(order)  # looked up in order, so that what was read of a run is still at hand
        known = pl.Series([False]).new_from_index(0, len(hashes))
        for run in self._runs:
            at = run.search_sorted(rising, side="left").clip(0, len(run) - 1)
            known |= run.gather(at) == rising
        self._add(rising.filter(~known))
        return (~known).gather(order.arg_sort())

    def _add(self, hashes: pl.Series) -> None:
        if hashes.is_empty():
            return
        self._runs.append(hashes.unique(maintain_order=True))
        while len(self._runs) > 1 and 2 * len(self._runs[-1]) > len(self._runs[-2]):
            last = self._runs.pop()
            self._runs[-1] = pl.concat([self._runs[-1], last]).sort()
