"""Leaving a database: what our own tables say of a flow goes, and with the last flow the tables themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.connectors.sql import fences, images, ledger
from syncline.connectors.sql.names import RESERVED, family, quoted
from syncline.connectors.sql.sqlite.database import NOTES

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database

#: Our tables, and by which column each names what is to go: a flow, or the table that it wrote.
_BY_FLOW: Final = (ledger.CHECKPOINTS, fences.TABLE)
_BY_TABLE: Final = (ledger.REPLACING, ledger.TABLES, images.TABLE, NOTES)


def leave(database: Database, stream: str, flow: str, *, shared: bool = False) -> None:
    """
    Removes everything of ours about a flow and, unless another flow writes it, about its table; the table itself stays.
    See `sdk.leaving`.
    """
    own, *beside = family(stream, database.leftovers)
    if shared:  # ownership, images and half-built tables are of who writes it
        beside = []
    with database.transaction():
        database.lock_tables()
        for name in beside:
            if database.exists(name):
                database.drop(name)
    names = dict.fromkeys((*beside, own, own.lower()) if database.folds else (*beside, own))
    if shared:
        names = {}
    with database.transaction():
        database.lock_tables()
        for table in filter(database.exists, _BY_FLOW):
            where, named = ledger.of_flow(flow)
            database.execute(f"DELETE FROM {database.place}{quoted(table)} WHERE {where}", named)
        for table in filter(database.exists, _BY_TABLE):
            for name in names:
                database.execute(f"DELETE FROM {database.place}{quoted(table)} WHERE table_name = $1", (name,))
    with database.transaction():
        database.lock_tables()
        ours = [table for table in (*_BY_FLOW, *_BY_TABLE) if database.exists(table)]
        if not any(_rows(database, table) for table in ours):
            for table in ours:
                database.drop(table)


def _rows(database: Database, table: str) -> int:
    """How many rows a table has that are about a flow or a table of a flow; `*` and our own tables are none."""
    where = f" WHERE table_name <> '*' AND substr(table_name, 1, {len(RESERVED)}) <> '{RESERVED}'"
    place = f"{database.place}{quoted(table)}"
    ((count,),) = database.execute(f"SELECT count(*) FROM {place}{where if table in _BY_TABLE else ''}")
    return int(count)
