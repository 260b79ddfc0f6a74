"""A table as it is: against the table that a flow declares, and whose it is. Nothing is changed."""

from __future__ import annotations

import re
from typing import Final

from syncline.connectors.sql.database import Database
from syncline.connectors.sql.ledger import Ledger
from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.table import UNHELD, Column, missing, unheld
from syncline.model.errors import Invalid
from syncline.model.schema import MAX_PRECISION, DataType, Field
from syncline.sdk.destination import Target
from syncline.sdk.observation import Difference, Observation
from syncline.sdk.table_owner import TableOwner

#: Types that a column may be declared as, the widest first of those that one column holds.
_TYPES: Final = (
    "string", "json", "integer", "int32", "float", "boolean", "date", "time", "datetime", "timestamp", "binary",
)  # fmt: skip
_DECIMAL = re.compile(r"(?:numeric|decimal)(?:\((\d+),\s*(\d+)\))?", re.IGNORECASE)


def observe(database: Database, target: Target) -> Observation:
    """What differs, columns that nobody maps to included; see `Observing.observe`."""
    try:
        table = database.inspect(target.stream)
    except Invalid as error:  # a view, say, stands in its place
        return Observation((Difference("unfit", f"table {target.stream}", error.message),))
    if table is None:
        return Observation((Difference("gone", f"table {target.stream}", "it was dropped or renamed"),))
    found: list[Difference] = []
    declared = {table.fold(name) for name in target.schema.names}
    try:
        absent = missing(table, target, database)
    except Invalid as error:
        others = [d for d in error.diagnostics if d.code != UNHELD]
        found += [Difference("unfit", f"table {table.name}", d.message) for d in others]
        found += [_other_type(database, *pair) for pair in unheld(table, target, database)]
        absent = tuple(field for field in target.schema.fields if table.get(field.name) is None)
    found += [Difference("gone", f"column {field.name}", "it was dropped or renamed") for field in absent]
    found += [
        Difference("extra", f"column {column.name}", f"it is {column.type}, and nothing is mapped to it")
        for column in table.columns
        if not column.required and table.fold(column.name) not in declared
    ]
    empty = not database.execute(f"SELECT 1 FROM {database.place}{quoted(table.name)} LIMIT 1")
    return Observation(tuple(found), empty)


def _other_type(database: Database, field: Field, column: Column) -> Difference:
    message = f"it is {column.type}, which can't hold {field.type}"
    return Difference("unfit", f"column {field.name}", message, fits=_fitting(database, column.type))


def _fitting(database: Database, existing: str) -> str:
    """The type to declare for a column of an existing type; '' where no type has just what it holds."""
    if found := _DECIMAL.fullmatch(existing):  # it holds whole numbers as well, and isn't for these
        precision, scale = (int(digits or 0) for digits in found.groups())
        fits = scale <= precision and 0 < precision <= MAX_PRECISION
        return str(DataType("decimal", precision, scale)) if fits else ""
    return next((name for name in _TYPES if database.holds(existing, DataType(name))), "")


def owner(database: Database, ledger: Ledger, stream: str) -> TableOwner:
    """Whose a table is; see `Owning.owner`."""
    ours, known = ledger.owns(stream)
    if ours:
        return TableOwner(database.exists(stream), 0, ours, known)
    if (table := database.inspect(stream)) is None:
        return TableOwner(known=known)
    ((rows,),) = database.execute(f"SELECT count(*) FROM {database.place}{quoted(table.name)}")
    return TableOwner(True, rows, ours, known)  # noqa: FBT003 - it is there
