"""
Ridding a file of SQLite of what was deleted from it before anybody was to be erased: pages that a replaced table left,
and the room that former versions of rows had.

A file is made anew by SQLite itself (VACUUM), in memory, since on another disk its rows would be in clear. That gives
rows without a key other numbers (rowid), which are somebody's where the table isn't ours, or where a search index
refers to it: such a file is left as it is, as one is that is too large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.model.errors import SynclineError

if TYPE_CHECKING:
    from syncline.connectors.sql.sqlite.database import SqliteDatabase

#: Bytes of a file that is made anew at most, since it is in memory meanwhile.
MOST: Final = 256 << 20
#: What is said of a file that isn't.
STAYS: Final = "free pages of the file may have rows that were deleted or replaced before: `VACUUM` ends that"

_NUMBERED: Final = """
    SELECT lower(s.name), s.sql LIKE 'CREATE VIRTUAL%' FROM sqlite_schema s
    WHERE s.type = 'table' AND substr(s.name, 1, 7) <> 'sqlite_'
    AND NOT EXISTS (SELECT 1 FROM pragma_index_list(s.name)) AND NOT EXISTS (
        SELECT 1 FROM pragma_table_info(s.name) c WHERE c.pk
    )
"""


def compact(database: SqliteDatabase, ours: frozenset[str]) -> str:
    """See `Compacting`. `ours` are tables of ours, in small letters."""
    ((pages,),), ((size,),) = database.execute("PRAGMA page_count"), database.execute("PRAGMA page_size")
    numbered = database.execute(_NUMBERED)
    if pages * size > MOST or any(virtual or name not in ours for name, virtual in numbered):
        return STAYS
    try:
        database.keep_aside_in_memory()
        database.execute("VACUUM")
        ((busy, *_),) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except SynclineError:  # somebody else writes, or there is no room: the rows themselves are gone and overwritten
        return STAYS
    return STAYS if busy else ""
