"""The SQL writer: each batch and its checkpoint in one transaction. The same for every database."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.connectors.sql.database import Breach, Database, Trying
from syncline.connectors.sql.ledger import Ledger
from syncline.connectors.sql.names import SHADOW, quoted
from syncline.connectors.sql.replaced import Replacing
from syncline.connectors.sql.reversal import Noting
from syncline.connectors.sql.seen import Seen
from syncline.connectors.sql.sifting import sifted
from syncline.connectors.sql.table import keyed
from syncline.model.errors import Bug, Denied
from syncline.model.schema import Schema
from syncline.sdk.destination import Allow, Refusal, Removal, Rendered, Target, Written
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.offers import offers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from syncline.connectors.sql.ahead import Ahead
    from syncline.connectors.sql.limits import Limit


class _TriedError(Exception):
    """Rolls back what was only tried out."""


class SqlWriter:
    """
    An open write to a table. `finished`: what this run replaces is in place already, only its end is repeated.

    `check(flow)` raises where the run was followed by another one; it is asked at the end of each transaction, so that
    whoever takes the flow over waits for a commit at most, and not for rows that are on their way.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        target: Target,
        check: Callable[[str], None],
        *,
        finished: bool,
        ahead: Ahead | None = None,
        sifts: bool = False,
        narrow: Sequence[Limit] = (),
    ) -> None:
        self._sifts = sifts and offers(database, Trying)
        self._check = check
        self._database = database
        self._ledger = ledger
        self._target = target
        self._finished = finished
        self._table = target.stream + SHADOW if target.mode == "replace" else target.stream
        self._frame_schema = target_frame_schema(target.schema)
        self._limits = database.limits(target.schema, keyed=keyed(target)).with_more(narrow)
        self._saved: str | None = None
        self._ahead = ahead
        self._seen = Seen(database, target) if target.sweeps else None
        # What a replacement does to the table, it does at its end.
        keeps = target.keeping is not None and target.mode != "replace"
        self._noting = Noting(database, target) if keeps else None

    def write(self, frame: pl.DataFrame, checkpoint: str) -> Written:
        """Writes a batch and its checkpoint; see `Writer.write`."""
        return self.write_rendered(self.render(frame), checkpoint)

    def render(self, frame: pl.DataFrame) -> Rendered:
        """Checks a batch and makes it ready, without the database; see `Rendering.render`."""
        if dict(frame.schema) != self._frame_schema:
            raise Bug(f"table {self._target.stream!r} was given columns that its schema doesn't have")
        self._limits.ensure(frame)
        return self._database.render(frame, self._target.schema)

    def write_rendered(self, rendered: Rendered, checkpoint: str) -> Written:
        """Writes a batch that is ready, and its checkpoint."""
        if self._finished:
            raise Bug(f"run {self._target.run} has already replaced table {self._target.stream!r}")
        if self._ahead is None:
            return self._write(rendered, checkpoint)
        written = self._ahead.write(rendered, checkpoint, lambda: self._write(rendered, checkpoint))
        self._saved = checkpoint
        return written

    def foresee(self, rendered: Rendered) -> None:
        """Sends a batch before its turn, where that can be; see `Foreseeing`."""
        if self._ahead is not None:
            self._ahead.send(rendered)

    def _write(self, rendered: Rendered, checkpoint: str) -> Written:
        written, superseded, frame = Written(0), 0, rendered.frame
        if self._target.mode == "replace" and keyed(self._target):
            # Only an upsert is promised keys that are unique inside the frame. The last one wins, as between frames.
            unique = frame.unique(subset=list(self._target.schema.key), keep="last", maintain_order=True)
            superseded = frame.height - unique.height
            if superseded:
                rendered = self._database.render(unique, self._target.schema)
        with self._database.transaction():
            self._hold()
            if self._noting is not None:
                written = self._noting.write(rendered)
            elif frame.height and keyed(self._target):
                written = self._database.merge(self._table, rendered, self._target.schema)
            elif frame.height:
                there = self._database.append(self._table, rendered, self._target.schema)
                written = Written(there, left_out=frame.height - there)
            self._save(checkpoint)
        self._saved = checkpoint
        return replace(written, updated=written.updated + superseded)

    def write_removing(self, rendered: Rendered, removal: Removal, checkpoint: Callable[[int], str]) -> Written:
        """Deletes rows and writes a batch, with its checkpoint; see `Removing.write_removing`."""
        schema, keys = self._target.schema, removal.keys
        written = Written(0)
        with self._database.transaction():
            deleted = self._remove(removal)
            removal.allow(deleted, lambda: self._count(self._table, removal.mark) + deleted)
            if rendered.frame.height:
                written = self._database.merge(self._table, rendered, schema)
            saved = checkpoint(deleted)
            self._save(saved)
        self._saved = saved
        return replace(written, deleted=deleted, unchanged=written.unchanged + keys.height - deleted)

    @property
    def sifts(self) -> bool:
        """Whether the table may refuse rows, and can be asked which."""
        return self._sifts

    def sift(self, frame: pl.DataFrame, removal: Removal | None, most: int | None) -> list[Refusal] | None:
        """Tries out which rows the table refuses; see `Sifting.sift`. Keys have to be unique, as for `write`."""
        database, target = self._database, self._target
        if not offers(database, Trying):
            return []
        found: list[tuple[int, Breach]] | None = None
        with suppress(_TriedError), self._database.transaction(durable=False):
            if removal is not None:
                self._remove(removal)
            write = database.trial(self._table, frame, target.schema, keyed=keyed(target))
            found = sifted(frame.height, write, most)
            raise _TriedError
        return None if found is None else [Refusal(row, breach.column, breach.message) for row, breach in found]

    @property
    def keeps_chapters(self) -> bool:
        """They are rows beside the checkpoint's; see `Chaptered`."""
        return True

    def see(self, keys: pl.DataFrame) -> None:
        """Notes keys for the next write; see `Sweeping.see`."""
        if self._seen is None:
            raise Bug(f"the run {self._target.run} was not opened to sweep table {self._target.stream!r}")
        self._seen.add(keys)

    def sweep(self, allow: Allow | None, checkpoint: Callable[[int], str]) -> int:
        """Deletes what the run didn't come to, and ends it; see `Sweeping.sweep`."""
        if self._seen is None:
            raise Bug(f"the run {self._target.run} was not opened to sweep table {self._target.stream!r}")
        deleted = 0
        with self._database.transaction():
            self._seen.keep()
            if allow is not None:
                missing = self._seen.missing()
                allow(missing, lambda: self._count(self._table))
                deleted = self._seen.sweep()
                if deleted != missing:  # somebody else wrote meanwhile
                    allow(deleted, lambda: self._count(self._table) + deleted)
            self._seen.drop()
            saved = checkpoint(deleted)
            self._save(saved)
        self._saved = saved
        return deleted

    def refuse(self, frame: pl.DataFrame) -> list[Refusal]:
        """Every value that the database can't hold; see `Refusing.refuse`."""
        return self._limits.refusals(frame)

    def finish(self, checkpoint: str) -> None:
        """Makes the last checkpoint durable and swaps a replaced table in; repeated, it does nothing more."""
        replaces = self._target.mode == "replace" and not self._finished
        if self._saved == checkpoint and not replaces:
            return
        keeping = None
        if replaces and self._target.keeping is not None:
            keeping = Replacing(self._database, self._target, self._table)
            keeping.prepare()
        with self._database.transaction():
            if replaces:
                self._database.lock_tables()
                self._hold()
                self._guard()
                self._group()
                if keeping is not None:
                    keeping.keep()
                self._database.swap(self._target.stream, self._table)
                self._ledger.release(self._target.stream)
            self._save(checkpoint)
        self._saved = checkpoint
        self._finished = self._target.mode == "replace"

    def abort(self) -> None:
        """Gives up what was sent ahead. What a replacing run gathered waits for a run of the same id."""
        if self._ahead is not None:
            self._ahead.give_up()

    def _remove(self, removal: Removal) -> int:
        """Deletes or marks the rows of keys, inside a transaction; the number of them."""
        schema = self._target.schema
        key = Schema(tuple(field for field in schema.fields if field.name in schema.key), schema.key)
        gone = self._database.render(removal.keys.select(key.names), key)
        return self._database.remove(self._table, gone, key, removal.mark)

    def _save(self, checkpoint: str) -> None:
        if self._seen is not None:
            self._seen.keep()
        self._check(self._target.flow)
        self._ledger.save(self._target.flow, self._target.run, checkpoint)

    def _hold(self) -> None:
        if self._target.mode == "replace":
            self._ledger.hold(self._target.stream, self._target.flow, self._target.run)

    def _guard(self) -> None:
        allowed = self._target.max_shrink
        if allowed is None:
            return
        before, after = (self._count(name) for name in (self._target.stream, self._table))
        if before - after > before * Decimal(str(allowed)):
            raise Denied(
                f"table {self._target.stream!r} would shrink from {before:,} rows to {after:,};"
                f" at most {allowed:.1%} may go",
                code="SYN487",
                help="Look at the source. If the rows are really gone, raise guards.maxShrink.",
            )

    def _group(self) -> None:
        """`Denied` (SYN517) where what was gathered isn't as anonymous as it has to be. It isn't said which rows."""
        floor = self._target.alike
        if floor is None:
            return
        columns = ", ".join(map(quoted, floor.columns))
        ((groups, rows),) = self._database.execute(
            f"SELECT count(*), coalesce(sum(alike), 0) FROM (SELECT count(*) AS alike FROM"
            f" {self._database.place}{quoted(self._table)} GROUP BY {columns} HAVING count(*) < {floor.k:d}) AS small"
        )
        if groups:
            raise Denied(
                f"table {self._target.stream!r} would not be {floor.k}-anonymous by {', '.join(floor.columns)}:"
                f" {int(rows):,} rows are alike with fewer than {floor.k} in {groups:,} groups",
                code="SYN517",
                help="Generalise these fields further (protect: {generalize: …}), drop one, or leave out rare records.",
            )

    def _count(self, table: str, mark: str = "") -> int:
        """Rows of a table; with `mark`, those that aren't marked as deleted."""
        there = f" WHERE {quoted(mark)} IS NULL" if mark else ""
        count: int = self._database.execute(f"SELECT count(*) FROM {self._database.place}{quoted(table)}{there}")[0][0]
        return count
