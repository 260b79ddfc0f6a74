"""What a simulation's flows read from and write to: systems in memory that keep what connectors promise, and fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from syncline.model.errors import Again, Denied
from syncline.model.schema import STRING, Field, Schema
from syncline.sdk.batch import Batch, Span
from syncline.sdk.destination import Fence, Target, Written

if TYPE_CHECKING:
    from syncline.sdk.batch import Position

#: Records in a batch.
PAGE = 4
_SCHEMA = Schema(tuple(Field(name, STRING) for name in ("id", "value", "note")), ("id",))

#: A record: `(id, value)` as text; one whose value is no number is rejected.
Record = tuple[str, str]
Row = tuple[int, int]
Point = Callable[[str], None]


def good(records: list[Record]) -> list[Row]:
    """The rows that records give."""
    return [(int(number), int(value)) for number, value in records if value.isdecimal()]


class Good:
    """The rows that the records of a stream give, which only grow: of all, and of the first so many."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.every: set[Row] = set()
        self._until = [0]  # rows of the first so many records

    def of(self, records: list[Record]) -> Good:
        """With the records that have come since."""
        fresh = records[len(self._until) - 1 :]
        for record in fresh:
            rows = good([record])
            self.rows += rows
            self.every.update(rows)
            self._until.append(len(self.rows))
        return self

    def first(self, count: int) -> list[Row]:
        """The rows of the first records."""
        return self.rows[: self._until[min(count, len(self._until) - 1)]]


@lru_cache(maxsize=1_000)
def _frame(page: tuple[Record, ...]) -> pl.DataFrame:
    """Records as columns; a stream is read from its start again and again."""
    return pl.DataFrame(
        {"id": [r[0] for r in page], "value": [r[1] for r in page], "note": [None] * len(page)},
        schema={"id": pl.String, "value": pl.String, "note": pl.String},
    )


@dataclass
class Application:
    """The system that is read from: records by stream, which only grow. It may be out of reach until a moment."""

    records: dict[str, list[Record]] = field(default_factory=dict)
    down_until: float = 0.0


class Reading:
    """`sdk.source.Source`: a stream of the application, from a position to what is there when it is opened."""

    schema = _SCHEMA

    def __init__(self, application: Application, stream: str, now: Callable[[], float], point: Point) -> None:
        self._application = application
        self._records = application.records[stream]
        self._stream = stream
        self._now = now
        self._point = point
        self._asked()

    def read(self, position: Position | None) -> Iterator[Batch]:
        """Batches of a page each."""
        at, end = int((position or {}).get("at", 0)), len(self._records)
        while at < end:
            self._asked()
            page = tuple(self._records[at : min(at + PAGE, end)])
            spans = (Span(self._stream, "record", at + 1, len(page)),)
            at += len(page)
            digest = hashlib.sha256(repr(page).encode()).digest()
            yield Batch(_frame(page), spans, {"at": at}, digest=digest, size=len(page))

    def close(self) -> None:
        """Nothing is open."""

    def _asked(self) -> None:
        self._point("read")
        if self._application.down_until > self._now():
            raise Again("the application doesn't answer", code="SYN400")


