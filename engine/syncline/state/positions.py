"""Positions of flows as they were when an apply began: rows of `positions`.

A row says that a position was the same from the apply `first` to the apply `last`, by their numbers, so that a flow
that doesn't run costs no row for each apply. What is kept reaches as far back as the journals do.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import Integer, and_, bindparam, delete, exists, func, insert, select, update

from syncline.model.key import ObjectKey
from syncline.state import tables
from syncline.state.direct import Direct
from syncline.state.rows import is_key
from syncline.state.store import KeptPosition

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_KEPT, _CURSORS, _APPLIES = tables.positions, tables.cursors, tables.applies


# Each apply asks these; they are made once, as composing a statement costs more than running it.
_OF_ONE = [_KEPT.c[name] == _CURSORS.c[name] for name in ("tenant", "kind", "name")]
_SAME = and_(*_OF_ONE, _KEPT.c.checkpoint == _CURSORS.c.checkpoint)
_GO_ON = Direct(
    update(_KEPT).where(_KEPT.c.last == bindparam("before"), exists().where(_SAME)).values(last=bindparam("number"))
)
_BEGIN = Direct(
    insert(_KEPT).from_select(
        ["tenant", "kind", "name", "first", "last", "checkpoint"],
        select(
            *(_CURSORS.c[name] for name in ("tenant", "kind", "name")),
            bindparam("number", type_=Integer),
            bindparam("number", type_=Integer),
            _CURSORS.c.checkpoint,
        ).where(_CURSORS.c.kind == "Sync", ~exists().where(*_OF_ONE, _KEPT.c.last == bindparam("number"))),
        include_defaults=False,
    )
)
_FORGET = Direct(delete(_KEPT).where(_KEPT.c.last <= bindparam("oldest")))


def keep(connection: Connection, before: int, number: int, kept: int) -> None:
    """Keeps all positions of syncs as they are when the apply of this number begins; `before` is the one before it."""
    _GO_ON.run(connection, {"before": before, "number": number})
    _BEGIN.run(connection, {"number": number})
    _FORGET.run(connection, {"oldest": number - kept})


def under(connection: Connection, revision: str) -> dict[ObjectKey, KeptPosition]:
    """Where syncs were when a commit was last applied and something else was about to be; empty where nobody knows."""
    found = _number_after(connection, revision)
    if found is None:
        return {}
    number, taken = found
    rows = connection.execute(select(_KEPT).where(_at(number), ~exists().where(_SAME))).all()
    since = _read_since(connection, taken) if rows else {}
    keys = [ObjectKey(row.tenant, row.kind, row.name) for row in rows]
    return {
        key: KeptPosition(row.checkpoint, taken, *since.get(key, (0, 0))) for key, row in zip(keys, rows, strict=True)
    }


def revisions(connection: Connection) -> tuple[str, ...]:
    """The commits that positions are kept of, each once, newest first: each apply keeps those of the one before it."""
    oldest = select(func.min(_KEPT.c.first)).scalar_subquery()
    query = select(_APPLIES.c.revision).where(_APPLIES.c.outcome == "finished", _APPLIES.c.number >= oldest - 1)
    return tuple(dict.fromkeys(connection.execute(query.order_by(_APPLIES.c.number.desc())).scalars()))


def _read_since(connection: Connection, taken: str) -> dict[ObjectKey, tuple[int, int]]:
    """How many runs of each sync began since then, and how many records they read."""
    runs = tables.runs
    key = (runs.c.tenant, runs.c.kind, runs.c.name)
    read = func.coalesce(func.sum(runs.c.counts["read"].as_integer()), 0)
    query = select(*key, func.count(), read).where(runs.c.started >= taken, runs.c.kind == "Sync", runs.c.parent == "")
    rows = connection.execute(query.group_by(*key))
    return {ObjectKey(tenant, kind, name): (int(number), int(sum_)) for tenant, kind, name, number, sum_ in rows}


def restored(connection: Connection, revision: str, key: ObjectKey) -> str | None:
    """The position of one sync under a commit, marked as one that its next run goes back to; None if it isn't kept."""
    found = _number_after(connection, revision)
    if found is None:
        return None
    mine = select(_KEPT.c.checkpoint).where(_at(found[0]), is_key(_KEPT, key))
    checkpoint = connection.execute(mine).scalar()
    if checkpoint is None:
        return None
    marked = json.loads(checkpoint) | {"restored": True}
    return json.dumps(marked, ensure_ascii=False, separators=(",", ":"))


def _number_after(connection: Connection, revision: str) -> tuple[int, str] | None:
    """The apply of the same source that came after the last one of a commit, and when it began."""
    applied = (_APPLIES.c.revision == revision, _APPLIES.c.outcome == "finished")
    last = select(_APPLIES.c.number, _APPLIES.c.source).where(*applied).order_by(_APPLIES.c.number.desc())
    if (found := connection.execute(last.limit(1)).first()) is None:
        return None
    query = select(_APPLIES.c.number, _APPLIES.c.started).where(
        _APPLIES.c.number > found.number, _APPLIES.c.source == found.source
    )
    row = connection.execute(query.order_by(_APPLIES.c.number).limit(1)).first()
    return (row.number, row.started) if row else None


def _at(number: int) -> ColumnElement[bool]:
    return and_(_KEPT.c.first <= number, _KEPT.c.last >= number)
