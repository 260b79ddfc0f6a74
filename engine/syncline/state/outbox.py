"""Messages of subscriptions: rows of `outbox`, and how far each subscription is: rows of `subscriptions`.

A message is put in the transaction that moves its subscription on, so that none is lost and none is put twice. That it
is about to be sent is written before it is, and that it was sent after it: killed in between, it is sent again under
the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update

from syncline.model.key import ObjectKey
from syncline.model.notice import Phase
from syncline.model.outbox import Message, MessageState
from syncline.state import statuses, tables
from syncline.state.direct import Direct
from syncline.state.rows import is_key, key_columns, now, storable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from syncline.model.condition import Occurrence, Status
    from syncline.state.database import Database

#: Messages that are kept once they are over, the newest.
KEPT_MESSAGES = 10_000
_PRUNED = 100
#: Longest error of a message that is kept, in characters.
MAX_ERROR = 1_000

_OUTBOX, _POSITIONS, _EVENTS = tables.outbox, tables.subscriptions, tables.events
_PENDING = str(MessageState.pending)
# What is asked at each look; made once, as composing a statement costs more than running it.
_SUBSCRIBED = Direct(select(_POSITIONS.c.tenant, _POSITIONS.c.kind, _POSITIONS.c.name))
_LAST_EVENT = Direct(select(func.max(_EVENTS.c.number)))
_FIRST_OF_EACH = (
    select(func.min(_OUTBOX.c.number))
    .where(_OUTBOX.c.due != "")
    .group_by(_OUTBOX.c.tenant, _OUTBOX.c.kind, _OUTBOX.c.name)
)
_DUE = Direct(
    select(_OUTBOX)
    .where(_OUTBOX.c.number.in_(_FIRST_OF_EACH), _OUTBOX.c.due <= bindparam("now"))
    .order_by(_OUTBOX.c.due)
    .limit(bindparam("limit"))
)


class SqlOutbox:
    """The `Outbox` of a state. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def position(self, key: ObjectKey) -> str | None:
        with self._database.read() as connection:
            return connection.execute(select(_POSITIONS.c.position).where(is_key(_POSITIONS, key))).scalar()

    def positions(self) -> tuple[ObjectKey, ...]:
        with self._database.read() as connection:
            rows = _SUBSCRIBED.rows(connection, {})
        return tuple(sorted(ObjectKey(*row) for row in rows))

    def last_event(self) -> int:
        with self._database.read() as connection:
            return int(_LAST_EVENT.value(connection, {}) or 0)

    def first_event(self, key: ObjectKey) -> int:
        query = select(func.max(_EVENTS.c.number)).where(is_key(_EVENTS, key), _EVENTS.c.reason == "Applied")
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def events(self, after: int, limit: int) -> tuple[Occurrence, ...]:
        return statuses.events_after(self._database, after, limit)

    def troubled(self) -> dict[ObjectKey, Status]:
        return statuses.troubled(self._database)

    def advance(self, key: ObjectKey, position: str, put: Sequence[Message], drop: Sequence[str] = ()) -> None:
        with self._database.write() as connection:
            new = self._database.insert(_POSITIONS)
            index = ["tenant", "kind", "name"]
            connection.execute(
                new.on_conflict_do_update(index_elements=index, set_={"position": new.excluded.position}),
                key_columns(key) | {"position": position},
            )
            unsent = {thread for thread in drop if self._dropped(connection, key, thread)}
            rows = [_columns(message) for message in put if message.thread not in unsent]
            if rows:
                connection.execute(self._database.insert(_OUTBOX).on_conflict_do_nothing(index_elements=["id"]), rows)
                _prune(connection, len(rows))

    @staticmethod
    def _dropped(connection: Connection, key: ObjectKey, thread: str) -> bool:
        """Whether nothing of a thread was sent, so that what there was of it is dropped."""
        mine = is_key(_OUTBOX, key) & (_OUTBOX.c.thread == thread)
        if connection.execute(select(_OUTBOX.c.id).where(mine, _OUTBOX.c.attempts > 0).limit(1)).first():
            return False
        connection.execute(update(_OUTBOX).where(mine, _OUTBOX.c.state == _PENDING).values(_over(MessageState.dropped)))
        return True

    def forget(self, key: ObjectKey) -> None:
        with self._database.write() as connection:
            connection.execute(delete(_POSITIONS).where(is_key(_POSITIONS, key)))
            mine = is_key(_OUTBOX, key) & (_OUTBOX.c.state == _PENDING)
            connection.execute(update(_OUTBOX).where(mine).values(_over(MessageState.dropped)))

    def due(self, now: str, limit: int) -> tuple[Message, ...]:
        with self._database.read() as connection:
            return tuple(map(_message, _DUE.rows(connection, {"now": now, "limit": limit})))

    def hurry(self) -> None:
        with self._database.write() as connection:
            connection.execute(update(_OUTBOX).where(_OUTBOX.c.due != "").values(due=now()))

    def pending(self, key: ObjectKey) -> int:
        query = select(func.count()).select_from(_OUTBOX).where(is_key(_OUTBOX, key), _OUTBOX.c.state == _PENDING)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def claim(self, id: str, until: str) -> bool:  # noqa: A002 - the field's word
        mine = (_OUTBOX.c.id == id) & (_OUTBOX.c.state == _PENDING)
        with self._database.write() as connection:
            claimed = update(_OUTBOX).where(mine).values(attempts=_OUTBOX.c.attempts + 1, due=until)
            return connection.execute(claimed).rowcount > 0

    def sent(self, id: str, ref: str) -> None:  # noqa: A002 - likewise
        over = {**_over(MessageState.sent), "ref": storable(ref), "error": "", "error_code": ""}
        with self._database.write() as connection:
            connection.execute(update(_OUTBOX).where(_OUTBOX.c.id == id).values(over))

    def failed(self, id: str, error: str, code: str, again: str, ref: str = "") -> None:  # noqa: A002 - likewise
        values: dict[str, Any] = {"due": again} if again else _over(MessageState.failed)
        values |= {"error": storable(error[:MAX_ERROR]), "error_code": code, "ref": storable(ref)}
        mine = (_OUTBOX.c.id == id) & (_OUTBOX.c.state == _PENDING)
        with self._database.write() as connection:
            connection.execute(update(_OUTBOX).where(mine).values(values))

    def ref(self, key: ObjectKey, thread: str) -> str:
        query = select(_OUTBOX.c.ref).where(is_key(_OUTBOX, key), _OUTBOX.c.thread == thread, _OUTBOX.c.ref != "")
        with self._database.read() as connection:
            return connection.execute(query.order_by(_OUTBOX.c.number.desc()).limit(1)).scalar() or ""

    def messages(self, key: ObjectKey | None, tenant: str | None, limit: int) -> tuple[Message, ...]:
        return messages(self._database, key, tenant, limit)


