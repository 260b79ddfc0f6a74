"""What databases do differently in writing so that it can be undone, and in undoing it: one `Dialect` for one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from syncline.model.errors import Bug

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.images import Image
    from syncline.connectors.sql.table import Table
    from syncline.model.schema import Schema
    from syncline.sdk.destination import Rendered, Written


class Dialect(Protocol):
    """
    What databases do differently here, for one table. `aside` is the prefix of temporary tables, `own` has expressions
    that are null and of the types of our columns, `inserting` stands in an INSERT before its rows.
    """

    aside: str
    own: Mapping[str, str]
    inserting: str

    def prepare(self) -> None:
        """What is to be set before a transaction begins."""

    def begin(self) -> None:
        """What is to be set in a transaction: rows are looked up by key, however large their table is."""

    def merge(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[Written, bytes, bytes]:
        """Merges rows by key; besides, `before` and `after` of an `Image` with these columns."""

    def append(self, table: str, rows: Rendered, schema: Schema, noted: Sequence[str]) -> tuple[int, bytes]:
        """Inserts rows; their number, and `after` of an `Image` of rows without a key: their digests."""

    def digest(self, names: Sequence[str], prefix: str = "t.") -> str:
        """An expression: the digest of a row `t` over columns."""

    def rows(self, names: Sequence[str], rest: str) -> bytes:
        """Columns of rows as an `Image` has them; `rest` is a query's, from FROM on, which calls them `t`."""

    def make(self, name: str, query: str, key: Sequence[str]) -> None:
        """Makes a temporary table of a query's rows, which are found by their key."""

    def drop(self, name: str) -> None:
        """Drops a temporary table."""

    def fill(self, table: str, names: Sequence[str], rows: bytes) -> None:
        """Puts rows of an `Image` into a temporary table with these columns."""

    def hold(self, table: str, joined: str) -> None:
        """Nobody else changes the rows `t` of a table until the transaction ends, which are found by a FROM."""

    def hold_table(self, table: str) -> None:
        """Nobody else writes to a table until the transaction ends, where the database can say so."""

    def delete(self, table: str, given: str, on: str, where: str, key: Sequence[str] = ()) -> int:
        """Deletes the rows `t` that meet one of a temporary table `a`, by equal keys if `key` has one; their number."""

    def update(self, table: str, names: Sequence[str], source: str, on: str, where: str) -> int:
        """Sets columns of rows `t` to those of `b`, which a join gives; the number of them."""

    def change(self, statement: str) -> int:
        """Runs a statement that inserts or deletes rows; the number of them."""


def dialect_of(database: Database, table: Table) -> Dialect:
    """How a database writes to a table so that it can be undone."""
    from syncline.connectors.sql.duckdb.database import DuckdbDatabase
    from syncline.connectors.sql.mariadb.database import MariadbDatabase
    from syncline.connectors.sql.postgresql.database import PostgresDatabase
    from syncline.connectors.sql.sqlite.database import SqliteDatabase

    match database:
        case PostgresDatabase():
            from syncline.connectors.sql.postgresql.reversal import PostgresReversal

            return PostgresReversal(database)
        case SqliteDatabase():
            from syncline.connectors.sql.sqlite.reversal import SqliteReversal

            return SqliteReversal(database)
        case MariadbDatabase():
            from syncline.connectors.sql.mariadb.reversal import MariadbReversal

            return MariadbReversal(database, table)
        case DuckdbDatabase():
            from syncline.connectors.sql.duckdb.reversal import DuckdbReversal

            return DuckdbReversal(database)
        case _:
            raise Bug(f"nothing is known of undoing in {database.version()}")


def noted_columns(table: Table, key: Sequence[str]) -> tuple[str, ...]:
    """The columns of a row that are kept of it: all that aren't computed, those of the key first."""
    folded = {table.fold(name) for name in key}
    others = (column.name for column in table.columns if not column.computed)
    return (*key, *(name for name in others if table.fold(name) not in folded))


def added_columns(table: Table, image: Image) -> Iterable[str]:
    """The columns that a table got since an image was made."""
    known = {table.fold(name) for name in image.columns}
    columns = (column.name for column in table.columns if not column.computed)
    return [name for name in columns if table.fold(name) not in known]
