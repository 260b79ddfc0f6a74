"""A run that a test kills: writes batches of orders to MariaDB, goes on after its checkpoint, ends.

It says `begun`, and `done`, or `again` where what stood against it may pass, as a server that is too busy: then the next
run goes on, as it does after any run that was interrupted.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

from syncline.model.errors import Again
from tests.contract.sql_places import FLOW, Place, frame_of, mariadb_instance, schema_of, target_of

ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")
BATCHES, ROWS = 12, 40


def rows(run: str, batch: int) -> list[tuple]:
    """The rows of a batch: half of them are in the one before, too."""
    begin = batch * ROWS // 2
    return [(n, f"{run} {n}", Decimal(batch)) for n in range(begin, begin + ROWS)]


def main(url: str, mode: str, run: str) -> None:
    """Writes what is missing of a run."""
    print("begun", flush=True)  # noqa: T201 - likewise
    destination = Place(mariadb_instance(url, Path())).open()
    saved = destination.checkpoint(FLOW) or ""
    begin = 0
    if saved.startswith(f"{run}/"):
        position = saved.removeprefix(f"{run}/")
        begin = BATCHES if position == "end" else int(position)
    if saved != f"{run}/end":
        writer = destination.open(target_of(ORDERS, mode, run))  # type: ignore[arg-type]
        for batch in range(begin, BATCHES):
            writer.write(frame_of(ORDERS, *rows(run, batch)), f"{run}/{batch + 1}")
        writer.finish(f"{run}/end")
    print("done", flush=True)  # noqa: T201 - what the test waits for


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Again as error:
        print("again", flush=True)  # noqa: T201 - likewise
        print(error, file=sys.stderr)  # noqa: T201 - for whoever looks why
