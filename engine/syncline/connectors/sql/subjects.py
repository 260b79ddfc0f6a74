"""The rows of a person in a table, and in what runs keep beside it; see `SubjectRows`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.names import SEEN, columns, family, quoted
from syncline.sdk.subject_rows import MOST_ROWS, too_many, untold

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.table import Table


def find(database: Database, stream: str, column: str, value: str | int) -> list[dict[str, Any]]:
    """See `SubjectRows.find`. Rows of tables beside it, such as one that is to replace it, come last."""
    found: list[dict[str, Any]] = []
    for table, name in _tables(database, stream, column):
        if table.name.endswith(SEEN):
            continue  # keys only, of rows that are there
        names = [c.name for c in table.columns]
        place = database.place + quoted(table.name)
        limit = MOST_ROWS + 1 - len(found)
        rows = database.execute(
            f"SELECT {columns(names)} FROM {place} WHERE {quoted(name)} = $1 LIMIT {limit}", (value,)
        )
        found += [dict(zip(names, row, strict=True)) for row in rows]
        if len(found) > MOST_ROWS:
            raise too_many(column, stream)
    return found


def erase(database: Database, stream: str, column: str, value: str | int) -> int:
    """Deletes the rows of a person, inside a transaction; the number of them, copies beside the table included."""
    count = 0
    for table, name in _tables(database, stream, column):
        place = database.place + quoted(table.name)
        rows = database.execute(f"DELETE FROM {place} WHERE {quoted(name)} = $1 RETURNING 1", (value,))
        count += 0 if table.name.endswith(SEEN) else len(rows)
    return count


def _tables(database: Database, stream: str, column: str) -> Iterator[tuple[Table, str]]:
    """The tables of a stream that have the column, and its name there; `Invalid` (SYN855) where its own doesn't."""
    for name in family(stream, database.leftovers):
        table = database.inspect(name)
        if table is None:
            continue
        found = table.get(column)
        if found is not None:
            yield table, found.name
        elif name == stream and database.execute(f"SELECT 1 FROM {database.place}{quoted(table.name)} LIMIT 1"):
            raise untold(column, stream)
