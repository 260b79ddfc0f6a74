"""What the dialects do differently: one `Database` is one open connection. The rest of the package is written on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from msgspec import Struct

from syncline.connectors.sql.limits import Limit, Limits
from syncline.connectors.sql.table import Table
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Rendered, Written
from syncline.sdk.offers import offers

if TYPE_CHECKING:
    import polars as pl


class Database(Protocol):
    """
    An open database, used by one thread.

    Every method turns the driver's errors into ours: `Again` for what may pass, `Stalled` for what a person must fix
    outside, `Invalid` for what was declared wrongly. Methods that write expect to be inside a `transaction`.
    """

    @property
    def place(self) -> str:
        """The prefix of table names: the quoted schema with a dot, or nothing."""

    @property
    def locking(self) -> str:
        """What a SELECT ends with that locks its rows until the transaction ends; empty where the transaction does."""

    @property
    def name_bytes(self) -> int:
        """Length that names may have, in bytes of UTF-8."""

    @property
    def folds(self) -> bool:
        """Whether names that differ in case only are one name."""

    @property
    def system_columns(self) -> frozenset[str]:
        """Column names that the system keeps for itself."""

    @property
    def instant(self) -> str:
        """How an instant in UTC is written so that it is compared with a column of them, as `strftime` takes it."""

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Suffixes of tables that a kill in a `swap` may leave beside a table, with the rows that it had."""

    def version(self) -> str:
        """Name and version of the system, for people."""

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement with parameters `$1`, `$2`…; its rows, if it has any."""

    def or_set(self, key: str, *names: str) -> str:
        """The end of an INSERT that sets these columns where the key is there already, or leaves the row alone."""

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """
        All or nothing: commits at the end, rolls back on any error. What it committed is durable; with `durable`
        False, a loss of power (or of the server) may undo it.
        """

    def lock_tables(self) -> None:
        """Keeps other processes from creating or altering tables until the transaction ends."""

    def exists(self, table: str) -> bool:
        """Whether there is a table of that name."""

    def inspect(self, table: str) -> Table | None:
        """The table as it is; None where there is none. Invalid where the name belongs to something else."""

    def holds(self, existing: str, declared: DataType) -> bool:
        """Whether a column of an existing type holds every value of the declared type, unchanged."""

    def narrowed(self, existing: str, field: Field, *, unique: bool) -> Limit | None:
        """
        The values that a column doesn't hold of a declared type which it otherwise holds unchanged; None where it is of
        another type. `unique`: it is in a unique key.
        """

    def prepare(self) -> None:
        """Makes the place that tables are made in."""

    def create(self, table: str, schema: Schema, *, keyed: bool) -> None:
        """Creates a table; `keyed` makes the schema's key its primary key."""

    def add(self, table: str, fields: Sequence[Field]) -> None:
        """Adds columns to a table, nullable."""

    def render(self, frame: pl.DataFrame, schema: Schema) -> Rendered:
        """Makes rows ready for `append` and `merge`, without the database; in any thread."""

    def drop(self, table: str) -> None:
        """Drops a table where it is there, when the transaction is committed at the latest."""

    def append(self, table: str, rows: Rendered, schema: Schema) -> int:
        """Inserts all rows; the number of them."""

    def merge(self, table: str, rows: Rendered, schema: Schema) -> Written:
        """Inserts rows or updates them by key, where a value differs."""

    def remove(self, table: str, keys: Rendered, schema: Schema, mark: str) -> int:
        """Deletes the rows of these keys, or sets their column `mark` to now where it is null; the number of them."""

    def sweep(self, table: str, where: str) -> int:
        """Deletes the rows `t` of a table for which a condition is true; the number of them."""

    def compare(
        self, table: str, rows: Rendered, schema: Schema, absent: Collection[str], mark: str = ""
    ) -> tuple[int, int]:
        """
        How many of the rows are there by their key, and in how many of those a value differs. Not in a transaction.

        Columns that are `absent` count as null; with `mark`, rows in which that column isn't null count as not there.
        """

    def clone(self, table: str, shadow: str) -> None:
        """Creates an empty table with the columns and keys of another."""

    def swap(self, table: str, shadow: str) -> None:
        """Puts a table in the place of another, which is dropped."""

    def mend(self, table: str, shadow: str) -> None:
        """Undoes a `swap` whose transaction didn't commit, where the database doesn't do so itself."""

    def limits(self, schema: Schema, *, keyed: bool) -> Limits:
        """Values of the schema's types that can't be held; `keyed`: nor may its key be null."""

    def cut(self) -> None:
        """Has whatever waits for the database raise. From any thread."""

    def close(self) -> None:
        """Closes the connection."""


class Breach(Struct, frozen=True):
    """
    What stands against a row, in words without values; `column` where it is about one. `among`: it is about other rows
    of the same table, such as the manager of an employee, so that the row may be taken once they are there.

    >>> Breach("age", "breaks the check 'adult' (age)").among
    False
    """

    column: str
    message: str
    among: bool = False


@runtime_checkable
class Trying(Protocol):
    """What a database may offer besides: trying out which rows a table takes."""

    def trial(
        self, table: str, frame: pl.DataFrame, schema: Schema, *, keyed: bool
    ) -> Callable[[int, int], Breach | None]:
        """
        Inside of a transaction that will be rolled back: a function that writes the rows from one index up to another,
        or leaves nothing of them and says what stands against one of them. Other errors are raised.
        """


@runtime_checkable
class Changing(Protocol):
    """What a database may offer besides: a statement that changes a row and says so, as a transaction of its own."""

    def change_told(self, table: str, changes: str, where: str, parameters: Sequence[Any]) -> bool:
        """Changes the rows of a table where a condition is true, if there are any. Losing power may undo that."""


@runtime_checkable
class Branching(Protocol):
    """What a database may offer besides: writing to one table over several connections at once."""

    def apart(self, table: str, key: Sequence[str]) -> bool:
        """
        Whether rows of other keys have nothing to do with each other, so that none ever waits for, or needs, one that
        isn't committed: no other unique key, reference, exclusion, trigger or rule, and texts are equal by their bytes.
        """

    def another(self) -> Database:
        """Another connection to the same place; `Again` where the server has none to give."""


@runtime_checkable
class Wiping(Protocol):
    """What a database in a file may offer besides: leaving nothing on the disk of what is deleted."""

    def wiping(self) -> AbstractContextManager[None]:
        """Has what transactions of the block delete be overwritten in the file, and be in no log beside it."""


def wiping(database: Database) -> AbstractContextManager[None]:
    """For deleting people, and tables for good; of a server, its vacuum or purge overwrites them later."""
    return database.wiping() if offers(database, Wiping) else nullcontext()


@runtime_checkable
class Compacting(Protocol):
    """What a database in a file may offer besides: ridding it of what was deleted before, as far as it lets itself."""

    def compact(self) -> str:
        """Outside of a transaction. What may be left in the file of rows that are gone, in a sentence; '' for none."""


def remains(database: Database) -> str:
    """What may be left on the disk of rows that are deleted, in a sentence; '' for nothing. A file is rid of it."""
    if offers(database, Compacting):
        return database.compact()
    return "the server's disk and logs have deleted rows until its vacuum or purge"
