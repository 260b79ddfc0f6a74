"""
What is kept of writes that can be undone, in a table of ours beside the data: `_syncline_images`.

It has one row a batch, written in the transaction of the batch: which rows it inserted, what rows it updated were
before, and a digest of each as it was left. All of that is sealed with the tenant's key, since the rows may be
classified; readable are the run, the table, how many rows they are, and until when they are kept.
"""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from syncline.connectors.sql.names import quoted
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.reversal import Crypt, Keeping, Kept

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database

TABLE = "_syncline_images"

_SCHEMA = Schema(
    (
        *(Field(name, DataType("string")) for name in ("run", "id", "until", "table_name")),
        *(Field(name, DataType("integer")) for name in ("made", "inserted", "updated")),
        Field("image", DataType("binary")),
    ),
    ("run", "id"),
)

#: Fast, and still a third of the size: what is sealed can't be compressed any more.
_LEVEL = 1


class Image(msgspec.Struct, frozen=True):
    """
    What a batch did to rows of a table, in the database's own form: `before` are the rows that it updated, in
    `columns` (those of `key` first); `after` has of each row that it wrote the key, the digest over `columns`, and
    whether it is new.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    before: bytes = b""
    after: bytes = b""


def _about(run: str, image: str) -> str:
    return f"images/{run}/{image}"


class Images:
    """The table of a database. `ensure` makes it; without it, nothing is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.place + quoted(TABLE)

    def ready(self) -> bool:
        """Whether the table is there."""
        return self._database.exists(TABLE)

    def ensure(self) -> None:
        """Makes the table where it is missing, inside a transaction."""
        if not self.ready():
            self._database.create(TABLE, _SCHEMA, keyed=True)

    def keep(self, run: str, table: str, image: Image, inserted: int, updated: int, keeping: Keeping) -> None:
        """Keeps what a batch did, in its transaction, and after the rows: of two that wrote one row, the order is kept.

        A batch that changed nothing is noted as well, so that it is known that the run's writes are kept.
        """
        name = secrets.token_hex(8)
        blob = b""
        if inserted or updated:
            blob = keeping.seal(zlib.compress(msgspec.msgpack.encode(image), _LEVEL), _about(run, name))
        until = datetime.now(UTC) + timedelta(seconds=keeping.seconds)
        self._database.execute(
            f"INSERT INTO {self._table} (run, id, made, until, table_name, inserted, updated, image)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            (run, name, time.time_ns(), until.isoformat(timespec="microseconds"), table, inserted, updated, blob),
        )

    def of(self, run: str) -> Kept | None:
        """What is kept of a run."""
        if not self.ready():
            return None
        rows = self._database.execute(
            f"SELECT min(table_name), coalesce(sum(inserted), 0), coalesce(sum(updated), 0), max(until), count(*)"
            f" FROM {self._table} WHERE run = $1",
            (run,),
        )
        table, inserted, updated, until, batches = rows[0]
        if table is None:
            return None
        return Kept(table, int(inserted), int(updated), datetime.fromisoformat(until), int(batches))

    def hold(self, run: str) -> int:
        """How many batches of a run are kept; nobody removes one of them until the transaction ends."""
        locking = self._database.locking
        return len(self._database.execute(f"SELECT id FROM {self._table} WHERE run = $1{locking}", (run,)))

    def read(self, run: str, unseal: Crypt) -> Iterator[Image]:
        """The images of a run, newest first, of which one is in memory at a time."""
        names = self._database.execute(
            f"SELECT id FROM {self._table} WHERE run = $1 AND inserted + updated > 0 ORDER BY made DESC, id", (run,)
        )
        for (name,) in names:
            ((blob,),) = self._database.execute(
                f"SELECT image FROM {self._table} WHERE run = $1 AND id = $2", (run, name)
            )
            plain = zlib.decompress(unseal(bytes(blob), _about(run, name)))
            yield msgspec.msgpack.decode(plain, type=Image)

    def drop(self, run: str) -> None:
        """Removes what is kept of a run, inside a transaction."""
        self._database.execute(f"DELETE FROM {self._table} WHERE run = $1", (run,))

    def drop_table(self, table: str) -> None:
        """Removes what is kept of a table's rows, inside a transaction."""
        if self.ready():
            self._database.execute(f"DELETE FROM {self._table} WHERE table_name = $1", (table,))

    def expired(self, now: datetime) -> list[str]:
        """Runs whose time is over."""
        if not self.ready():
            return []
        rows = self._database.execute(
            f"SELECT run FROM {self._table} GROUP BY run HAVING max(until) < $1",
            (now.isoformat(timespec="microseconds"),),
        )
        return [run for (run,) in rows]
