"""The keys that a run came to, in a table of ours beside the one that it writes: `<table>__syncline_seen`.

Keys are added in the transaction of the batch that they came with, so that the table says at any moment what the run's
checkpoint covers. It is made when a run begins and dropped in the transaction that deletes what isn't in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.sql.names import SEEN, quoted, unseen
from syncline.model.schema import Schema
from syncline.sdk.frame import target_frame_schema

if TYPE_CHECKING:
    import polars as pl

    from syncline.connectors.sql.database import Database
    from syncline.sdk.destination import Target


class Seen:
    """The keys of one run; used by the thread of its database. What is added is kept by the next `keep`."""

    def __init__(self, database: Database, target: Target) -> None:
        self._database = database
        self._target = target
        self._name = target.stream + SEEN
        fields = tuple(field for field in target.schema.fields if field.name in target.schema.key)
        self._schema = Schema(fields, target.schema.key)
        self._limits = database.limits(self._schema, keyed=True)
        self._waiting: list[pl.DataFrame] = []
        self._table = database.place + quoted(target.stream)
        self._keys = database.place + quoted(self._name)

    def exists(self) -> bool:
        """Whether a run has begun to note keys and not ended."""
        return self._database.exists(self._name)

    def begin(self) -> None:
        """Makes it empty, inside a transaction."""
        self.drop()
        self._database.create(self._name, self._schema, keyed=True)

    def drop(self) -> None:
        """Takes it away, inside a transaction."""
        self._database.drop(self._name)

    def add(self, keys: pl.DataFrame) -> None:
        """Notes keys, which have no null, for `keep`."""
        if not keys.height:
            return
        # One that the database can't hold is in no row of it.
        refused = {refusal.row for refusal in self._limits.refusals(keys)}
        if refused:
            keys = keys[[row for row in range(keys.height) if row not in refused]]
        self._waiting.append(keys)

    def keep(self) -> None:
        """Keeps what was added, inside a transaction. A key that is there already stays."""
        import polars as pl

        if not self._waiting:
            return
        keys = pl.concat(self._waiting).select(self._schema.names).unique(maintain_order=True)
        assert dict(keys.schema) == target_frame_schema(self._schema)
        self._database.merge(self._name, self._database.render(keys, self._schema), self._schema)
        self._waiting = []

    def missing(self) -> int:
        """How many rows of the table it doesn't have. A row without a key is nobody's."""
        where = unseen(self._keys, self._schema.key)
        count: int = self._database.execute(f"SELECT count(*) FROM {self._table} AS t WHERE {where}")[0][0]
        return count

    def sweep(self) -> int:
        """Deletes these rows, inside a transaction; the number of them."""
        return self._database.sweep(self._target.stream, unseen(self._keys, self._schema.key))
