"""
Undoing writes of rows that no key names: of those that were appended, and of a table that was replaced.

Rows with the same digest are the same rows, so as many of them go as were added; which of them makes no difference. A
row that isn't there as it was left was changed or deleted since, and nobody can say which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.sql.dialect import added_columns
from syncline.connectors.sql.names import DIGEST, columns, quoted
from syncline.model.errors import Again
from syncline.sdk.reversal import Undone

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.dialect import Dialect
    from syncline.connectors.sql.images import Image
    from syncline.connectors.sql.table import Table

_CAME, _BACK, _WANTED = "syncline_came", "syncline_back", "syncline_wanted"
_THERE, _SURPLUS = "syncline_there", "syncline_surplus"

_WANTED_ROWS, _ROWS, _PLACE = quoted("=wanted"), quoted("=rows"), quoted("=place")
_DIGEST = quoted(DIGEST)


class Multiset:
    """Gathers images without a key, inside a transaction: `add` each, then `end`."""

    def __init__(self, database: Database, dialect: Dialect, table: Table) -> None:
        self._database = database
        self._dialect = dialect
        self._found = table
        self._table = database.place + quoted(table.name)
        self._image: Image | None = None

    def add(self, image: Image) -> Undone:
        """Notes one more; what was gathered before it is undone first, if its rows had other columns."""
        found = Undone()
        if self._image is not None and (image.columns, image.identity) != (self._image.columns, self._image.identity):
            found = self.end()
        if self._image is None:
            self._image = image
            own = f"SELECT {self._dialect.own[DIGEST]} AS {_DIGEST} FROM {self._table} AS t LIMIT 0"
            self._dialect.make(_CAME, own, ())
            self._dialect.make(_BACK, f"SELECT {columns(image.columns, 't.')} FROM {self._table} AS t LIMIT 0", ())
        self._dialect.fill(_CAME, (DIGEST,), image.after)
        self._dialect.fill(_BACK, image.columns, image.before)
        return found

    def end(self) -> Undone:
        """Takes the rows away that were added, and brings those back that were taken away."""
        image, self._image = self._image, None
        if image is None:
            return Undone()
        self._dialect.hold_table(self._table)
        deleted, missing = self._take(image)
        restored, blocked = self._bring(image)
        for name in (_CAME, _BACK):
            self._dialect.drop(name)
        # Of a row that somebody changed, both are found: that it isn't as it was left, and that its key is taken.
        return Undone(deleted, restored, blocked, max(0, missing - blocked))

    def _take(self, image: Image) -> tuple[int, int]:
        """How many rows went, and how many weren't there as they were left."""
        aside, table, dialect = self._dialect.aside, self._table, self._dialect
        dialect.make(
            _WANTED, f"SELECT {_DIGEST}, count(*) AS {_WANTED_ROWS} FROM {aside}{_CAME} GROUP BY {_DIGEST}", (DIGEST,)
        )
        meets = f"{dialect.digest(image.columns)} = a.{_DIGEST}"
        empty = [f"t.{quoted(name)} IS NULL" for name in added_columns(self._found, image)]
        where = " AND ".join(empty) or "TRUE"
        joined = f"FROM {table} AS t JOIN {aside}{_WANTED} AS a ON {meets} WHERE {where}"
        dialect.make(
            _THERE,
            f"SELECT a.{_DIGEST}, a.{_WANTED_ROWS}, count(*) AS {_ROWS} {joined}"
            f" GROUP BY a.{_DIGEST}, a.{_WANTED_ROWS}",
            (DIGEST,),
        )
        fewer = f"CASE WHEN {_ROWS} < {_WANTED_ROWS} THEN {_ROWS} ELSE {_WANTED_ROWS} END"
        ((wanted, going, there),) = self._database.execute(
            f"SELECT (SELECT count(*) FROM {aside}{_CAME}), coalesce(sum({fewer}), 0), coalesce(sum({_ROWS}), 0)"
            f" FROM {aside}{_THERE}"
        )
        wanted, going, there = int(wanted), int(going), int(there)
        if there > going:
            at = f"row_number() OVER (PARTITION BY a.{_DIGEST} ORDER BY a.{_DIGEST}) AS {_PLACE}"
            numbered = f"SELECT {columns(image.columns, 't.')}, a.{_WANTED_ROWS}, {at} {joined}"
            kept = f"SELECT {columns(image.columns)} FROM ({numbered}) AS r WHERE {_PLACE} > {_WANTED_ROWS}"
            dialect.make(_SURPLUS, kept, ())
        if dialect.delete(table, aside + _THERE, meets, where) != there:
            raise Again(f"somebody else writes to table {self._found.name!r} meanwhile", code="SYN488", after=1.0)
        if there > going:
            dialect.change(self._inserting(image, f"SELECT {columns(image.columns)} FROM {aside}{_SURPLUS}"))
            dialect.drop(_SURPLUS)
        for name in (_WANTED, _THERE):
            dialect.drop(name)
        return going, wanted - going

    def _bring(self, image: Image) -> tuple[int, int]:
        """How many rows came back, and how many would have met another one with their key."""
        back = f"{self._dialect.aside}{_BACK} AS b"
        ((total,),) = self._database.execute(f"SELECT count(*) FROM {back}")
        if not total:
            return 0, 0
        free = ""
        if image.identity:
            same = " AND ".join(f"t.{quoted(name)} = b.{quoted(name)}" for name in image.identity)
            free = f" WHERE NOT EXISTS (SELECT 1 FROM {self._table} AS t WHERE {same})"
        restored = self._dialect.change(
            self._inserting(image, f"SELECT {columns(image.columns, 'b.')} FROM {back}{free}")
        )
        return restored, int(total) - restored

    def _inserting(self, image: Image, query: str) -> str:
        return f"INSERT INTO {self._table} ({columns(image.columns)}){self._dialect.inserting} {query}"
