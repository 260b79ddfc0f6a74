"""The promises of a source as checks that a connector's developer runs: one line of test for all of them.

    @pytest.mark.parametrize("check", conformance.SOURCE_CHECKS)
    def test_source(check, tmp_path):
        check(lambda: MySource(tmp_path))

A check is a function that returns when the promise holds and raises `Broken`, saying what was promised and what came.
Nothing here needs a test framework. What only the connector knows, such as how its server is made to fail, stays with
its own tests. Destinations have theirs in `conformance_destination.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from syncline.model.errors import Bug, SynclineError
from syncline.sdk.batch import Batch, Position
from syncline.sdk.frame import source_frame_schema
from syncline.sdk.source import Source

#: Opens the same stream again and again; the data behind it keeps still.
OpenSource = Callable[[], Source]


class Broken(AssertionError):
    """A promise that isn't kept.

    >>> str(Broken("two records have one place"))
    'two records have one place'
    """


def require(holds: bool, promise: str) -> None:
    """Raises `Broken` with the promise, unless it holds.

    >>> require(1 + 1 == 2, "sums are right")
    >>> require(1 + 1 == 3, "sums are wrong")
    Traceback (most recent call last):
    syncline.sdk.conformance.Broken: sums are wrong
    """
    if not holds:
        raise Broken(promise)


def read(open_source: OpenSource, position: Position | None = None) -> list[Batch]:
    """All batches from a position on, with the source closed afterwards. The position goes through JSON first.

    Example: `read(lambda: MySource(path), batches[0].position)` gives what comes after the first batch.
    """
    source = open_source()
    try:
        return list(source.read(None if position is None else json.loads(json.dumps(position))))
    finally:
        source.close()


def records(batches: Sequence[Batch]) -> list[tuple[Any, ...]]:
    """Each record with its place: rows as (place, value, …), then malformed ones as (place, raw text).

    >>> import polars as pl
    >>> from syncline.sdk.batch import Span
    >>> records([Batch(pl.DataFrame({"id": [7]}), (Span("a.csv", "line", 2, 1),), {})])
    [('a.csv:2', 7)]
    """
    rows: list[tuple[Any, ...]] = []
    for batch in batches:
        places = batch.places(range(batch.frame.height))
        rows += [(place, *row) for place, row in zip(places, batch.frame.rows(), strict=True)]
    return rows + [(bad.place, bad.raw) for batch in batches for bad in batch.malformed]


def frames_follow_the_schema(open_source: OpenSource) -> None:
    """The schema is known after opening, and every frame has its columns with the types of `sdk/frame.py`."""
    source = open_source()
    try:
        expected = source_frame_schema(source.schema)
        for batch in source.read(None):
            require(
                dict(batch.frame.schema) == expected,
                f"a frame has the columns {dict(batch.frame.schema)}; the schema says {expected}",
            )
    finally:
        source.close()


def places_cover_every_record(open_source: OpenSource) -> None:
    """The spans of a batch add up to its height, and no two records of a read have one place."""
    batches = read(open_source)
    for batch in batches:
        total = sum(span.count for span in batch.spans)
        require(total == batch.frame.height, f"spans of {total} records in a batch of {batch.frame.height}")
    places = [record[0] for record in records(batches)]
    require(len(set(places)) == len(places), "two records have one place")


def positions_are_json(open_source: OpenSource) -> None:
    """A position survives being kept as JSON, as checkpoints are."""
    for batch in read(open_source):
        kept = json.loads(json.dumps(batch.position, allow_nan=False))
        require(kept == batch.position, f"the position {batch.position!r} becomes {kept!r} in JSON")


def reading_is_repeatable(open_source: OpenSource) -> None:
    """A source that keeps still yields the same records in the same order, and the same digests, every time."""
    first, second = read(open_source), read(open_source)
    require(records(first) == records(second), "two reads of the same data differ")
    require([b.digest for b in first] == [b.digest for b in second], "digests of the same data differ")


def resumes_exactly_once(open_source: OpenSource) -> None:
    """From the position of any batch, a new source yields what came after it: nothing is lost, nothing comes twice."""
    batches = read(open_source)
    for index, batch in enumerate(batches):
        rest = records(read(open_source, batch.position))
        expected = records(batches[index + 1 :])
        require(
            rest == expected,
            f"after batch {index + 1} of {len(batches)}, {len(expected)} records were left and {len(rest)} came, "
            f"beginning with {rest[:1]!r} where {expected[:1]!r} was next",
        )


def closes_in_the_middle(open_source: OpenSource) -> None:
    """A source can be closed when a read has not come to its end, as when a run is stopped."""
    source = open_source()
    batches = iter(source.read(None))
    next(batches, None)
    getattr(batches, "close", lambda: None)()
    source.close()


def fails_clearly(open_source: OpenSource) -> SynclineError | None:
    """
    Hostile input ends in one error of `model/errors.py` that isn't `Bug`, or in none; with what came before it kept.

    For sources over input that is damaged on purpose. Returns the error, so that a test may look at it. Another read
    gives the same records and the same error: what is wrong with the input is no matter of chance.

    Example: `error = fails_clearly(lambda: MySource(damaged))`, then `assert error.code == "SYN456"`.
    """
    first, second = _attempt(open_source), _attempt(open_source)
    require(first[0] == second[0], "two reads of the same hostile input yield other records")
    require(type(first[1]) is type(second[1]), f"two reads of the same input end in {first[1]!r} and {second[1]!r}")
    return first[1]


def _attempt(open_source: OpenSource) -> tuple[list[tuple[Any, ...]], SynclineError | None]:
    batches: list[Batch] = []
    failure: SynclineError | None = None
    try:
        source = open_source()
        try:
            batches.extend(source.read(None))
        finally:
            source.close()
    except Bug as error:
        raise Broken(f"hostile input meets a defect: {error.message}") from error
    except SynclineError as error:
        require(bool(error.message and error.code), "an error has no message or no code")
        failure = error
    except Exception as error:
        raise Broken(f"hostile input raises {error!r}, which tells nobody what to do") from error
    return records(batches), failure


SOURCE_CHECKS: tuple[Callable[[OpenSource], None], ...] = (
    frames_follow_the_schema,
    places_cover_every_record,
    positions_are_json,
    reading_is_repeatable,
    resumes_exactly_once,
    closes_in_the_middle,
)
