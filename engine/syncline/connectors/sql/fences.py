"""Who may write a flow: the third table of our own, beside checkpoints and replacements.

`_syncline_fences` has one row a flow: the fencing token of the lease that its last run holds in the state, and which
state that is. A run claims the row before it reads the checkpoint, and proves in each transaction that it still has it.
So whoever was taken for dead while it was only slow writes nothing more as soon as another run of the flow has begun.

Tokens of one state only rise. Another state, as after one was lost and made anew, counts for itself: its run takes the
flow over, as one by hand could.
"""

from __future__ import annotations

from syncline.connectors.sql.database import Changing, Database
from syncline.connectors.sql.names import quoted
from syncline.model.errors import Denied
from syncline.model.schema import INTEGER, DataType, Field, Schema
from syncline.sdk.destination import Fence
from syncline.sdk.offers import offers

TABLE = "_syncline_fences"

_COLUMNS = Schema(
    (Field("flow", DataType("string")), Field("lineage", DataType("string")), Field("token", INTEGER)), ("flow",)
)


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
        if not self._database.exists(TABLE):
            self._database.create(TABLE, _COLUMNS, keyed=True)

    def claim(self, flow: str, fence: Fence, *, anew: bool) -> None:
        """Takes a flow; refused (`Denied`) where it was taken by a later token of the same state, unless `anew`.

        Losing power undoes at most the claim of a run that is lost with it. What was taken before is taken by one
        statement, where the database can tell what that did.
        """
        database, mine = self._database, (fence.lineage, fence.token, flow)
        where = "flow = $3" if anew else "flow = $3 AND (lineage <> $1 OR token <= $2)"
        if offers(database, Changing) and database.change_told(self._table, "lineage = $1, token = $2", where, mine):
            return
        with database.transaction(durable=False):
            self._claim(flow, fence, anew=anew)

    def _claim(self, flow: str, fence: Fence, *, anew: bool) -> None:
        held = self._held(flow)
        if not held:
            self._database.execute(
                f"INSERT INTO {self._table} (flow, lineage, token) VALUES ($1, $2, $3) {self._database.or_set('flow')}",
                (flow, fence.lineage, fence.token),
            )
            held = self._held(flow)
        lineage, token = held[0]
        if not anew and lineage == fence.lineage and token > fence.token:
            raise Denied(
                f"a later run has taken {flow} at its destination: this one has the token {fence.token}",
                code="SYN681",
                help="If another process runs the flow now, nothing is to be done. If the state was restored from a"
                " backup, it is older than the data: run the flow with --full-refresh.",
            )
        self._database.execute(
            f"UPDATE {self._table} SET lineage = $1, token = $2 WHERE flow = $3", (fence.lineage, fence.token, flow)
        )

    def check(self, flow: str, fence: Fence) -> None:
        """Refuses (`Denied`) what is written without the flow; nobody else can take it until the transaction ends."""
        if (fence.lineage, fence.token) not in self._held(flow):
            raise Denied(
                f"a later run has taken {flow} at its destination",
                code="SYN680",
                help="Nothing of this batch was written. The later run goes on after the last commit.",
            )

    def _held(self, flow: str) -> list[tuple[str, int]]:
        """Who has a flow, locked until the transaction ends."""
        return [
            (str(lineage), int(token))
            for lineage, token in self._database.execute(
                f"SELECT lineage, token FROM {self._table} WHERE flow = $1{self._database.locking}", (flow,)
            )
        ]

    def retire(self, flow: str) -> None:
        """Refuses whoever has a flow: it goes on under another name."""
        if self.ready():
            self._database.execute(f"UPDATE {self._table} SET token = token + 1 WHERE flow = $1", (flow,))
