"""The promises of a source whose stream is read in partitions, as checks: for each parent, each shard, each account.

    @pytest.mark.parametrize("check", conformance_partitions.PARTITION_CHECKS)
    def test_partitions(check):
        check(my_case())

They go beyond the `SOURCE_CHECKS` of `conformance.py`, which hold for such a source, too. Each check wants a case of
its own, since it may change the data behind it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from syncline.sdk.batch import Batch, Position
from syncline.sdk.conformance import Broken, read, records, require
from syncline.sdk.source import Source

#: Partitions that are read at the same time, where a check reads several.
TOGETHER = 3


class PartitionedCase(Struct, frozen=True):
    """
    A stream of at least three partitions with records in each, in batches smaller than a partition.

    `open(width)` opens an incremental read of it, `width` partitions at the same time, and `of(record)` tells which
    partition a record (values by field) is from. `turn()` makes the system list its partitions the other way round.
    `grow()` adds records: to a partition, one whose cursor is before the greatest of another partition, and a partition
    of its own with a record that is older than all.

    Example: `PartitionedCase(api.source, lambda record: record["account"], api.turn, api.grow)`.
    """

    open: Callable[[int], Source]
    of: Callable[[dict[str, Any]], Hashable]
    turn: Callable[[], None]
    grow: Callable[[], None]


def killed_anywhere_each_record_arrives(case: PartitionedCase) -> None:
    """A read that dies after each batch and is taken up by a new source gives every record, once, in the same order.

    Example: `killed_anywhere_each_record_arrives(my_case())`.
    """
    for width in (1, TOGETHER):
        whole = [repr(record) for record in records(read(partial(case.open, width)))]
        arrived: list[Batch] = []
        position: Position | None = None
        while (batch := _first(case, width, position)) is not None:
            require(len(arrived) <= len(whole) + 1_000, "a read that is taken up again and again comes to no end")
            arrived.append(batch)
            position = json.loads(json.dumps(batch.position))
        came = [repr(record) for record in records(arrived)]
        require(
            came == whole,
            f"of {len(whole)} records, killed after each of {len(arrived)} batches, {len(came)} came; "
            f"missing {_beyond(whole, came)[:1]!r}, too many {_beyond(came, whole)[:1]!r}",
        )


def width_is_of_no_matter(case: PartitionedCase) -> None:
    """Several at a time give what one at a time gives, in that order; each goes on where the other stopped.

    Example: `width_is_of_no_matter(my_case())`.
    """
    one, several = read(partial(case.open, 1)), read(partial(case.open, TOGETHER))
    require(
        records(one) == records(several),
        f"{TOGETHER} partitions at a time give other records, or another order, than one at a time",
    )
    for batches, width in ((one, TOGETHER), (several, 1)):
        for index, batch in enumerate(batches):
            rest = records(read(partial(case.open, width), batch.position))
            require(
                rest == records(batches[index + 1 :]),
                f"what began {'one' if width > 1 else TOGETHER} at a time isn't continued right with {width} at a time",
            )


def order_of_partitions_is_of_no_matter(case: PartitionedCase) -> None:
    """Listed the other way round, each partition gives the same records; and none comes again after a whole pass.

    Example: `order_of_partitions_is_of_no_matter(my_case())`.
    """
    before = read(partial(case.open, 1))
    case.turn()
    after = read(partial(case.open, 1))
    require(
        _by_partition(case, before) == _by_partition(case, after),
        "with its partitions in another order, the stream has other records",
    )
    require(_rows(before) != _rows(after), "`turn` didn't change the order of the partitions, so nothing was checked")
    again = _rows(read(partial(case.open, 1), before[-1].position))
    require(not again, f"partitions that only changed places are read again: {again[:1]!r}")


def each_partition_resumes_from_its_own_cursor(case: PartitionedCase) -> None:
    """The next pass brings what is new in every partition, also what is older than the cursors of others.

    Example: `each_partition_resumes_from_its_own_cursor(my_case())`.
    """
    for width in (1, TOGETHER):
        batches = read(partial(case.open, width))
        known = _rows(batches)
        case.grow()
        new = _beyond(_rows(read(partial(case.open, width))), known)
        require(len(new) > 1, "`grow` added less than two records, so nothing was checked")
        found = _rows(read(partial(case.open, width), batches[-1].position))
        missing, twice = _beyond(new, found), _beyond(found, new)
        require(not missing, f"{len(missing)} new records don't come, such as {missing[:1]!r}")
        require(not twice, f"{len(twice)} records come again, such as {twice[:1]!r}")


def _first(case: PartitionedCase, width: int, position: Position | None) -> Batch | None:
    """The first batch from a position on, of a source that is closed in the middle of its read."""
    source = case.open(width)
    try:
        batches = iter(source.read(position))
        found = next(batches, None)
        getattr(batches, "close", lambda: None)()
        return found
    finally:
        source.close()


def _rows(batches: Sequence[Batch]) -> list[str]:
    """The records, without their places, as texts that can be compared."""
    return [repr(row) for batch in batches for row in batch.frame.rows()]


def _by_partition(case: PartitionedCase, batches: Sequence[Batch]) -> dict[Hashable, list[str]]:
    found: defaultdict[Hashable, list[str]] = defaultdict(list)
    for batch in batches:
        for record in batch.frame.to_dicts():
            found[case.of(record)].append(repr(record))
    if len(found) < TOGETHER:
        raise Broken(f"a case has at least {TOGETHER} partitions with records, and this one {len(found)}")
    return dict(found)


def _beyond(some: Sequence[str], others: Sequence[str]) -> list[str]:
    """What is in `some` more often than in `others`."""
    return list((Counter(some) - Counter(others)).elements())


PARTITION_CHECKS: tuple[Callable[[PartitionedCase], None], ...] = (
    killed_anywhere_each_record_arrives,
    width_is_of_no_matter,
    order_of_partitions_is_of_no_matter,
    each_partition_resumes_from_its_own_cursor,
)
