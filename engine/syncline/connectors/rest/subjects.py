"""The `rest` runtime, asked about people: to find and to delete their records, or to have the API erase them by itself.

Nothing that an API answers is taken over but its status and what it calls a request: bodies and URLs may name the
person, and what is said here comes on a certificate.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from syncline.connectors.rest.exchange.opening import open_client
from syncline.connectors.rest.exchange.request import base_url, connector_of
from syncline.connectors.rest.writing.destination import place_of
from syncline.connectors.rest.writing.exchange import Exchange
from syncline.connectors.rest.writing.judge import WriteJudge
from syncline.connectors.rest.writing.plan import Step, WritePlan
from syncline.connectors.rest.writing.record import Reply, delete
from syncline.connectors.rest.writing.values import Row, key_digest
from syncline.kinds.write import Writes
from syncline.model.errors import Invalid, SynclineError
from syncline.model.ledger import Known
from syncline.model.spelling import without
from syncline.sdk.source import Instance, plain
from syncline.sdk.subject_requests import Acknowledged, Person
from syncline.sdk.subject_rows import MOST_ROWS, too_many

if TYPE_CHECKING:
    from syncline.connectors.rest.writing.plan import Call
    from syncline.sdk.http import Transport

_GONE: Final = frozenset({404, 410})
#: The verb that a request to erase by itself is compiled as: it sends the person's field unless it says otherwise.
_REQUEST: Final = "create"


class RestSubjects:
    """See `SubjectRequests`. The transport is a parameter for tests: a real one by default."""

    def __init__(self, instance: Instance, *, transport: Transport | None = None) -> None:
        self._spec, self._http = connector_of(instance)
        self._ledger = instance.ledger
        self._base = base_url(instance, self._http)
        self._config = plain(instance.config)
        self._client = open_client(instance, transport=transport)
        judge = WriteJudge(self._http.errors, self._client.judge, self._client.hide)
        self._exchange = Exchange(self._client, judge, self._config)

    def unable(self, stream: str, person: Person) -> str:
        """Why the API can't be asked about such a person; empty where it can."""
        plan = self._plan(stream)
        if plan is None:
            return f"stream {stream!r} declares neither `erase` nor `write.delete`"
        if not {"delete", _REQUEST} & plan.calls.keys():
            return f"stream {stream!r} declares no request that deletes"
        for call in plan.calls.values():
            step = Step(call.verb, _row(person), "id", "version", "key")
            try:
                call.build([step], self._config, self._client.now())
            except Invalid as error:
                if error.code != "SYN431":
                    raise
                return f"its requests need more of a record of stream {stream!r} than {person.column}"
        by_id = "delete" in plan and "id" in plan.calls["delete"].names
        if by_id and "find" not in plan and not person.key:
            return f"stream {stream!r} deletes by ids, and declares no request that finds them by {person.column}"
        return ""

    def find(self, stream: str, person: Person) -> list[dict[str, Any]]:
        """What the API has of the person; nothing where it declares no request that finds."""
        plan = self._able(stream, person)
        if "find" not in plan:
            return []
        reply = self._found(plan, person, stream)
        match reply.record:
            case list() as records:
                return [one if isinstance(one, dict) else {"record": one} for one in records]
            case dict() as record:
                return [record]
            case _:
                return [{"id": one} for one in reply.ids]

    def erase(self, stream: str, person: Person) -> Acknowledged:
        """Deletes what is found until nothing more is, then has the API erase by itself, as far as it is declared."""
        plan = self._able(stream, person)
        words: Counter[str] = Counter()
        deleted, left = 0, 0
        if "delete" in plan:
            if "find" in plan:
                deleted, left = self._all(plan, stream, person, words)
            else:
                deleted = self._deleted(plan, stream, person, self._known(stream, person), words)
        # Who deletes by the field and finds nothing by it may have left some, such as those of a second page.
        unsure = "find" not in plan and not person.key
        told = [f"{what}, {count} times" if count > 1 else what for what, count in words.items()]
        if _REQUEST in plan:
            call = plan.calls[_REQUEST]
            reply = self._taken(call, Step(_REQUEST, _row(person), key=person.again), stream)
            told_apart = reply.id and reply.id == without(reply.id, str(person.value))  # it may name the person
            name = f", as {reply.id!a}" if told_apart else ""
            told.append(f"{call.request.method} to erase by itself: {reply.status}{name}")
        return Acknowledged(deleted, left, "; ".join(told), later=_REQUEST in plan or unsure)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def _all(self, plan: WritePlan, stream: str, person: Person, words: Counter[str]) -> tuple[int, int]:
        """Deletes everything that is found, while there is something new; how many, and how many are still found."""
        seen, deleted, by_id = set[str](), 0, "id" in plan.calls["delete"].names
        while True:
            ids = self._found(plan, person, stream).ids
            fresh = [one for one in dict.fromkeys(ids) if one not in seen]
            if not fresh:
                return (deleted if by_id else len(seen) - len(ids)), len(ids)
            for one in fresh if by_id else fresh[:1]:
                deleted += self._deleted(plan, stream, person, Known(one), words)
            seen.update(fresh)
            if len(seen) > MOST_ROWS:
                raise too_many(person.column, stream)

    def _deleted(self, plan: WritePlan, stream: str, person: Person, known: Known | None, words: Counter[str]) -> int:
        """Deletes one record, or all that one request does; 1 where it was there."""
        bare = WritePlan(plan.spec, {verb: call for verb, call in plan.calls.items() if verb != "find"})
        writing = delete(_row(person), bare, known, person.again, doubtful=False)
        status = 0
        try:
            step = next(writing)
            while True:
                reply = self._ask(bare.calls[step.verb], step)
                status = reply.status
                if step.verb == "delete":
                    words[f"{bare.calls['delete'].request.method}: {status}"] += 1
                step = writing.send(reply)
        except StopIteration as end:
            if end.value.did == "refused":
                raise _refused(stream, status) from None
            self._forget(stream, person, known)
            return 1 if end.value.did == "deleted" else 0

    def _found(self, plan: WritePlan, person: Person, stream: str) -> Reply:
        reply = self._ask(plan.calls["find"], Step("find", _row(person)))
        if reply.status in _GONE:
            return Reply(reply.status)
        if reply.refused:
            raise _refused(stream, reply.status)
        return reply

    def _taken(self, call: Call, step: Step, stream: str) -> Reply:
        reply = self._ask(call, step)
        if reply.refused:
            raise _refused(stream, reply.status)
        return reply

    def _ask(self, call: Call, step: Step) -> Reply:
        (reply,) = self._exchange.ask(call, [step])
        if reply.unknown is not None:
            raise reply.unknown
        return reply

    def _known(self, stream: str, person: Person) -> Known | None:
        """What is remembered of the record whose key the person is."""
        if self._ledger is None or not person.key:
            return None
        known = self._ledger.known(self._place(stream), _keys(person))
        return next(iter(known.values()), None)

    def _forget(self, stream: str, person: Person, known: Known | None) -> None:
        """Forgets what is remembered of a record that is gone: its digest is one of the person's values."""
        if self._ledger is None:
            return
        if known is not None and known.id:
            self._ledger.drop_ids(self._place(stream), [known.id])
        if person.key:
            self._ledger.drop(self._place(stream), _keys(person))

    def _place(self, stream: str) -> str:
        return place_of(stream, self._base, self._config)

    def _able(self, stream: str, person: Person) -> WritePlan:
        plan = self._plan(stream)
        if plan is None or (why := self.unable(stream, person)):
            raise Invalid(f"nobody can be erased there: {why}", code="SYN851")
        return plan

    def _plan(self, stream: str) -> WritePlan | None:
        declared = self._spec.streams.get(stream)
        if declared is None:
            return None
        erase, write = declared.erase, declared.write
        if erase is not None:
            spec = Writes(find=erase.find, delete=erase.delete, create=erase.request)
        elif write is not None and write.delete is not None:
            spec = write.model_copy(update={"create": None, "update": None, "upsert": None})
        else:
            return None
        return WritePlan.compile(spec, self._base, self._http, stream)


def _row(person: Person) -> Row:
    return Row(0, "", {person.column: person.value}, {person.column: person.value}, "")


def _keys(person: Person) -> list[str]:
    """The digests that a record of that key may have: a whole number may be written as a text."""
    return [key_digest({person.column: value}) for value in dict.fromkeys((person.value, str(person.value)))]


def _refused(stream: str, status: int) -> SynclineError:
    what = f" ({status})" if status else ""
    return Invalid(
        f"the API refused to erase somebody in stream {stream!r}{what}",
        code="SYN852",
        help="Erase the person there by hand, and acknowledge it; or correct `erase` in the connector.",
    )
