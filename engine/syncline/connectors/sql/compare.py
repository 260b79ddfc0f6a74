"""What a write to a table would do, found by joining the rows with it. Nothing but temporary tables is made."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.connectors.sql.ledger import Ledger
from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.observe import owner
from syncline.connectors.sql.table import keyed, missing, narrow
from syncline.model.schema import Schema
from syncline.sdk.comparison import Compared, Proposed

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.limits import Limits
    from syncline.sdk.destination import Target
    from syncline.sdk.source import Instance


def compare(instance: Instance, proposed: Proposed) -> Compared:
    """See `Compare`. `Invalid` where the table doesn't fit, as a run would find it."""
    from syncline.connectors.sql.opening import open_database

    with closing(open_database(instance)) as database:
        whose = owner(database, Ledger(database), proposed.target.stream)
        return replace(compare_with(database, proposed), owner=whose)


def held(instance: Instance, target: Target) -> Limits:
    """What a write to the target would refuse, by the database's limits and those of the table as it is."""
    from syncline.connectors.sql.opening import limits_of, open_database

    limits = limits_of(instance, target.schema, keyed=keyed(target))
    with closing(open_database(instance)) as database:
        table = database.inspect(target.stream)
        return limits if table is None else limits.with_more(narrow(table, target, database))


def compare_with(database: Database, proposed: Proposed) -> Compared:
    """The same over an open database."""
    target, frame = proposed.target, proposed.frame
    table = database.inspect(target.stream)
    if table is None:
        return Compared(inserted=frame.height)
    absent = {field.name for field in missing(table, target, database)}
    ((there,),) = database.execute(f"SELECT count(*) FROM {database.place}{quoted(table.name)}")
    names = [name for name in proposed.dropped if table.get(name) is not None]
    counts = ", ".join(f"count({quoted(name)})" for name in names)
    (values,) = database.execute(f"SELECT {counts} FROM {database.place}{quoted(table.name)}") if names else ((),)
    filled = tuple(zip(names, map(int, values), strict=True))
    if not keyed(target):
        gone = there if target.mode == "replace" else 0
        return Compared(inserted=frame.height, deleted=gone, there=there, filled=filled)
    schema = target.schema
    matched = differing = deleted = 0
    if frame.height:
        matched, differing = database.compare(table.name, database.render(frame, schema), schema, absent)
    if proposed.gone is not None and proposed.gone.height:
        key = Schema(tuple(field for field in schema.fields if field.name in schema.key), schema.key)
        keys = database.render(proposed.gone.select(key.names), key)
        mark = proposed.mark if proposed.mark not in absent else ""
        deleted, _ = database.compare(table.name, keys, key, set(), mark)
    found = Compared(frame.height - matched, differing, matched - differing, deleted, there, filled=filled)
    return replace(found, deleted=there - matched) if target.mode == "replace" else found
