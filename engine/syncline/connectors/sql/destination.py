"""The SQL destination: opens writers, keeps checkpoints. The same for every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from syncline.connectors.sql import retention, subjects
from syncline.connectors.sql.ahead import Ahead
from syncline.connectors.sql.database import Branching, Database, remains, wiping
from syncline.connectors.sql.fences import Fences
from syncline.connectors.sql.images import Images
from syncline.connectors.sql.lane import Lane
from syncline.connectors.sql.leaving import leave
from syncline.connectors.sql.ledger import Ledger
from syncline.connectors.sql.names import SEEN, SHADOW, check_names, family, quoted
from syncline.connectors.sql.observe import observe, owner
from syncline.connectors.sql.seen import Seen
from syncline.connectors.sql.table import Table, keyed, missing, narrow, refusing
from syncline.connectors.sql.undoing import undo
from syncline.connectors.sql.writer import SqlWriter
from syncline.model.errors import Again, Invalid, Stalled
from syncline.sdk.chapters import together
from syncline.sdk.destination import Allow, Fence, Target
from syncline.sdk.observation import Observation
from syncline.sdk.offers import offers
from syncline.sdk.retention import Aged
from syncline.sdk.reversal import Kept, Undoing, Undone
from syncline.sdk.table_owner import TableOwner


class SqlDestination:
    """A database that is written to, over one connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ledger = Ledger(database)
        self._fences = Fences(database)
        self._held: dict[str, Fence] = {}
        self._ahead: Ahead | None = None
        self._unclaimed: dict[str, bool] = {}  # flows, and whether they are taken anew

    def fence(self, flow: str, fence: Fence, *, anew: bool = False) -> None:
        """Takes a flow; see `Fencing.fence`. Where no run ever wrote, there is nothing to take before `open`."""
        self._held[flow] = fence
        if self._ledger.ready():
            self._claim(flow, fence, anew=anew)
        else:
            self._unclaimed[flow] = anew

    def checkpoint(self, flow: str) -> str | None:
        """The last durable checkpoint of a flow. After an unknown outcome of a commit, this is how to find out."""
        found = self._ledger.read(flow)
        return found[1] if found else None

    def forget(self, flow: str) -> None:
        """Deletes the checkpoint of a flow."""
        if self._ledger.ready():
            with self._database.transaction():
                self._check_fence(flow)
                self._ledger.delete(flow)

    def restore(self, flow: str, run: str, checkpoint: str) -> None:
        """Takes a flow back to an earlier checkpoint; see `Restoring`."""
        if self._ledger.ready():
            with self._database.transaction():
                self._check_fence(flow)
                self._ledger.save(flow, run, together(checkpoint, {}, anew=True))

    def move(self, previous: str, flow: str) -> None:
        """Renames the checkpoint of a flow; one that `flow` already has is replaced."""
        if self._ledger.ready():
            with self._database.transaction():
                self._check_fence(flow)
                self._ledger.move(previous, flow)
                self._fences.retire(previous)

    def open(self, target: Target) -> SqlWriter:
        """
        Makes the table fit and returns a writer; see `Destination.open`.

        A table that is replaced gets its new content in `<table>__syncline_new`, which survives a killed run and is
        continued by a run of the same id only.
        """
        self._check(target)
        table = self._database.inspect(target.stream)
        if table is None or not self._ledger.ready() or missing(table, target, self._database):
            table = self._fit(target)
        if target.flow in self._unclaimed:
            self._claim_first(target.flow)
        if target.sweeps:
            self._begin_sweeping(target)
        if target.keeping is not None:
            self._begin_keeping()
        finished = self._begin_replacing(target) if target.mode == "replace" else False
        self._ahead = self._lanes(target)
        return SqlWriter(
            self._database,
            self._ledger,
            target,
            self._check_fence,
            finished=finished,
            ahead=self._ahead,
            sifts=refusing(table, target),
            narrow=narrow(table, target, self._database),
        )

    def owner(self, stream: str) -> TableOwner:
        """Whose a table is; see `Owning`."""
        return owner(self._database, self._ledger, stream)

    def adopt(self, stream: str, flow: str) -> None:
        """Writes down that a table is ours; see `Owning`."""
        with self._database.transaction():
            self._database.lock_tables()
            self._database.prepare()
            self._ledger.ensure()
            self._ledger.own(stream, flow)

    def drop(self, stream: str, flow: str) -> bool:
        """Drops a table that is ours; see `Owning`."""
        ours, _ = self._ledger.owns(stream)
        if not ours:
            return False
        with wiping(self._database), self._database.transaction():
            self._database.lock_tables()
            found = self._beside(stream)
            for name in found:
                self._database.drop(name)
        # Only what is gone is given up: where a table is dropped after the commit, that may fail.
        with self._database.transaction():
            self._database.lock_tables()
            if left := self._beside(stream):
                raise Stalled(
                    f"table {left[0]!r} can't be dropped",
                    code="SYN486",
                    help="Drop what depends on it, such as a foreign key, or end what locks it, and apply again.",
                )
            self._ledger.disown(stream)
            self._ledger.release(stream)
            self._ledger.delete(flow)
            self._fences.retire(flow)
        return stream in found

    def leave(self, stream: str, flow: str, *, shared: bool = False) -> None:
        """Removes all of ours but the rows; see `Leaving`."""
        if flow not in self._unclaimed:
            self._check_fence(flow)
        if self._ledger.ready() or self._fences.ready() or self._beside(stream):  # else nothing is made to look for it
            leave(self._database, stream, flow, shared=shared)
        self._held.pop(flow, None)
        self._unclaimed.pop(flow, None)

    def observe(self, target: Target) -> Observation:
        """How the table differs from the declared one; see `Observing`."""
        return observe(self._database, target)

    def has(self, stream: str) -> bool:
        """Whether the table is there; see `SubjectRows`."""
        return self._database.exists(stream)

    def find(self, stream: str, column: str, value: str | int) -> list[dict[str, Any]]:
        """The rows in which a column has a value; see `SubjectRows`."""
        return subjects.find(self._database, stream, column, value)

    def erase(self, flow: str, stream: str, column: str, value: str | int) -> int:
        """Deletes them; see `SubjectRows`. What they were before, which undoing would need, goes with them."""
        with wiping(self._database), self._database.transaction():
            count = subjects.erase(self._database, stream, column, value)
            Images(self._database).drop_table(stream)
            if self._ledger.ready():  # where no run ever wrote, nobody has anything
                self._check_fence(flow)
        return count

    def remains(self) -> str:
        """What may be left of them; see `SubjectRows`."""
        return remains(self._database)

    def aged(self, stream: str, aged: Aged) -> tuple[int, int]:
        """How many rows are too old; see `Retaining`."""
        return retention.count(self._database, stream, aged)

    def delete_aged(self, flow: str, stream: str, aged: Aged, allow: Allow) -> int:
        """Deletes them; see `Retaining`."""
        with wiping(self._database), self._database.transaction():
            count = retention.delete(self._database, stream, aged, allow)
            if self._ledger.ready():
                self._check_fence(flow)
        return count

    def count(self, stream: str) -> int:
        """The rows of a table; see `Counting`."""
        ((rows,),) = self._database.execute(f"SELECT count(*) FROM {self._database.place}{quoted(stream)}")
        return int(rows)

    def kept(self, run: str) -> Kept | None:
        """What is kept of a run; see `Reversing`."""
        return Images(self._database).of(run)

    def undo(self, undoing: Undoing) -> Undone:
        """Takes a run's writes back; see `Reversing`."""
        return undo(self._database, self._ledger, lambda: self._check_fence(undoing.flow), undoing)

    def expire(self, now: datetime) -> int:
        """Removes what is kept of runs whose time is over; see `Reversing`."""
        images = Images(self._database)
        if runs := images.expired(now):
            with self._database.transaction():
                for run in runs:
                    images.drop(run)
        return len(runs)

    def cut(self) -> None:
        """Cuts the connection off, from any thread: whatever waits for the database raises."""
        self._database.cut()
        if self._ahead is not None:
            self._ahead.cut()

    def close(self) -> None:
        """Closes the connections; an open transaction is rolled back by the database."""
        if self._ahead is not None:
            self._ahead.close()
        self._database.close()

    def _beside(self, stream: str) -> list[str]:
        """The tables of a stream that are there: its own, and what runs leave beside it."""
        return [name for name in family(stream, self._database.leftovers) if self._database.exists(name)]

    def _lanes(self, target: Target) -> Ahead | None:
        """Connections over which batches are sent before their turn, where the table allows that."""
        # What is kept to undo a batch is about its own rows, which none before it that isn't committed yet has.
        database, upserts = self._database, target.mode == "upsert" and not target.sweeps
        if not target.ahead or not upserts or not offers(database, Branching):
            return None
        if not database.apart(target.stream, target.schema.key):
            return None
        held = self._held.get(target.flow)
        return Ahead([Lane(database.another, target, held) for _ in range(target.ahead)], target.schema.key)

    def _claim(self, flow: str, fence: Fence, *, anew: bool = False) -> None:
        if not self._fences.ready():
            with self._database.transaction():
                self._database.lock_tables()
                self._fences.ensure()
        self._fences.claim(flow, fence, anew=anew)

    def _claim_first(self, flow: str) -> None:
        """Takes a flow that had no checkpoint when it was asked for."""
        self._claim(flow, self._held[flow], anew=self._unclaimed.pop(flow))
        if self._ledger.read(flow) is not None:
            raise Again(f"another run of {flow} has begun meanwhile", code="SYN680", after=1.0)

    def _check_fence(self, flow: str) -> None:
        """Refuses what a run that was followed still has to write; in the transaction of each write, at its end."""
        if (fence := self._held.get(flow)) is not None:
            self._fences.check(flow, fence)

    def _check(self, target: Target) -> None:
        schema = target.schema
        suffix = SHADOW if target.mode == "replace" else SEEN if target.sweeps else ""
        check_names(
            target.stream,
            schema.names,
            limit=self._database.name_bytes,
            reserve=len(suffix),
            folds=self._database.folds,
            taken=self._database.system_columns,
        )
        for field in schema.fields:
            if field.fields or field.repeated or field.type.name == "number":
                raise Invalid(
                    f"column {field.name!r} of table {target.stream!r} has no scalar type that a database can hold",
                    code="SYN484",
                    help="Give it an exact type in the mapping, such as decimal(14,2) or json.",
                )
        if not schema.fields:
            raise Invalid(f"table {target.stream!r} would have no columns", code="SYN486")
        if target.mode == "upsert" and not schema.key:
            raise Invalid(f"an upsert into table {target.stream!r} needs a key", code="SYN486")
        if absent := [name for name in schema.key if schema.get(name) is None]:
            raise Invalid(f"the key of table {target.stream!r} names no column: {', '.join(absent)}", code="SYN486")

    def _fit(self, target: Target) -> Table:
        with self._database.transaction():
            # Of several flows that want the same table, one makes it; the others look again and find it.
            self._database.lock_tables()
            self._database.prepare()
            self._ledger.ensure()
            table = self._database.inspect(target.stream)
            if table is None:
                # Before the table: where making one commits, a kill in between leaves no table that isn't noted.
                self._ledger.own(target.stream, target.flow)
                self._database.create(target.stream, target.schema, keyed=keyed(target))
            elif absent := missing(table, target, self._database):
                self._database.add(target.stream, absent)
            found = self._database.inspect(target.stream)
            assert found is not None
            return found

    def _begin_replacing(self, target: Target) -> bool:
        """Continues or begins the new content; True if this run has already put it in place."""
        shadow = target.stream + SHADOW
        with self._database.transaction():
            self._database.lock_tables()
            self._check_fence(target.flow)
            saved = self._ledger.read(target.flow)
            holder = self._ledger.replacer(target.stream)
            begun = saved is not None and saved[0] == target.run
            if begun and holder is None:
                return True
            if begun and holder == (target.flow, target.run):
                self._database.mend(target.stream, shadow)
            existing = self._database.inspect(shadow)
            if begun and holder == (target.flow, target.run):
                if existing is not None and not missing(existing, target, self._database):
                    return False
                lost = True
            else:
                lost = False
            if existing is not None:
                self._database.drop(shadow)
            if holder is not None:
                # The checkpoint speaks of rows that are now gone: whoever continued after it would lose them.
                self._ledger.delete(*holder)
            self._database.clone(target.stream, shadow)
            self._ledger.claim(target.stream, target.flow, target.run)
        if lost:
            raise _lost(target, "rows")
        return False

    def _begin_keeping(self) -> None:
        """Makes the table for what is kept; takes the time to remove what is over."""
        images = Images(self._database)
        if not images.ready():
            with self._database.transaction():
                self._database.lock_tables()
                images.ensure()
        self.expire(datetime.now(UTC))

    def _begin_sweeping(self, target: Target) -> None:
        """Continues or begins the table of the keys that the run comes to."""
        seen, lost = Seen(self._database, target), False
        with self._database.transaction():
            self._database.lock_tables()
            self._check_fence(target.flow)
            saved = self._ledger.read(target.flow)
            begun = saved is not None and saved[0] == target.run
            if begun and seen.exists():
                return
            if begun:
                # What the run came to before isn't known: whoever swept by the rest would delete too much.
                lost = True
                self._ledger.delete(target.flow, target.run)
            else:
                seen.begin()
        if lost:
            raise _lost(target, "keys")


def _lost(target: Target, what: str) -> Again:
    return Again(
        f"the {what} that run {target.run} had gathered for table {target.stream!r} are gone: it begins anew",
        code="SYN488",
    )
