"""What is done about one record, as a generator: it yields what to ask, is sent what was answered, ends in a result.

Logic only. Whoever drives it sends one request a step, or those of many records together, and in any order between
records; the steps of one record come one after another.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.rest.writing.plan import Step, WritePlan
from syncline.connectors.rest.writing.values import Row, same
from syncline.model.errors import Again, SynclineError
from syncline.model.ledger import Known

#: Attempts to write over a version that changes under us, and to create what `find` doesn't see.
_TRIES = 4
#: Statuses of a record that isn't there any more.
_GONE = frozenset({404, 410})
_EXISTS = 409


class Reply(Struct, frozen=True):
    """What came of a step. `refused` says why the API doesn't take the record; `unknown` is there instead of an answer
    where the request may or may not have had its effect. `ids` are what a search found; `record` is what was read.
    """

    status: int = 200
    id: str = ""
    version: str = ""
    record: Any = None
    ids: tuple[str, ...] = ()
    refused: str = ""
    unknown: SynclineError | None = None


class Result(Struct, frozen=True):
    """What became of a record; `known` is what is kept of it, None where nothing is to be kept or changed."""

    did: Literal["inserted", "updated", "unchanged", "refused", "deleted"]
    known: Known | None = None
    why: str = ""


Writing = Generator[Step, Reply, Result]


def _done(did: Literal["inserted", "updated", "unchanged"], row: Row, id: str, version: str) -> Result:  # noqa: A002 - the word
    return Result(did, Known(id, version, row.digest))


def _refused(reply: Reply) -> Result:
    return Result("refused", why=reply.refused)


def append(row: Row, plan: WritePlan, key: str, *, number: int, doubtful: bool) -> Writing:
    """
    Creates a record. `doubtful`: an attempt that was stopped may have done it.

    `number` counts the records of its key, which are created in order: the second is there where a search finds two.
    """
    if doubtful and "find" in plan:
        found = yield from _find(row, number)
        if isinstance(found, Result):
            return found
        if found.ids:
            return Result("inserted")
    made = yield from _create(row, plan, key, number)
    return made if isinstance(made, Result) else Result("inserted")


def upsert(row: Row, plan: WritePlan, known: Known | None, key: str) -> Writing:
    """Creates a record or changes it, by its key."""
    if "upsert" in plan:
        return (yield from _set(row, plan, "upsert", known or Known(), key))
    if known is not None and not known.pending and ("update" in plan):
        result = yield from _set(row, plan, "update", known, key)
        if result.did != "refused" or not result.why.startswith(_MISSING) or "create" not in plan:
            return result
    if "find" in plan:
        found = yield from _find(row)
        if isinstance(found, Result):
            return found
        if found.ids:
            return (yield from _adopt(row, plan, found, key))
    if "create" not in plan:
        return Result("refused", why="there is no such record, and the stream declares no request that creates one")
    made = yield from _create(row, plan, key)
    if isinstance(made, Result):
        return made
    if made.ids:  # it was there after all
        result = yield from _adopt(row, plan, made, key)
        # It wasn't there before our request, and is now.
        ours = made.unknown is not None and result.did != "refused"
        return replace(result, did="inserted") if ours else result
    if known is not None and known.pending and known.digest != row.digest and "update" in plan:
        # The answer may be that of an earlier attempt, which sent other values under the same idempotency key.
        result = yield from _set(row, plan, "update", Known(made.id, made.version), key)
        return replace(result, did="inserted") if result.did == "updated" else result
    return _done("inserted", row, made.id, made.version)


def delete(row: Row, plan: WritePlan, known: Known | None, key: str, *, doubtful: bool) -> Writing:
    """
    Deletes a record by its key; one that isn't there is no error.

    `doubtful`: an attempt that was stopped may have done it. One that we wrote and that is gone, it did delete.
    """
    at = known or Known()
    gone = Result("deleted" if doubtful and known is not None else "unchanged")
    if not at.id and "find" in plan:
        found = yield from _find(row)
        if isinstance(found, Result):
            return found
        if not found.ids:
            return gone
        at = Known(found.ids[0], found.version)
    if not at.id and "id" in plan.calls["delete"].names:
        return Result("unchanged")  # it was never written; without an id, the path could be that of all records
    for _ in range(_TRIES):
        at = yield from _versioned(row, plan, "delete", at)
        reply = yield Step("delete", row, at.id, at.version, key)
        if reply.unknown is not None:
            raise reply.unknown
        if reply.status in _GONE:
            return gone
        if not reply.refused:
            return Result("deleted")
        if reply.status not in plan.spec.stale or plan.spec.conflicts == "reject" or "read" not in plan:
            return _refused(reply)
        at = replace(at, version="")
    return _refused(reply)


def _find(row: Row, number: int | None = None) -> Generator[Step, Reply, Reply | Result]:
    """
    What a search says; a result where it can't be told which record is meant.

    With `number`, any of that many records of its key is as good as another, and fewer are none.
    """
    reply = yield Step("find", row)
    if reply.unknown is not None:
        raise reply.unknown
    if reply.status in _GONE:
        return replace(reply, ids=(), refused="")
    if reply.refused:
        return _refused(reply)
    if number is not None:
        return reply if len(reply.ids) >= number else replace(reply, ids=())
    if len(reply.ids) > 1:
        return Result("refused", why=f"{len(reply.ids)} records have this key, so it can't be told which one is meant")
    return reply


def _adopt(row: Row, plan: WritePlan, found: Reply, key: str) -> Writing:
    """Takes over a record that is there already."""
    at = Known(found.ids[0], found.version)
    if found.record is not None and same(row.values, found.record):
        return _done("unchanged", row, at.id, at.version)
    if "update" not in plan:
        return Result("refused", why="the record is there already, and the stream declares no request that updates it")
    return (yield from _set(row, plan, "update", at, key))


def _create(row: Row, plan: WritePlan, key: str, number: int | None = None) -> Generator[Step, Reply, Reply | Result]:
    """Creates a record; a reply with `ids` where it turns out to be there."""
    for _ in range(_TRIES):
        reply = yield Step("create", row, key=key)
        if reply.unknown is None and not reply.refused:
            return reply
        if "find" not in plan or (reply.refused and reply.status != _EXISTS):
            if reply.unknown is not None:
                raise reply.unknown
            return _refused(reply)
        found = yield from _find(row, number)
        if isinstance(found, Result):
            return found
        if found.ids:
            return replace(found, unknown=reply.unknown)
        if reply.refused:
            return _refused(reply)
    raise reply.unknown or Again(reply.refused, code="SYN403")


_MISSING = "the record is gone: "


def _set(row: Row, plan: WritePlan, verb: Literal["update", "upsert"], at: Known, key: str) -> Writing:
    """Sets the values of a record; over a version that isn't the newest as `conflicts` says."""
    for _ in range(_TRIES):
        at = yield from _versioned(row, plan, verb, at)
        reply = yield Step(verb, row, at.id, at.version, key)
        if reply.unknown is not None:
            raise reply.unknown
        if not reply.refused:
            made = verb == "upsert" and reply.status == 201
            return _done("inserted" if made else "updated", row, reply.id or at.id, reply.version)
        if reply.status in _GONE and verb == "update":
            return Result("refused", why=_MISSING + reply.refused)
        if reply.status not in plan.spec.stale or "read" not in plan:
            return _refused(reply)
        read = yield Step("read", row, at.id)
        if read.unknown is not None:
            raise read.unknown
        if read.status in _GONE and verb == "upsert":
            at = Known()  # it was deleted since: there is no version to be newer than
            continue
        if read.refused:
            return Result("refused", why=_MISSING + read.refused) if read.status in _GONE else _refused(reply)
        if same(row.values, read.record):
            # Our own earlier attempt, or somebody who had the same in mind.
            return _done("updated", row, at.id, read.version)
        if plan.spec.conflicts == "reject":
            return Result("refused", why=f"it was changed by others since it was last written ({reply.refused})")
        at = replace(at, version=read.version)
    return _refused(reply)


def _versioned(row: Row, plan: WritePlan, verb: str, at: Known) -> Generator[Step, Reply, Known]:
    """With a version, where the request's templates read one that isn't known yet and `read` can tell it."""
    if at.version or not at.id or "read" not in plan or "version" not in plan.calls[verb].names:
        return at
    read = yield Step("read", row, at.id)
    if read.unknown is not None:
        raise read.unknown
    return at if read.refused else replace(at, version=read.version)
