"""Runs into SQL destinations that are killed, the same for every database: what is continued is as what wasn't killed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.sql_places import DIALECTS, Place, frame_of, place_of, schema_of, target_of
from tests.sampling import stride

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from syncline.sdk.destination import Target, WriteMode

ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")


@pytest.fixture(params=DIALECTS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of its own, of each dialect."""
    made = place_of(request.param, request, tmp_path)
    yield made
    made.close()


def rows(*ids: int, name: str = "n") -> pl.DataFrame:
    return frame_of(ORDERS, *((i, name, Decimal("1.00")) for i in ids))


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


def drive(place: Place, target: Target, batches: list[pl.DataFrame], kill: int = 0) -> int:
    """
    What an executor does: asks for the checkpoint, goes on after it, ends. The number of statements it took.

    With `kill`, the process dies at its statement of that number, before it has an effect: the connection is cut. What
    dies after a statement dies before the next one, so this covers a COMMIT whose outcome nobody learned.
    """
    destination = place.open()
    database: Any = destination._database
    if place.dialect == "sqlite":
        database.execute("PRAGMA synchronous = OFF")  # the process dies here, not the machine
    done = 0

    def mortal(call):
        def wrapped(*args):
            nonlocal done
            done += 1
            if kill and done >= kill:
                raise Killed
            return call(*args)

        return wrapped

    for name in ("execute", "execute_many", "copy", "_run"):
        if hasattr(database, name):
            setattr(database, name, mortal(getattr(database, name)))
    try:
        begin = 0
        if (saved := destination.checkpoint(target.flow)) is not None:
            run, position = saved.split("/")
            if run == target.run:
                if position == "end":
                    return done
                begin = int(position)
        writer = destination.open(target)
        for number in range(begin, len(batches)):
            writer.write(batches[number], f"{target.run}/{number + 1}")
        writer.finish(f"{target.run}/end")
    except Killed:
        pass
    finally:
        database._connection.close()
    return done


WRITE_MODES: tuple[WriteMode, ...] = ("append", "upsert", "replace")


@pytest.mark.parametrize("mode", WRITE_MODES)
def test_killed_at_every_statement(place: Place, mode: WriteMode):
    """
    A run that is killed at any statement and continued leaves the table as a run that wasn't killed. Of SQLite all
    statements are tried, of the others every third, begun differently in each mode; `make test-kills` tries all.
    """
    batches = [rows(1, 2), rows(2, 3, name="later") if mode == "upsert" else rows(3, 4)]
    target = target_of(ORDERS, mode)
    total = drive(place, target, batches)
    expected = place.read("orders", ORDERS)
    assert len(expected) >= 3
    every = 1 if place.dialect == "sqlite" else stride(3)
    begin = 1 + WRITE_MODES.index(mode) % every
    for number in sorted({*range(begin, total + 1, every), total}):
        place.clear()
        assert drive(place, target, batches, kill=number) >= number
        drive(place, target, batches)
        assert place.read("orders", ORDERS) == expected, f"killed at statement {number} of {total}"
        assert "orders__syncline_new" not in place.tables()
