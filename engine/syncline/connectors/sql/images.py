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

#: Bytes of an image that a row has; databases limit what they take at once, and MariaDB to 16 MiB of text.
_PIECE = 4 << 20

#: How the names begin of what is kept at a run's end, and what follows the name of an image in that of a further piece.
_END, _FURTHER = "end-", "+"

#: What compressed bytes begin with, and the bytes of how many they were. Those of former versions are zlib's.
_ZSTD, _LENGTH = b"zstd", 8


class Image(msgspec.Struct, frozen=True):
    """
    What a batch did to rows of a table, in the database's own form: `before` are the rows that it updated, in
    `columns` (those of `key` first); `after` has of each row that it wrote the key, the digest over `columns`, and
    whether it is new. Without a key, `after` has the digests of rows that it added, and `before` the rows that it took
    away, of which the table has one at most for values of `identity`.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    before: bytes = b""
    after: bytes = b""
    identity: tuple[str, ...] = ()


def _about(run: str, image: str) -> str:
    return f"images/{run}/{image}"


def _compressed(plain: bytes) -> bytes:
    """A third of the size, in less time than sealing the rest would take: what is sealed can't be compressed."""
    import pyarrow as pa

    body: bytes = pa.compress(plain, codec="zstd", asbytes=True)
    return _ZSTD + len(plain).to_bytes(_LENGTH) + body


def _decompressed(packed: bytes) -> bytes:
    import pyarrow as pa

    if not packed.startswith(_ZSTD):
        return zlib.decompress(packed)
    head = len(_ZSTD) + _LENGTH
    length = int.from_bytes(packed[len(_ZSTD) : head])
    plain: bytes = pa.decompress(packed[head:], length, codec="zstd", asbytes=True)
    return plain


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

    def keep(
        self,
        run: str,
        table: str,
        image: Image,
        inserted: int,
        updated: int,
        keeping: Keeping,
        *,
        ends: bool = False,
    ) -> None:
        """Keeps what a batch did, in its transaction, and after the rows: of two that wrote one row, the order is kept.

        A batch that changed nothing is noted as well, so that it is known that the run's writes are kept. `ends`: it is
        of what the whole run did, and kept in the transaction that does it.
        """
        name = (_END if ends else "") + secrets.token_hex(8)
        blob = b""
        if inserted or updated:
            blob = keeping.seal(_compressed(msgspec.msgpack.encode(image)), _about(run, name))
        until = datetime.now(UTC) + timedelta(seconds=keeping.seconds)
        over, made = until.isoformat(timespec="microseconds"), time.time_ns()
        self._insert(run, name, made, over, table, inserted, updated, blob[:_PIECE])
        for number, at in enumerate(range(_PIECE, len(blob), _PIECE)):
            self._insert(run, f"{name}{_FURTHER}{number:04}", made, over, table, 0, 0, blob[at : at + _PIECE])

    def _insert(self, *values: object) -> None:
        self._database.execute(
            f"INSERT INTO {self._table} (run, id, made, until, table_name, inserted, updated, image)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            values,
        )

    def of(self, run: str) -> Kept | None:
        """What is kept of a run."""
        if not self.ready():
            return None
        rows = self._database.execute(
            f"SELECT min(table_name), coalesce(sum(inserted), 0), coalesce(sum(updated), 0), max(until), count(*),"
            f" count(CASE WHEN id LIKE '{_END}%' THEN 1 END)"
            f" FROM {self._table} WHERE run = $1 AND id NOT LIKE '%{_FURTHER}%'",
            (run,),
        )
        table, inserted, updated, until, batches, ends = rows[0]
        if table is None:
            return None
        over = datetime.fromisoformat(until)
        return Kept(table, int(inserted), int(updated), over, int(batches), ended=bool(ends))

    def hold(self, run: str) -> int:
        """How many batches of a run are kept; nobody removes one of them until the transaction ends."""
        locking = self._database.locking
        rows = self._database.execute(f"SELECT id FROM {self._table} WHERE run = $1{locking}", (run,))
        return sum(_FURTHER not in name for (name,) in rows)

    def read(self, run: str, unseal: Crypt) -> Iterator[Image]:
        """The images of a run, newest first, of which one is in memory at a time."""
        names = self._database.execute(
            f"SELECT id FROM {self._table} WHERE run = $1 AND inserted + updated > 0 ORDER BY made DESC, id", (run,)
        )
        for (name,) in names:
            pieces = self._database.execute(
                f"SELECT image FROM {self._table} WHERE run = $1 AND (id = $2 OR id LIKE $3) ORDER BY id",
                (run, name, f"{name}{_FURTHER}%"),
            )
            packed = unseal(b"".join(bytes(piece) for (piece,) in pieces), _about(run, name))
            yield msgspec.msgpack.decode(_decompressed(packed), type=Image)

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
