"""
Writing so that it can be undone, and undoing it: the same SQL for every database, over what each does differently.

A row is as a run left it while the digest over its columns is the one that was noted. Columns that the table got since
must be null then: what somebody put there is a later write, too. Rows that were upserted are known by their key; rows
that were appended, and those of a table that was replaced, by their digest alone (`multiset.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from syncline.connectors.sql.dialect import added_columns, dialect_of, noted_columns
from syncline.connectors.sql.images import Image, Images
from syncline.connectors.sql.multiset import Multiset
from syncline.connectors.sql.names import DIGEST, FRESH, columns, quoted
from syncline.model.errors import Invalid
from syncline.sdk.reversal import Undone

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.sdk.destination import Rendered, Target, Written

_BEFORE, _AFTER, _LEFT = "syncline_before", "syncline_after", "syncline_left"


class Noting:
    """Writes the batches of a run that are to be undone later, and keeps what that needs."""

    def __init__(self, database: Database, target: Target) -> None:
        assert target.keeping is not None
        self._keeping = target.keeping
        self._target = target
        self._images = Images(database)
        table = database.inspect(target.stream)
        assert table is not None  # it is there by now
        self._dialect = dialect_of(database, table)
        self._dialect.prepare()
        self._key = target.schema.key if target.mode == "upsert" else ()
        self._columns = noted_columns(table, self._key)

    def write(self, rows: Rendered) -> Written:
        """Writes a batch inside a transaction. Where it has no rows, that is kept as well."""
        from syncline.sdk.destination import Written

        target = self._target
        written, before, after = Written(0), b"", b""
        if rows.frame.height and self._key:
            self._dialect.begin()
            written, before, after = self._dialect.merge(target.stream, rows, target.schema, self._columns)
        elif rows.frame.height:
            count, after = self._dialect.append(target.stream, rows, target.schema, self._columns)
            written = Written(count, left_out=rows.frame.height - count)
        image = Image(self._columns, self._key, before, after)
        self._images.keep(target.run, target.stream, image, written.inserted, written.updated, self._keeping)
        return written


class Reversal:
    """Takes the writes to one table back, inside one transaction: `begin`, an `undo` for each image, `end`."""

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._name = table
        self._table = database.place + quoted(table)
        found = database.inspect(table)
        if found is None:
            raise Invalid(f"table {table!r} is gone", code="SYN764", help="Restore a backup.")
        self._found = found
        self._dialect = dialect_of(database, found)
        self._key: tuple[str, ...] = ()
        self._multiset = Multiset(database, self._dialect, found)

    def prepare(self) -> None:
        """Before the transaction."""
        self._dialect.prepare()

    def begin(self) -> None:
        """In the transaction, first."""
        self._dialect.begin()

    def undo(self, image: Image) -> Undone:
        """Takes one batch back. A row that one after it left alone is left alone."""
        if lost := [name for name in image.columns if self._found.get(name) is None]:
            raise Invalid(
                f"column {lost[0]!r} of table {self._name!r} is gone, so what rows had in it can't be brought back",
                code="SYN764",
                help="Add the column again, or restore a backup.",
            )
        if not image.key:
            return self._multiset.add(image)
        if not self._key:
            self._key = image.key
            self._make(_LEFT, image.key, image.key)
        self._make(_AFTER, image.key, (*image.key, DIGEST, FRESH))
        self._dialect.fill(_AFTER, (*image.key, DIGEST, FRESH), image.after)
        self._make(_BEFORE, image.key, image.columns)
        self._dialect.fill(_BEFORE, image.columns, image.before)
        found = self._undo(image)
        for table in (_AFTER, _BEFORE):
            self._dialect.drop(table)
        return found

    def end(self) -> Undone:
        """In the transaction, last: what of the images is undone together."""
        if self._key:
            self._dialect.drop(_LEFT)
        return self._multiset.end()

    def _undo(self, image: Image) -> Undone:
        after, before, left = (self._dialect.aside + name for name in (_AFTER, _BEFORE, _LEFT))
        key, fresh = image.key, quoted(FRESH)
        meets = _same("t", "a", key)
        self._dialect.hold(self._table, f"{after} AS a JOIN {self._table} AS t ON {meets}")
        (counts,) = self._database.execute(
            f"SELECT count(*), count(t.{quoted(key[0])}) FROM {after} AS a LEFT JOIN {self._table} AS t ON {meets}"
        )
        total, there = counts
        free = f"NOT EXISTS (SELECT 1 FROM {left} AS l WHERE {_same('l', 'a', key)})"
        self._dialect.change(
            f"INSERT INTO {left} ({columns(key)}) SELECT {columns(key, 'a.')} FROM {after} AS a"
            f" LEFT JOIN {self._table} AS t ON {meets}"
            f" WHERE (t.{quoted(key[0])} IS NULL OR NOT ({self._untouched(image)})) AND {free}"
        )
        deleted = self._dialect.delete(self._table, after, meets, f"a.{fresh} AND {free}", key)
        restored = 0
        if others := image.columns[len(key) :]:
            source = f"{before} AS b JOIN {after} AS a ON {_same('a', 'b', key)}"
            restored = self._dialect.update(
                self._table, others, source, _same("t", "a", key), f"NOT a.{fresh} AND {free}"
            )
        return Undone(deleted, restored, there - deleted - restored, total - there)

    def _untouched(self, image: Image) -> str:
        same = f"{self._dialect.digest(image.columns)} = a.{quoted(DIGEST)}"
        return " AND ".join([same, *(f"t.{quoted(name)} IS NULL" for name in added_columns(self._found, image))])

    def _make(self, name: str, key: Sequence[str], names: Sequence[str]) -> None:
        """Makes an empty temporary table with columns of the table, or our own, keyed by its key."""
        own = self._dialect.own
        parts = [f"{own[n] if n in own else 't.' + quoted(n)} AS {quoted(n)}" for n in names]
        self._dialect.make(name, f"SELECT {', '.join(parts)} FROM {self._table} AS t LIMIT 0", key)


def _same(left: str, right: str, key: Iterable[str]) -> str:
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in key)
