"""Kills an apply at every change it makes and repairs it; run by `test_state_applies.py` as a process of its own, since it forks.

`python -m tests.contract.state_crash URL SCHEMA` makes an apply of five steps in a child that kills itself (SIGKILL)
before its n-th change or commit, for every n; each time the apply is then repeated from its journal, and the outcome
printed as a JSON line. Children have the statements that their parent compiled for the apply before.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from msgspec.structs import replace

from syncline.model.key import ObjectKey
from syncline.state.open import open_store
from syncline.state.sql import SqlStore
from syncline.state.store import AppliedObject
from syncline.state.tables import meta, metadata
from tests.compiled_statements import compiled_once
from tests.told_database import told

KEPT, GONE, OLD, NEW = (ObjectKey("acme", "Sync", name) for name in ("kept", "gone", "old", "new"))
APPLIED = AppliedObject(KEPT, "d1", "{}", "a.yaml:1:1", "r1", "p1", 1, "2026-11-25T18:00:00Z")
STEPS = ("put kept", "delete gone", "move old", "reset new", "put gone again")


def main(url: str, schema: str) -> None:
    """Kill the apply at each statement until one apply comes through."""
    point, through = 0, False
    while not through:
        point += 1
        _prepare(url, schema)
        child = os.fork()
        if child == 0:
            _apply_until_killed(url, schema, point)
        status = os.waitpid(child, 0)[1]
        through = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        if not through and os.WTERMSIG(status) != signal.SIGKILL:
            raise SystemExit(f"the child ended by itself: {status}")
        sys.stdout.write(json.dumps({"point": point, "through": through} | _repair(url, schema)) + "\n")


def _prepare(url: str, schema: str) -> None:
    store = open_store(url, schema=schema)
    with store._database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete() if table is not meta else table.update().values(serial=0))
    with store.lease("apply") as lease:
        store.begin_apply(lease, "first", "p0", "r0", ["", ""])
        for index, key in enumerate((GONE, OLD)):
            store.put_object(lease, "first", index, replace(APPLIED, key=key))
        store.finish_apply(lease, "first")
    for key in (GONE, OLD):
        store.put_cursor(key, key.name)
    store.close()


def _apply_until_killed(url: str, schema: str, point: int) -> None:
    store = open_store(url, schema=schema)
    left = point

    def count(statement: str) -> None:
        nonlocal left
        left -= not statement.startswith(("SELECT", "BEGIN", "PRAGMA"))
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    told(store._database, count)
    _apply(store)
    os._exit(0)


def _repair(url: str, schema: str) -> dict[str, object]:
    store = open_store(url, schema=schema)
    found = store.unfinished_apply()
    serial = store.serial()
    _apply(store)
    outcome = {
        "consistent": serial == 2 + sum(entry.done for entry in found) if found else serial in {2, 7},
        "left": len(store.unfinished_apply()),
        "serial": store.serial(),
        "objects": {str(o.key): o.generation for o in store.objects()},
        "cursors": {str(key): value for key, value in store.cursors().items()},
    }
    store.close()
    return outcome


def _apply(store: SqlStore) -> None:
    """The same apply, from the start or from where it was left."""
    with store.lease("apply", ttl=60) as lease:
        if store.serial() == 7 and not store.unfinished_apply():
            return
        store.begin_apply(lease, "second", "p1", "r1", STEPS)
        store.put_object(lease, "second", 0, APPLIED)
        store.delete_object(lease, "second", 1, GONE)
        store.move_object(lease, "second", 2, OLD, NEW)
        store.reset_cursor(lease, "second", 3, NEW)
        store.put_object(lease, "second", 4, replace(APPLIED, key=GONE))
        store.finish_apply(lease, "second")


if __name__ == "__main__":
    with compiled_once():
        main(*sys.argv[1:])
