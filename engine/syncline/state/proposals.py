"""Commits that are proposed on branches: rows of `proposals`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict
from sqlalchemy import delete, select

from syncline.model.proposal import Proposal
from syncline.state import tables
from syncline.state.rows import is_key, key_columns

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.state.database import Database

_ROWS = tables.proposals
_VALUES = Proposal.__struct_fields__


class SqlProposals:
    """See `Proposals`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, key: ObjectKey) -> Proposal | None:
        with self._database.read() as connection:
            row = connection.execute(select(_ROWS).where(is_key(_ROWS, key))).mappings().first()
        return Proposal(*(row[column] for column in _VALUES)) if row is not None else None

    def put(self, key: ObjectKey, proposal: Proposal | None) -> None:
        with self._database.write(durable=True) as connection:
            connection.execute(delete(_ROWS).where(is_key(_ROWS, key)))
            if proposal is not None:
                connection.execute(self._database.insert(_ROWS), key_columns(key) | asdict(proposal))
