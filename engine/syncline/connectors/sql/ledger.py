"""Our own three tables beside the data: checkpoints of flows, replacements that are under way, and our tables.

`_syncline_checkpoints` has one row a flow, written in the transaction that writes the rows it speaks of, and one for
each of its chapters (`sdk/chapters.py`), whose `flow` has `#` and the chapter's number behind it. Where there are any,
the row `#` lists them.
`_syncline_replacing` has one row a table whose new content is being gathered: by which flow and run. Writing to that
new content holds the row, so that of two runs which replace one table, the earlier finds out at its next write.
`_syncline_tables` has one row a table that a flow made or took over. Where the other two are older, a row for `*` says
that there may be tables of ours which it doesn't name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from syncline.connectors.sql.database import Database
from syncline.connectors.sql.names import quoted
from syncline.model.errors import Waiting
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.chapters import apart, together

CHECKPOINTS = "_syncline_checkpoints"
REPLACING = "_syncline_replacing"
TABLES = "_syncline_tables"
_ANY = "*"  # no name of a table that a stream can have

#: Their columns, all text, the first of which is the key; in the order in which they are made.
_MADE = {
    TABLES: ("table_name", "flow", "since"),
    CHECKPOINTS: ("flow", "run", "checkpoint", "updated"),
    REPLACING: ("table_name", "flow", "run"),
}
_CHAPTER = "#"  # no character of a flow's name


def _named(flow: str, rows: Mapping[str, tuple[str, str]]) -> dict[int, str]:
    """What the chapters of a flow are kept under, by number, as the row that lists them says."""
    _, numbers = rows.get(flow + _CHAPTER, ("", ""))
    return {number: f"{flow}{_CHAPTER}{number}" for number in map(int, numbers.split())}


def of_flow(flow: str) -> tuple[str, tuple[str, str]]:
    """A condition, and its parameters, for the row of a flow and those of its chapters."""
    chapter = flow + _CHAPTER
    return f"flow = $1 OR substr(flow, 1, {len(chapter)}) = $2", (flow, chapter)


class Ledger:
    """The tables of a database. Without them, reading finds nothing; `ensure` makes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checkpoints = database.place + quoted(CHECKPOINTS)
        self._replacing = database.place + quoted(REPLACING)
        self._tables = database.place + quoted(TABLES)
        self._ready = False

    def ready(self) -> bool:
        """Whether the tables are there. This one is made last."""
        self._ready = self._ready or self._database.exists(REPLACING)
        return self._ready

    def ensure(self) -> None:
        """Makes the tables where they are missing."""
        older = self._database.exists(CHECKPOINTS) and not self._database.exists(TABLES)
        for table, names in _MADE.items():
            if not self._database.exists(table):
                fields = tuple(Field(name, DataType("string")) for name in names)
                self._database.create(table, Schema(fields, names[:1]), keyed=True)
        if older:
            self.own(_ANY, "")

    def own(self, table: str, flow: str) -> None:
        """Notes that a table is ours, by the flow that made it or took it over."""
        self._database.execute(
            f"INSERT INTO {self._tables} (table_name, flow, since) VALUES ($1, $2, $3)"
            f" {self._database.or_set('table_name')}",
            (self._fold(table), flow, datetime.now(UTC).isoformat(timespec="microseconds")),
        )

    def disown(self, table: str) -> None:
        """Notes that a table is ours no more."""
        self._database.execute(f"DELETE FROM {self._tables} WHERE table_name = $1", (self._fold(table),))

    def owns(self, table: str) -> tuple[bool, bool]:
        """Whether a table is ours, and whether that would be known."""
        if not self._database.exists(TABLES):
            return False, not self._database.exists(CHECKPOINTS)
        rows = self._database.execute(
            f"SELECT table_name FROM {self._tables} WHERE table_name = $1 OR table_name = $2", (self._fold(table), _ANY)
        )
        names = {name for (name,) in rows}
        return self._fold(table) in names, _ANY not in names

    def _fold(self, table: str) -> str:
        return table.lower() if self._database.folds else table

    def read(self, flow: str) -> tuple[str, str] | None:
        """Run and checkpoint of a flow, with its chapters."""
        if not self.ready():
            return None
        rows = self._rows(flow, flow + _CHAPTER)
        if flow not in rows:
            return None
        run, head = rows[flow]
        named = _named(flow, rows)
        there = self._rows(*named.values())
        return run, together(head, {number: there[name][1] for number, name in named.items() if name in there})

    def save(self, flow: str, run: str, checkpoint: str) -> None:
        """Sets the checkpoint of a flow."""
        head, anew, chapters = apart(checkpoint)
        self._set(flow, run, head)
        if not anew and not chapters:
            return
        list_of_them = flow + _CHAPTER
        known = _named(flow, self._rows(list_of_them))
        if anew:
            self._drop(known.values())
        kept = [*([] if anew else known), *chapters]
        for number, chapter in chapters.items():
            self._set(f"{list_of_them}{number}", run, chapter)
        if kept:
            self._set(list_of_them, run, " ".join(map(str, kept)))
        elif known:
            self._drop([list_of_them])

    def _set(self, flow: str, run: str, checkpoint: str) -> None:
        self._database.execute(
            f"INSERT INTO {self._checkpoints} (flow, run, checkpoint, updated) VALUES ($1, $2, $3, $4)"
            f" {self._database.or_set('flow', 'run', 'checkpoint', 'updated')}",
            (flow, run, checkpoint, datetime.now(UTC).isoformat(timespec="microseconds")),
        )

    def delete(self, flow: str, run: str | None = None) -> None:
        """Deletes the checkpoint of a flow; with `run`, only one that this run left."""
        if not self.ready():
            return
        rows = self._rows(flow, flow + _CHAPTER)
        if flow in rows and run in {None, rows[flow][0]}:
            self._drop([*rows, *_named(flow, rows).values()])

    def _rows(self, *names: str) -> dict[str, tuple[str, str]]:
        """Run and text of rows, by what they are kept under: asked by their keys, as there may be many flows."""
        if not names:
            return {}
        keys = ", ".join(f"${number}" for number in range(1, len(names) + 1))
        query = f"SELECT flow, run, checkpoint FROM {self._checkpoints} WHERE flow IN ({keys})"
        return {name: (run, text) for name, run, text in self._database.execute(query, names)}

    def _drop(self, names: Iterable[str]) -> None:
        """Deletes these, each by its key: to find out by a condition, MariaDB waits for the rows of other flows."""
        for name in names:
            self._database.execute(f"DELETE FROM {self._checkpoints} WHERE flow = $1", (name,))

    def move(self, previous: str, flow: str) -> None:
        """Gives the checkpoint of `previous` to `flow`."""
        if (found := self.read(previous)) is None:
            return
        run, checkpoint = found
        self.delete(previous)
        head, _, chapters = apart(checkpoint)
        self.save(flow, run, together(head, chapters, anew=True))
        self._database.execute(f"UPDATE {self._replacing} SET flow = $1 WHERE flow = $2", (flow, previous))

    def replacer(self, table: str) -> tuple[str, str] | None:
        """Flow and run that gather the new content of a table, locked until the transaction ends."""
        rows = self._database.execute(
            f"SELECT flow, run FROM {self._replacing} WHERE table_name = $1{self._database.locking}", (table,)
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def claim(self, table: str, flow: str, run: str) -> None:
        """Notes that this run gathers the new content of a table from now on."""
        self._database.execute(
            f"INSERT INTO {self._replacing} (table_name, flow, run) VALUES ($1, $2, $3)"
            f" {self._database.or_set('table_name', 'flow', 'run')}",
            (table, flow, run),
        )

    def hold(self, table: str, flow: str, run: str) -> None:
        """Raises Waiting if it isn't this run that gathers the new content of a table."""
        if (holder := self.replacer(table)) != (flow, run):
            other = " ".join(holder) if holder else "another run, which has ended"
            raise Waiting(f"table {table!r} is being replaced by {other}", code="SYN489", on=other)

    def release(self, table: str) -> None:
        """Notes that the new content is in place."""
        self._database.execute(f"DELETE FROM {self._replacing} WHERE table_name = $1", (table,))
