"""What a table looks like, and what is missing for it to hold a schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final, Protocol

from msgspec import Struct

from syncline.connectors.sql.limits import Limit
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid
from syncline.model.schema import DataType, Field
from syncline.sdk.destination import Target

#: The code of a column that can't hold what is declared.
UNHELD: Final = "SYN484"


class Column(Struct, frozen=True):
    """A column as it is: its type in the database's words; `required` without a default; `computed` by the database."""

    name: str
    type: str
    required: bool = False
    computed: bool = False


class Table(Struct, frozen=True, dict=True):
    """
    A table as it is. `keys` are the column sets that are unique; `folds` says that case makes no other name; `strict`
    that more than these may stand against a row: checks, nulls, references, triggers.
    """

    name: str
    columns: tuple[Column, ...]
    keys: frozenset[frozenset[str]] = frozenset()
    folds: bool = False
    strict: bool = False

    def get(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return self._named.get(self.fold(name))

    def is_key(self, names: Iterable[str]) -> bool:
        """Whether these columns are unique together."""
        return {self.fold(name) for name in names} in [{self.fold(name) for name in key} for key in self.keys]

    def fold(self, name: str) -> str:
        """A name as the database compares it."""
        return name.lower() if self.folds else name

    @cached_property
    def _named(self) -> dict[str, Column]:
        """The columns by their names; of those that are one to the database, the first."""
        return {self.fold(column.name): column for column in reversed(self.columns)}


def keyed(target: Target) -> bool:
    """Whether rows have an identity in the table: a log that is appended to may name a record twice."""
    return target.mode != "append" and bool(target.schema.key)


def refusing(table: Table, target: Target) -> bool:
    """Whether a table may refuse rows of a target whose values it can hold."""
    return table.strict or len(table.keys) > keyed(target)


class Holding(Protocol):
    """What says which columns hold which values; see `Database`."""

    def holds(self, existing: str, declared: DataType) -> bool:
        """Whether a column holds every value of a type."""

    def narrowed(self, existing: str, field: Field, *, unique: bool) -> Limit | None:
        """The values of a type that it doesn't hold, where it holds the others."""


def unheld(table: Table, target: Target, holding: Holding) -> tuple[tuple[Field, Column], ...]:
    """Fields whose columns can't hold what is declared, with these."""
    return tuple((f, c) for f, c in _partly(table, target, holding) if _narrowed(table, f, c, holding) is None)


def narrow(table: Table, target: Target, holding: Holding) -> tuple[Limit, ...]:
    """The values that columns don't hold of types which they hold otherwise."""
    found = (_narrowed(table, f, c, holding) for f, c in _partly(table, target, holding))
    return tuple(limit for limit in found if limit is not None)


def _partly(table: Table, target: Target, holding: Holding) -> Iterator[tuple[Field, Column]]:
    for field in target.schema.fields:
        column = table.get(field.name)
        if column is not None and not column.computed and not holding.holds(column.type, field.type):
            yield field, column


def _narrowed(table: Table, field: Field, column: Column, holding: Holding) -> Limit | None:
    unique = any(table.fold(field.name) in map(table.fold, key) for key in table.keys)
    return holding.narrowed(column.type, field, unique=unique)


def missing(table: Table, target: Target, holding: Holding) -> tuple[Field, ...]:
    """Fields that the table has no column for yet. Raises Invalid, with every finding, where it doesn't fit."""
    absent: list[Field] = []
    wrong: list[Diagnostic] = []
    for field in target.schema.fields:
        column = table.get(field.name)
        if column is None:
            absent.append(field)
        elif column.computed:
            wrong.append(_finding("SYN486", f"column {field.name!r} of table {table.name!r} is a computed one"))
        elif not holding.holds(column.type, field.type) and _narrowed(table, field, column, holding) is None:
            message = f"column {field.name!r} of table {table.name!r} is {column.type}, which can't hold {field.type}"
            wrong.append(_finding(UNHELD, message))
    declared = {table.fold(name) for name in target.schema.names}
    wrong += [
        _finding("SYN486", f"column {column.name!r} of table {table.name!r} must not be null, and isn't mapped to")
        for column in table.columns
        if column.required and table.fold(column.name) not in declared
    ]
    if keyed(target) and not table.is_key(target.schema.key):
        key = ", ".join(target.schema.key)
        wrong.append(_finding("SYN486", f"table {table.name!r} has no primary key or unique index on ({key})"))
    if wrong:
        raise Invalid(wrong[0].message, code=wrong[0].code, help=wrong[0].help, diagnostics=wrong)
    return tuple(absent)


def _finding(code: str, message: str) -> Diagnostic:
    return Diagnostic(code, message, help="Change the mapping, write to another table, or alter this one by hand.")
