"""What was applied of flows that are retired: rows of `retired_flows`, one for a name, with all that is kept of it."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from msgspec.structs import replace
from sqlalchemy import delete, select

from syncline.model.key import ObjectKey
from syncline.model.retired_flow import RetiredFlow
from syncline.state.rows import is_key, key_columns
from syncline.state.tables import retired_flows as table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from syncline.state.database import Database


class SqlRetiredFlows:
    """See `RetiredFlows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, key: ObjectKey) -> tuple[RetiredFlow, ...]:
        with self._database.read() as connection:
            return _of(connection, key)

    def keep(self, retiring: Sequence[RetiredFlow], standing: Mapping[ObjectKey, str]) -> None:
        with self._database.read() as connection:
            rows = connection.execute(select(table)).all()
        before = {_key(row): _kept(row) for row in rows}
        after = {
            key: tuple(one for one in found if one.led or one.applied != standing.get(key))
            for key, found in before.items()
        }
        for new in retiring:
            after[new.key] = _with(after.get(new.key, ()), new)
        changed = {key: found for key, found in after.items() if found != before.get(key)}
        if not changed:
            return
        with self._database.write(durable=True) as connection:
            for key, found in changed.items():
                _put(self._database, connection, key, found)


def _with(found: tuple[RetiredFlow, ...], new: RetiredFlow) -> tuple[RetiredFlow, ...]:
    """What is kept of a name, and this."""
    if new.led:
        if not (found and found[0].led and found[0].documents == new.documents):
            return (new, *found)
        # It was kept for an apply that didn't come to it.
        return (replace(new, wrote=found[0].wrote or new.wrote), *found[1:])
    first = next((one for one in found if not one.led and one.applied == new.applied), None)
    if first is None:
        return (new, *found)
    again = replace(first, until=new.until, wrote=first.wrote or new.wrote)
    return tuple(again if one is first else one for one in found)


def move(
    database: Database, connection: Connection, previous: ObjectKey, key: ObjectKey, renamed: Callable[[str], str]
) -> None:
    """What is kept of a name is of another from now on, besides what that has; `renamed` is for the flow's document."""
    moved = [
        replace(one, key=key, documents=(*map(renamed, one.documents[:1]), *one.documents[1:]))
        for one in _of(connection, previous)
    ]
    if moved:
        both = sorted((*moved, *_of(connection, key)), key=attrgetter("until"), reverse=True)
        _put(database, connection, previous, [])
        _put(database, connection, key, both)


def move_integration(
    database: Database, connection: Connection, previous: ObjectKey, key: ObjectKey, renamed: Callable[[str], str]
) -> None:
    """
    What is kept of flows that stood on an integration says its new name from now on, so that it is opened by what has
    that; `renamed` is for the integration's document.
    """
    query = select(table) if not key.tenant else select(table).where(table.c.tenant == key.tenant)
    for row in connection.execute(query).all():
        found = _kept(row)
        moved = tuple(replace(one, documents=_moved(one.documents, previous, key, renamed)) for one in found)
        if moved != found:
            _put(database, connection, _key(row), moved)


def _moved(
    documents: tuple[str, ...], previous: ObjectKey, key: ObjectKey, renamed: Callable[[str], str]
) -> tuple[str, ...]:
    """Documents of a flow, the flow's first, after an integration was renamed that they may be with."""
    declared = [json.loads(text) for text in documents]
    own = [
        (one.get("kind"), one["metadata"].get("tenant", ""), one["metadata"]["name"]) == _named(previous)
        for one in declared
    ]
    if not any(own):
        return documents
    flow = declared[0]
    for end in ("from", "to"):
        integration, slash, stream = flow["spec"][end].partition("/")
        if integration == previous.name:
            flow["spec"][end] = f"{key.name}{slash}{stream}"
    others = (renamed(text) if its else text for text, its in zip(documents[1:], own[1:], strict=True))
    return (json.dumps(flow, ensure_ascii=False, sort_keys=True, separators=(",", ":")), *others)


def _named(key: ObjectKey) -> tuple[str, str, str]:
    return key.kind, key.tenant, key.name


def _of(connection: Connection, key: ObjectKey) -> tuple[RetiredFlow, ...]:
    row = connection.execute(select(table).where(is_key(table, key))).first()
    return () if row is None else _kept(row)


def _put(database: Database, connection: Connection, key: ObjectKey, found: Iterable[RetiredFlow]) -> None:
    connection.execute(delete(table).where(is_key(table, key)))
    plain = [{name: value for name, value in to_builtins(one).items() if name != "key"} for one in found]
    if plain:
        values = {"applied": plain[0]["applied"], "documents": plain}
        connection.execute(database.insert(table).values(**key_columns(key), **values))


def _key(row: Row[Any]) -> ObjectKey:
    return ObjectKey(row.tenant, row.kind, row.name)


def _kept(row: Row[Any]) -> tuple[RetiredFlow, ...]:
    if row.documents and isinstance(row.documents[0], str):  # as the first version kept one of a name
        return (RetiredFlow(_key(row), row.applied, tuple(row.documents)),)
    return tuple(RetiredFlow(_key(row), **one | {"documents": tuple(one["documents"])}) for one in row.documents)
