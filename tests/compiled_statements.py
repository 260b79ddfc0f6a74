"""
Statements of states are compiled once a process in tests: SQLAlchemy keeps what it compiled with each engine, a test opens
many states, each with an engine of its own, and compiling was a third of what a test of a run takes. Engines of one sort
of database, and one version of it, share it within the block.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Dialect

#: Of distinct statements a state has a few hundred.
_MOST = 2_000


def _same(one: Dialect, other: object) -> bool:
    return type(one) is type(other) and _version(one) == _version(other)


def _version(dialect: Any) -> Any:
    """The server's version, which is known once an engine has connected; statements are compiled after that."""
    return getattr(dialect, "server_version_info", None)


@contextmanager
def compiled_once() -> Iterator[None]:
    """Within the block, what one engine has compiled is there for the next."""
    kept: LRUCache[Any, Any] = LRUCache(_MOST)
    with pytest.MonkeyPatch.context() as patch:
        for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):  # compiled statements are found by their dialect
            patch.setattr(dialect, "__eq__", _same)
            patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
        patch.setattr(Engine, "_compiled_cache", property(lambda _: kept, lambda _engine, _own: None), raising=False)
        yield
