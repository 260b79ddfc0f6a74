"""Trying out which rows a table of PostgreSQL takes, by ranges of a staging table that has a number for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.connectors.sql.names import SHADOW, columns, quoted
from syncline.connectors.sql.postgresql.database import INDEXES, declaration, upsert
from syncline.connectors.sql.postgresql.errors import broken
from syncline.model.schema import INTEGER, Field, Schema

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.sql.database import Breach
    from syncline.connectors.sql.postgresql.database import PostgresDatabase

_STAGE: Final = "syncline_trial"

#: No name that a column can have.
_NUMBER: Final = "row number"

#: What stands against rows by a name, its columns, and whether it refers to the table itself.
_NAMES = """
SELECT o.conname::text, o.conkey, coalesce(o.confrelid = o.conrelid, false) FROM pg_catalog.pg_constraint o
WHERE o.conrelid = pg_catalog.to_regclass($1)
UNION ALL
SELECT c.relname::text, i.indkey::smallint[], false
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisunique
"""

_COLUMNS = """
SELECT a.attnum, a.attname::text FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
"""


class PostgresTrial:
    """Rows of one batch, inside of a transaction. Constraints that are deferred are looked at with each statement."""

    def __init__(
        self, database: PostgresDatabase, table: str, frame: pl.DataFrame, schema: Schema, *, keyed: bool
    ) -> None:
        self._database = database
        self._schema = schema
        self._keyed = keyed
        self._place = database.place + quoted(table)
        numbered = Schema((*schema.fields, Field(_NUMBER, INTEGER)))
        declared = ", ".join(declaration(field) for field in numbered.fields)
        made = f"({declared}, PRIMARY KEY ({quoted(_NUMBER)})) ON COMMIT DROP"
        database.execute(f"CREATE TEMPORARY TABLE {_STAGE} {made}")
        rows = frame.with_row_index(_NUMBER).select(numbered.names)
        copying = f"COPY pg_temp.{_STAGE} ({columns(numbered.names)}) FROM STDIN"
        database.copy(copying, database.render(rows, numbered).parts)
        database.execute(f"ANALYZE pg_temp.{_STAGE}")
        database.execute("SET CONSTRAINTS ALL IMMEDIATE")
        self._names = self._named(table)

    def write(self, first: int, end: int) -> Breach | None:
        """Writes rows, or says what stands against one of them."""
        number = quoted(_NUMBER)
        where = f" WHERE {number} >= {first:d} AND {number} < {end:d} ORDER BY {number}"
        if self._keyed:
            statement = upsert(self._place, _STAGE, self._schema, where)
        else:
            names = columns(self._schema.names)
            statement = f"INSERT INTO {self._place} ({names}) SELECT {names} FROM pg_temp.{_STAGE}{where}"
        error = self._database.attempt(statement)
        return None if error is None else broken(error, self._names)

    def _named(self, table: str) -> dict[str, tuple[str, tuple[str, ...], bool]]:
        """Constraints and unique indexes by name, as the table has them whose place this one will take."""
        execute = self._database.execute
        numbers = dict(execute(_COLUMNS, (self._place,)))
        proper: dict[str, str] = {}
        if table.endswith(SHADOW):
            replaced = self._database.place + quoted(table.removesuffix(SHADOW))
            theirs = dict(execute(INDEXES, (replaced,)))
            proper = {name: theirs.get(made, name) for made, name in execute(INDEXES, (self._place,))}
        return {
            name: (proper.get(name, name), tuple(numbers[n] for n in keys or () if n in numbers), itself)
            for name, keys, itself in execute(_NAMES, (self._place,))
        }
