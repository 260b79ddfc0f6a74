"""What the databases do differently when they are read from: one `Reading` is one open connection, and never writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from syncline.model.errors import Invalid
from syncline.model.schema import DataType


def no_query(message: str) -> Invalid:
    """For SQL of a person that isn't one statement: a second one could do anything, such as end the transaction."""
    return Invalid(message, code="SYN550", help="Declare one SELECT as the query, without a semicolon.")


class Readable(Struct, frozen=True):
    """
    A column that is read: its type in the database's words, the logical type that holds all its values, and SQL for
    the value of the row `t`.

    The SQL gives what `values.py` takes: text, or for `Reading.native` types Python's own values. `order` is what rows
    are sorted and compared by.
    """

    name: str
    native: str
    type: DataType
    value: str
    order: str


class Reading(Protocol):
    """A connection that reads. Every method turns the driver's errors into ours, as `Database` does."""

    @property
    def place(self) -> str:
        """The prefix of table names: the quoted schema with a dot, or nothing."""

    @property
    def native(self) -> frozenset[str]:
        """Names of the logical types whose values come as Python's own; others come as text."""

    def columns(self, query: str, table: str, *, exact: bool) -> tuple[Readable, ...]:
        """
        The columns of a query; `table` is the name of the one that it reads whole, if it does. `exact`: texts that the
        column's collation takes for one are told apart, where no unique index of the table says that there are none.
        Columns without a counterpart are left out.
        """

    def keys(self, table: str) -> tuple[tuple[str, ...], ...]:
        """Sets of columns of a table that identify a row and are never null: the primary key comes first."""

    def begin(self) -> None:
        """From now on, everything is read as it is at this moment, as far as the database can."""

    def fetch(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query, whose parameters are `$1`, `$2` and so on."""

    def parameter(self, column: Readable, number: int) -> str:
        """SQL for a parameter that is compared with a column."""

    def given(self, column: Readable, text: str) -> Any:
        """The value of such a parameter, from its text in a position."""

    def close(self) -> None:
        """Closes the connection."""
