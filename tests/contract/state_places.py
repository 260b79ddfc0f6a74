"""The databases that keep states, and what tests of their promises share. A new database is one more of `PLACES`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.state.open import open_reader, open_store
from syncline.state.store import AppliedObject, RunRecord, SealedRejects
from tests import warm

if TYPE_CHECKING:
    from syncline.state.sql import SqlStore
    from syncline.state.store import StateReader, StateStore


PLACES = ("sqlite", "postgresql")

ORDERS = ObjectKey("acme", "Sync", "orders")
APPLIED = AppliedObject(ORDERS, "d1", '{"a":"ä"}', "orders.yaml:1:1", "r1", "p1", 1, "2026-11-25T18:00:00Z")
RUN = RunRecord("20261125T181500-abc123", ORDERS, RunState.pending, "manual", "r1", "p1", "2026-11-25T18:15:00Z")
SEALED = SealedRejects(RUN.id, 0, 2, {"email": 2}, b"\x00sealed\xff")


@dataclass
class Where:
    """A database without state, and the stores opened on it, which are closed with it."""

    url: str
    schema: str
    opened: list[StateReader]

    def store(self) -> SqlStore:
        """One more store on the same state."""
        store = open_store(self.url, schema=self.schema)
        self.opened.append(store)
        return store

    def reader(self) -> StateReader:
        """One more reader of the same state."""
        self.opened.append(open_reader(self.url, schema=self.schema))
        return self.opened[-1]

    def start(self, code: str) -> subprocess.Popen[str]:
        """A process with a `store` that runs `code`; its standard input and output are ours."""
        head = (
            "import sys\n"
            "from syncline.state.open import open_store\n"
            "store = open_store(sys.argv[1], schema=sys.argv[2])\n"
        )
        return warm.Popen(
            [sys.executable, "-c", head + code, self.url, self.schema],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def apply(store: StateStore, *objects: AppliedObject, name: str = "apply-1") -> int:
    """Applies declarations; the serial after it."""
    with store.lease("apply") as lease:
        store.begin_apply(lease, name, "p1", "r1", [f"put {o.key}" for o in objects])
        for index, applied in enumerate(objects):
            store.put_object(lease, name, index, applied)
        return store.finish_apply(lease, name)
