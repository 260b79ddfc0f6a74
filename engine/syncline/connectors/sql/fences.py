"""Who may write a flow: the third table of our own, beside checkpoints and replacements.

`_syncline_fences` has one row a flow: the fencing token of the lease that its last run holds in the state, and which
state that is. A run claims the row before it reads the checkpoint, and proves in each transaction that it still has it.
So whoever was taken for dead while it was only slow writes nothing more as soon as another run of the flow has begun.

Tokens of one state only rise. Another state, as after one was lost and made anew, counts for itself: its run takes the
flow over, as one by hand could.
"""

from __future__ import annotations

from syncline.connectors.sql.database import Database
from syncline.connectors.sql.names import quoted
from syncline.model.errors import Denied
from syncline.sdk.destination import Fence

TABLE = "_syncline_fences"


class Fences:
    """The table of a database. `ensure` makes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.place + quoted(TABLE)
        self._ready = False

    def ready(self) -> bool:
        """Whether the table is there."""
        self._ready = self._ready or self._database.exists(TABLE)
        return self._ready

    def ensure(self) -> None:
        """Makes the table where it is missing."""
        self._database.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} (flow text NOT NULL PRIMARY KEY, lineage text NOT NULL,"
            " token bigint NOT NULL)"
        )

    def claim(self, flow: str, fence: Fence, *, anew: bool) -> None:
        """Takes a flow; refused (`Denied`) where it was taken by a later token of the same state, unless `anew`."""
        newer = "" if anew else " WHERE f.lineage <> excluded.lineage OR f.token <= excluded.token"
        taken = self._database.execute(
            f"INSERT INTO {self._table} AS f (flow, lineage, token) VALUES ($1, $2, $3) ON CONFLICT (flow)"
            f" DO UPDATE SET lineage = excluded.lineage, token = excluded.token{newer} RETURNING token",
            (flow, fence.lineage, fence.token),
        )
        if not taken:
            raise Denied(
                f"a later run has taken {flow} at its destination: this one has the token {fence.token}",
                code="SYN681",
                help="If another process runs the flow now, nothing is to be done. If the state was restored from a"
                " backup, it is older than the data: run the flow with --full-refresh.",
            )

    def check(self, flow: str, fence: Fence) -> None:
        """Refuses (`Denied`) what is written without the flow; nobody else can take it until the transaction ends."""
        # An update that changes nothing locks the row in both databases, and returns it.
        held = self._database.execute(
            f"UPDATE {self._table} SET token = token WHERE flow = $1 AND lineage = $2 AND token = $3 RETURNING token",
            (flow, fence.lineage, fence.token),
        )
        if not held:
            raise Denied(
                f"a later run has taken {flow} at its destination",
                code="SYN680",
                help="Nothing of this batch was written. The later run goes on after the last commit.",
            )

    def retire(self, flow: str) -> None:
        """Refuses whoever has a flow: it goes on under another name."""
        if self.ready():
            self._database.execute(f"UPDATE {self._table} SET token = token + 1 WHERE flow = $1", (flow,))
