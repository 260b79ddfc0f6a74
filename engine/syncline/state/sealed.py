"""What the state has sealed, by whose it is: to find out which of it can still be opened."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, select

from syncline.state import tables

if TYPE_CHECKING:
    from syncline.state.database import Database

#: Rows that are read at a time.
_PAGE: Final = 500
_TEXT: Final = "sealed:"

_cursors, _positions, _runs = tables.cursors.c, tables.positions.c, tables.runs.c
#: What is sealed, for people, and the tenant and the run or flow with what has it.
_WHERE: Final[dict[str, Select[Any]]] = {
    "positions": select(_cursors.tenant, _cursors.name, _cursors.checkpoint),
    "earlier positions": select(_positions.tenant, _positions.name, _positions.checkpoint),
    "receipts": select(_runs.tenant, _runs.id, _runs.receipt).where(_runs.receipt.is_not(None)),
    "tokens": select(tables.tokens.c.tenant, tables.tokens.c.name, tables.tokens.c.sealed),
    "people who aren't to come back": select(
        tables.suppressions.c.tenant, tables.suppressions.c.id, tables.suppressions.c.sealed
    ),
    "positions of flows into APIs": select(
        tables.write_marks.c.tenant, tables.write_marks.c.flow, tables.write_marks.c.checkpoint
    ),
    "records remembered of APIs": select(
        tables.write_records.c.tenant, tables.write_records.c.key, tables.write_records.c.version
    ),
    "batches of rejects": select(_runs.tenant, _runs.id, tables.rejects.c.blob).join_from(tables.rejects, tables.runs),
}


def sealed(database: Database) -> Iterator[tuple[str, str, str, bytes]]:
    """Everything that is sealed: what, the tenant, the run or name that it is kept under, and the blob."""
    for what, query in _WHERE.items():
        with database.read() as connection:
            for tenant, name, value in connection.execute(query.execution_options(yield_per=_PAGE)):
                if (blob := _blob(value)) is not None:
                    yield what, str(tenant), str(name), blob


def _blob(value: Any) -> bytes | None:
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    match value:
        case bytes():
            return value
        case {"sealed": str(text)}:
            return base64.b64decode(text)
        case str() if value.startswith(_TEXT):
            return base64.b64decode(value.removeprefix(_TEXT))
        case _:
            return None