@dataclass
class Warehouse:
    """The system that is written to. Every change is whole; the answer to one may be lost."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    checkpoints: dict[str, str] = field(default_factory=dict)
    fences: dict[str, Fence] = field(default_factory=dict)
    replacing: dict[str, tuple[str, list[Row]]] = field(default_factory=dict)
    down_until: float = 0.0
    refused: int = 0

    def position(self, flow: str) -> int:
        """How many records of its source a flow has behind it."""
        saved = self.checkpoints.get(flow)
        return int(((saved and json.loads(saved)["position"]) or {}).get("at", 0))


class Writing:
    """`sdk.destination.Destination`, `Fencing` too, of a run."""

    def __init__(self, warehouse: Warehouse, now: Callable[[], float], point: Point) -> None:
        self._warehouse = warehouse
        self._now = now
        self._point = point
        self._mine: dict[str, Fence] = {}

    def fence(self, flow: str, fence: Fence, *, anew: bool = False) -> None:
        self.reached("fence")
        known = self._warehouse.fences.get(flow)
        if known is not None and known.lineage == fence.lineage and known.token > fence.token and not anew:
            self._refuse("SYN681", flow)
        self._warehouse.fences[flow] = self._mine[flow] = fence

    def checkpoint(self, flow: str) -> str | None:
        self.reached("read checkpoint")
        return self._warehouse.checkpoints.get(flow)

    def forget(self, flow: str) -> None:
        self.reached("forget")
        self.check(flow)
        self._warehouse.checkpoints.pop(flow, None)

    def move(self, previous: str, flow: str) -> None:
        self.reached("move")
        self.check(flow)
        if previous in self._warehouse.checkpoints:
            self._warehouse.checkpoints[flow] = self._warehouse.checkpoints.pop(previous)
        if (known := self._warehouse.fences.pop(previous, None)) is not None:
            self._warehouse.fences[previous] = Fence(known.lineage, known.token + 1)

    def open(self, target: Target) -> _Writer:
        self.reached("open")
        warehouse = self._warehouse
        warehouse.rows.setdefault(target.stream, [])
        if target.mode == "replace":
            run, _ = warehouse.replacing.get(target.stream, ("", []))
            if run != target.run:
                self.check(target.flow)
                warehouse.replacing[target.stream] = (target.run, [])
        return _Writer(self, warehouse, target)

    def close(self) -> None:
        """Nothing is open."""

    def reached(self, what: str) -> None:
        """A request: it may not get through."""
        self._point(f"{what} at the destination")
        if self._warehouse.down_until > self._now():
            raise Again("the warehouse doesn't answer", code="SYN480")

    def answered(self, what: str) -> None:
        """Its answer: it may get lost."""
        self._point(f"answer to {what} at the destination")

    def check(self, flow: str) -> None:
        """Refuses whoever was followed."""
        if self._warehouse.fences.get(flow) != self._mine.get(flow):
            self._refuse("SYN680", flow)

    def _refuse(self, code: str, flow: str) -> None:
        self._warehouse.refused += 1
        raise Denied(f"a later run has taken {flow} at its destination", code=code)


class _Writer:
    """`sdk.destination.Writer`."""

    def __init__(self, owner: Writing, warehouse: Warehouse, target: Target) -> None:
        self._owner = owner
        self._warehouse = warehouse
        self._target = target

    def write(self, frame: pl.DataFrame, checkpoint: str) -> Written:
        self._owner.reached("write")
        self._owner.check(self._target.flow)
        rows: list[Row] = list(zip(frame.get_column("id").to_list(), frame.get_column("value").to_list(), strict=True))
        table = self._warehouse.rows[self._target.stream]
        written = Written(len(rows))
        match self._target.mode:
            case "append":
                table.extend(rows)
            case "upsert":
                there = dict(table)
                known = sum(number in there for number, _ in rows)
                there.update(rows)
                self._warehouse.rows[self._target.stream] = list(there.items())
                written = Written(len(rows) - known, known)
            case "replace":
                self._warehouse.replacing[self._target.stream][1].extend(rows)
        self._warehouse.checkpoints[self._target.flow] = checkpoint
        self._owner.answered("write")
        return written

    def finish(self, checkpoint: str) -> Written | None:
        self._owner.reached("finish")
        self._owner.check(self._target.flow)
        saved = self._warehouse.checkpoints.get(self._target.flow)
        over = saved is not None and json.loads(saved)["done"] and json.loads(saved)["run"] == self._target.run
        if self._target.mode == "replace" and not over:
            self._warehouse.rows[self._target.stream] = self._warehouse.replacing.pop(self._target.stream)[1]
        self._warehouse.checkpoints[self._target.flow] = checkpoint
        self._owner.answered("finish")
        return None

    def abort(self) -> None:
        """What is committed stays."""
