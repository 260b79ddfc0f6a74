"""Rows of a table that are older than they may be kept; see `Retaining`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.sql.names import quoted

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.sdk.destination import Allow
    from syncline.sdk.retention import Aged


def count(database: Database, stream: str, aged: Aged) -> tuple[int, int]:
    """How many rows are too old, and how many there are."""
    found = _older(database, stream, aged)
    if found is None:
        return 0, 0
    table, condition = found
    place = f"{database.place}{quoted(table)} AS t"
    ((old,),) = database.execute(f"SELECT count(*) FROM {place} WHERE {condition}")
    ((there,),) = database.execute(f"SELECT count(*) FROM {place}")
    return int(old), int(there)


def delete(database: Database, stream: str, aged: Aged, allow: Allow) -> int:
    """Deletes them, inside a transaction that ends with an error where they are too many; how many."""
    found = _older(database, stream, aged)
    if found is None:
        return 0
    old, there = count(database, stream, aged)
    allow(old, lambda: there)
    if not old:
        return 0
    deleted = database.sweep(*found)
    allow(deleted, lambda: max(there, deleted))  # what others wrote since they were counted
    return deleted


def _older(database: Database, stream: str, aged: Aged) -> tuple[str, str] | None:
    """The table, and the condition that a row `t` of it is too old; None where there is no such column."""
    table = database.inspect(stream)
    column = table.get(aged.column) if table is not None else None
    if table is None or column is None:
        return None
    return table.name, f"t.{quoted(column.name)} < '{_text(database, aged)}'"


def _text(database: Database, aged: Aged) -> str:
    """The instant as the database compares it."""
    match aged.type:
        case "date":
            return f"{aged.before:%Y-%m-%d}"
        case "timestamp":
            return aged.before.strftime(database.instant)
        case "datetime":
            return aged.before.strftime(database.instant.removesuffix("Z").removesuffix("+00:00"))
