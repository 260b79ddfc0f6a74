"""Budgets of requests in the state's database: one row each, changed by whoever needs a block."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update

from syncline.model.budget import Grant, Used
from syncline.state.budget_book import Book
from syncline.state.tables import budgets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.state.database import Database

_NAMED = budgets.c.name == bindparam("budget")
_FOUND = select(budgets.c.book).where(_NAMED).with_for_update()
_CHANGE = update(budgets).where(_NAMED)


class SqlBudgets:
    """See `model.budget.Budgets`. By the database's clock; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new = database.insert(budgets).on_conflict_do_nothing()

    def reserve(
        self, name: str, count: int, seconds: float, *, want: int, lease: float, used: Used | None = None
    ) -> Grant:
        with self._changing(name) as (book, now):
            return book.reserve(now, count, seconds, want=want, lease=lease, used=used)

    def block(self, name: str, seconds: float) -> None:
        with self._changing(name) as (book, now):
            book.block(now, seconds)

    def close(self) -> None:
        """The database is closed by whoever opened it."""

    @contextmanager
    def _changing(self, name: str) -> Iterator[tuple[Book, float]]:
        """A budget's book, which is written back, and the time."""
        with self._database.write() as connection:
            text = connection.execute(_FOUND, {"budget": name}).scalar()
            if text is None:
                connection.execute(self._new, {"name": name, "book": ""})
                text = connection.execute(_FOUND, {"budget": name}).scalar_one()
            book = Book.loads(text)
            yield book, self._database.now(connection)
            connection.execute(_CHANGE, {"budget": name, "book": book.dumps()})
