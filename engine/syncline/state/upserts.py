"""Inserts that say what to do where a row is there already: in the words of both databases, composed once for each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.state import tables
from syncline.state.direct import Direct

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.dialects import postgresql, sqlite

    from syncline.state.database import Database

    _Insert = sqlite.Insert | postgresql.Insert


class Upserts(Struct, frozen=True):
    """
    What runs and applies write. A run that is known stays; rejects and cursors are replaced; the head of the audit log
    (by whether it begins `anew`) only moves on; the history of an apply stays; counters are added up.
    """

    run: Direct
    rejects: Direct
    cursor: Direct
    head: Mapping[bool, Direct]
    history: Direct
    counters: Direct


def upserts(database: Database) -> Upserts:
    """Those of a database."""
    written = (tables.runs, tables.rejects, tables.cursors, tables.audit_heads, tables.history, tables.metrics)
    return _upserts(*map(database.insert, written))


@cache
def _upserts(
    runs: _Insert, rejects: _Insert, cursors: _Insert, heads: _Insert, history: _Insert, metrics: _Insert
) -> Upserts:
    larger = tables.audit_heads.c.size < heads.excluded.size
    return Upserts(
        run=Direct(runs.on_conflict_do_nothing().execution_options(preserve_rowcount=True)),
        rejects=Direct(replacing(rejects, "run", "sequence")),
        cursor=Direct(replacing(cursors, "tenant", "kind", "name")),
        head={anew: Direct(replacing(heads, "id", where=None if anew else larger)) for anew in (False, True)},
        history=Direct(history.on_conflict_do_nothing()),
        counters=Direct(
            metrics.on_conflict_do_update(
                index_elements=["tenant", "kind", "name", "period", "counter"],
                set_={"value": tables.metrics.c.value + metrics.excluded.value},
            )
        ),
    )


def replacing(new: _Insert, *key: str, where: ColumnElement[bool] | None = None) -> _Insert:
    """An insert that replaces what is there under the same key, where that is so."""
    rest = {name: column for name, column in new.excluded.items() if name not in key}
    return new.on_conflict_do_update(index_elements=list(key), set_=rest, where=where)