def messages(database: Database, key: ObjectKey | None, tenant: str | None, limit: int) -> tuple[Message, ...]:
    """The newest messages, oldest first."""
    query = select(_OUTBOX).order_by(_OUTBOX.c.number.desc()).limit(limit)
    if key is not None:
        query = query.where(is_key(_OUTBOX, key))
    if tenant is not None:
        query = query.where(_OUTBOX.c.tenant == tenant)
    with database.read() as connection:
        return tuple(map(_message, reversed(connection.execute(query).all())))


def _over(state: MessageState) -> dict[str, Any]:
    return {"state": str(state), "due": "", "finished": now()}


def _prune(connection: Connection, put: int) -> None:
    """Deletes the oldest messages that are over, once enough of them have piled up."""
    newest = int(connection.execute(select(func.max(_OUTBOX.c.number))).scalar() or 0)
    if newest // _PRUNED != (newest - put) // _PRUNED:
        old = (_OUTBOX.c.number <= newest - KEPT_MESSAGES) & (_OUTBOX.c.state != _PENDING)
        connection.execute(delete(_OUTBOX).where(old))


def _columns(message: Message) -> dict[str, Any]:
    return {
        **key_columns(message.key),
        "id": message.id,
        "thread": message.thread,
        "phase": str(message.phase),
        "event": dict(message.event),
        "created": message.created,
        "state": str(message.state),
        "attempts": message.attempts,
        "due": message.due,
        "finished": message.finished,
        "ref": message.ref,
        "error": message.error,
        "error_code": message.error_code,
    }


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        key=ObjectKey(row.tenant, row.kind, row.name),
        phase=Phase(row.phase),
        event=row.event,
        created=row.created,
        due=row.due,
        thread=row.thread,
        state=MessageState(row.state),
        attempts=row.attempts,
        finished=row.finished,
        ref=row.ref,
        error=row.error,
        error_code=row.error_code,
        number=row.number,
    )
