"""
What is kept of a table that is replaced, so that it can be undone: the rows that differ between the old and the new.

It is kept in the transaction that puts the new table in place. Rows that are in both, and as often, are part of nothing
that could be undone, so that replacing a table by almost the same costs little room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.sql.dialect import dialect_of, noted_columns
from syncline.connectors.sql.images import Image, Images
from syncline.connectors.sql.names import DIGEST, columns, quoted
from syncline.connectors.sql.table import keyed

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.dialect import Dialect
    from syncline.sdk.destination import Target

#: Rows that an image has of each side at most.
_ROWS = 50_000

_OLD, _NEW, _SAME = "syncline_old", "syncline_new", "syncline_same"
_CAME, _GONE = "syncline_came", "syncline_gone"

_DIGEST, _NUMBER, _COUNT = quoted(DIGEST), quoted("=number"), quoted("=rows")


class Replacing:
    """Keeps what replacing a table by its shadow changes. `prepare` before the transaction, `keep` in it."""

    def __init__(self, database: Database, target: Target, shadow: str) -> None:
        found = database.inspect(target.stream)
        assert found is not None  # it was made when the target was opened
        assert target.keeping is not None
        self._database = database
        self._target = target
        self._keeping = target.keeping
        self._images = Images(database)
        self._dialect: Dialect = dialect_of(database, found)
        self._columns = noted_columns(found, ())
        self._old, self._new = database.place + quoted(target.stream), database.place + quoted(shadow)

    def prepare(self) -> None:
        """Before the transaction."""
        self._dialect.prepare()

    def keep(self) -> None:
        """Keeps it, in place of what an attempt kept that didn't come to its end."""
        dialect, aside, target = self._dialect, self._dialect.aside, self._target
        self._images.drop(target.run)
        dialect.hold_table(self._old)
        digest = dialect.digest(self._columns)
        for name, table in ((_OLD, self._old), (_NEW, self._new)):
            digests = f"SELECT {digest} AS {_DIGEST} FROM {table} AS t"
            dialect.make(name, f"SELECT {_DIGEST}, count(*) AS {_COUNT} FROM ({digests}) AS d GROUP BY {_DIGEST}", ())
        dialect.make(
            _SAME,
            f"SELECT o.{_DIGEST} FROM {aside}{_OLD} AS o JOIN {aside}{_NEW} AS n"
            f" ON o.{_DIGEST} = n.{_DIGEST} AND o.{_COUNT} = n.{_COUNT}",
            (DIGEST,),
        )
        differs = f"NOT EXISTS (SELECT 1 FROM {aside}{_SAME} AS s WHERE s.{_DIGEST} = {digest})"
        came = self._numbered(_CAME, f"{digest} AS {_DIGEST}", f"{self._new} AS t WHERE {differs}")
        gone = self._numbered(_GONE, columns(self._columns, "t."), f"{self._old} AS t WHERE {differs}")
        identity = target.schema.key if keyed(target) else ()
        for at in range(0, max(came, gone, 1), _ROWS):
            part = f"AS t WHERE t.{_NUMBER} > {at} AND t.{_NUMBER} <= {at + _ROWS}"
            after = dialect.rows((DIGEST,), f"FROM {aside}{_CAME} {part}")
            before = dialect.rows(self._columns, f"FROM {aside}{_GONE} {part}")
            image = Image(self._columns, (), before, after, identity)
            inserted, taken = (min(max(count - at, 0), _ROWS) for count in (came, gone))
            self._images.keep(target.run, target.stream, image, inserted, taken, self._keeping, ends=True)
        for name in (_OLD, _NEW, _SAME, _CAME, _GONE):
            dialect.drop(name)

    def _numbered(self, name: str, what: str, rest: str) -> int:
        """Makes a temporary table of rows with numbers from 1; how many they are."""
        self._dialect.make(name, f"SELECT row_number() OVER () AS {_NUMBER}, {what} FROM {rest}", ("=number",))
        ((count,),) = self._database.execute(f"SELECT count(*) FROM {self._dialect.aside}{name}")
        return int(count)
