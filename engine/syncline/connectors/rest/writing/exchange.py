"""Sends the steps of records, alone or together, and tells each what was answered about it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.rest.exchange.client import Client
from syncline.connectors.rest.writing.judge import Judged, WriteJudge
from syncline.connectors.rest.writing.plan import BatchPlan, Call, Step
from syncline.connectors.rest.writing.record import Reply
from syncline.model.errors import Again, Invalid, foreign
from syncline.sdk.formats.json_document import excerpt
from syncline.sdk.http import Request

#: Refusals of a whole batch after which its halves are tried, so that one bad record doesn't stop the others.
_DIVISIBLE = frozenset({400, 409, 413, 422})
#: The rate limit is used up: nothing was done, whatever the request is.
_THROTTLED = "SYN404"
#: Statuses of a record among others that say nothing about it (RFC 9110, section 15.5.9; RFC 6585).
_PASSING = frozenset({408, 429})
#: What a record holds can't be sent as it is declared: it is about this record, and nothing was asked.
_UNSENDABLE = "SYN499"
_NO_STATUS = 0


class Exchange:
    """Asks for steps. Several threads may use it at once, as far as its client allows."""

    def __init__(self, client: Client, judge: WriteJudge, config: Mapping[str, Any]) -> None:
        self._client = client
        self._judge = judge
        self._config = config

    def ask(self, call: Call, steps: Sequence[Step]) -> list[Reply]:
        """A reply for each step. Raises what isn't about these records."""
        try:
            request = call.build(steps, self._config, self._client.now())
        except Invalid as error:
            if error.code != _UNSENDABLE:
                raise
            return [Reply(_NO_STATUS, refused=error.message)] * len(steps)
        place = _Place(self._client, request)
        try:
            answer = self._client.fetch(request, judge=self._judge, repeat=call.repeatable)
        except Again as error:
            if error.code == _THROTTLED:
                raise
            return [Reply(unknown=error)] * len(steps)
        assert isinstance(answer, Judged)
        if request.method != "GET" and answer.url != request.url:
            # A redirected POST becomes a GET (RFC 9110, section 15.4), whose answer says nothing about a write.
            elsewhere = foreign(ascii(self._client.hide(answer.url)[:200]))
            raise _unfit(f"{place.told}: the write was redirected to {elsewhere}")
        if answer.refused:
            answer = replace(answer, refused=f"{place.shown}: {answer.refused}")
        if call.batch is None:
            return [_reply(call, answer, place)]
        if answer.refused:
            return self._divided(call, steps, answer)
        return _results(call, call.batch, steps, answer, place)

    def _divided(self, call: Call, steps: Sequence[Step], answer: Judged) -> list[Reply]:
        if len(steps) == 1 or answer.status not in _DIVISIBLE:
            return [Reply(answer.status, refused=answer.refused)] * len(steps)
        middle = len(steps) // 2
        return [*self.ask(call, steps[:middle]), *self.ask(call, steps[middle:])]


class _Place(Struct, frozen=True):
    """A request in messages; most have none."""

    client: Client
    request: Request

    @property
    def shown(self) -> str:
        """For who may see values of records."""
        return self.client.place(self.request)

    @property
    def told(self) -> str:
        """For the message of an error."""
        return self.client.told_place(self.request)


def _reply(call: Call, answer: Judged, place: _Place) -> Reply:
    if answer.refused:
        return Reply(answer.status, refused=answer.refused)
    version = _text(answer.search(call.version))
    record = answer.search(call.record)
    if call.verb != "find":
        found = _text(answer.search(call.id))
        if call.verb == "create" and call.id is not None and not found:
            return Reply(
                answer.status, unknown=_unfit(f"{place.told}: the answer doesn't say which id the new record has")
            )
        return Reply(answer.status, found, version, record)
    ids = answer.search(call.id)
    listed = ids if isinstance(ids, list) else [ids]
    texts = tuple(_text(one) for one in listed if one is not None)
    if not all(texts):
        return Reply(
            answer.status, unknown=_unfit(f"{place.told}: what is found has ids that are neither text nor number")
        )
    return Reply(answer.status, version=version, record=record, ids=texts)


def _results(call: Call, batch: BatchPlan, steps: Sequence[Step], answer: Judged, place: _Place) -> list[Reply]:
    """What the answer to a batch says of each of its records."""
    if batch.results is None:
        return [Reply(answer.status)] * len(steps)
    results = answer.search(batch.results)
    if not isinstance(results, list):
        error = _unfit(f"{place.told}: expected a list of results, got {foreign(ascii(excerpt(answer.body))[:80])}")
        return [Reply(answer.status, unknown=error)] * len(steps)
    if batch.match is None:
        if len(results) != len(steps):
            error = _unfit(f"{place.told}: {len(results)} results came for {len(steps)} records")
            return [Reply(answer.status, unknown=error)] * len(steps)
        return [_result(call, batch, result, answer, place) for result in results]
    assert batch.key is not None
    told: dict[str, deque[Any]] = {}
    for result in results:
        told.setdefault(_text(batch.match.search(result)), deque()).append(result)
    keys = [batch.key.render({"record": step.row.texts, "idempotency_key": step.key, "id": step.id}) for step in steps]
    counts = Counter(keys)
    # Results of one key are in the order of its records. With more or fewer of them, nobody knows whose one is.
    fits = {key: bool(key) and len(told.get(key, ())) == count for key, count in counts.items()}
    replies = []
    for key in keys:
        if fits[key]:
            replies.append(_result(call, batch, told[key].popleft(), answer, place))
        else:
            said = f"{len(told.get(key, ()))} results for {counts[key]} records of one key" if key else "no key"
            replies.append(Reply(answer.status, unknown=_unfit(f"{place.told}: a record has {said} in the answer")))
    return replies


def _result(call: Call, batch: BatchPlan, result: Any, answer: Judged, place: _Place) -> Reply:
    status = answer.status
    if batch.status is not None:
        given = _text(batch.status.search(result))
        if not (given.isdecimal() and given.isascii() and len(given) == 3):
            return Reply(
                status, unknown=_unfit(f"{place.told}: a result has no status, which batch.status should find")
            )
        status = int(given)
    if status >= 400 or (batch.failed is not None and batch.failed.search(result)):
        said = _text(batch.message.search(result)) if batch.message is not None else ""
        words = said or ("the API refuses this record" if batch.status is None else f"status {status}")
        if status in _PASSING or status >= 500:
            return Reply(status, unknown=Again(f"{place.told}: {foreign(words)}"[:500], code="SYN403"))
        return Reply(status, refused=f"{place.shown}: {words}"[:500])
    found = _text(call.id.search(result)) if call.id is not None else ""
    if call.verb == "create" and call.id is not None and not found:
        return Reply(status, unknown=_unfit(f"{place.told}: a result doesn't say which id the new record has"))
    return Reply(status, found, _text(call.version.search(result)) if call.version is not None else "")


def _unfit(message: str) -> Invalid:
    return Invalid(
        message,
        code="SYN522",
        help="Compare `write` of the stream with the vendor's documentation. The records may have been written.",
    )


def _text(value: Any) -> str:
    """An id or version as text: what is neither text nor a whole number isn't one."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
