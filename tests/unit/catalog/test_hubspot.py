"""HubSpot's search as its guide describes it, in memory: past its bound of 10,000, and while records change, none is lost."""

from __future__ import annotations

import datetime as dt
import json
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from syncline.connectors.rest.reading.source import RestSource
from syncline.kinds.record import logical_schema
from syncline.sdk.source import SourceRequest
from tests.rest_streams import FakeClock, FunctionTransport, answer, read, rows
from tests.unit.catalog.test_vendors import instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.sdk.batch import Batch, Position
    from syncline.sdk.http import Request, Response

MODIFIED = "lastmodifieddate"
COMPARE = {"GT": operator.gt, "GTE": operator.ge, "LT": operator.lt}


@dataclass
class Search:
    """Contacts by id, with the milliseconds at which each was changed last. `between` is called after each answer."""

    changed: dict[int, int] = field(default_factory=dict)
    between: Callable[[], None] = lambda: None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        assert (request.method, request.url.rpartition("/")[2]) == ("POST", "search")
        body = json.loads(request.body)
        self.asked.append(body)
        [group] = body["filterGroups"]
        found = sorted(self.changed)
        for condition in group["filters"]:
            compare, bound = COMPARE[condition["operator"]], int(condition["value"])
            values = {MODIFIED: self.changed, "hs_object_id": {n: n for n in found}}[condition["propertyName"]]
            found = [n for n in found if compare(values[n], bound)]
        assert body["sorts"] == [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        start, limit = int(body["after"]), body["limit"]
        if start + limit > 10_000 or limit > 200:
            return answer({"status": "error", "category": "VALIDATION_ERROR"}, status=400)
        page = found[start : start + limit]
        following = {"paging": {"next": {"after": str(start + limit)}}} if start + limit < len(found) else {}
        self.between()
        return answer({"total": len(found), "results": [self._record(n) for n in page], **following})

    def _record(self, number: int) -> dict[str, Any]:
        at = dt.datetime.fromtimestamp(self.changed[number] / 1000, dt.UTC).isoformat(timespec="milliseconds")
        at = at.replace("+00:00", "Z")
        return {"id": str(number), "updatedAt": at, "properties": {MODIFIED: at, "email": f"c{number}@example.com"}}


def contacts(api: Search, clock: FakeClock, position: Position | None = None) -> list[Batch]:
    """An incremental read of the contacts."""
    made = instance("hubspot")
    declared = made.connector.streams["contacts"]  # type: ignore[attr-defined]  # a rest connector
    schema = logical_schema(declared.record_schema, declared.key)
    request = SourceRequest("contacts", schema, (), incremental=True, batch_rows=5_000)
    return read(RestSource(made, request, transport=FunctionTransport(api), clock=clock, chance=lambda: 1.0), position)


def ids(batches: list[Batch]) -> list[int]:
    return [int(row["id"]) for row in rows(batches)]


def test_more_records_than_a_search_gives_are_read():
    """12,345 contacts changed in the same millisecond, as an import leaves them: each comes once, none is refused."""
    clock = FakeClock()
    api = Search(dict.fromkeys(range(1, 12_346), 1_690_000_000_000))

    batches = contacts(api, clock)

    assert ids(batches) == list(range(1, 12_346))
    assert len(api.asked) == 62
    assert ids(contacts(api, clock, batches[1].position)) == ids(batches[2:])


def test_the_next_read_brings_what_changed():
    """Only contacts that changed since, or a few minutes before the last cursor, are asked for and come."""
    clock = FakeClock()
    now = int(clock.now() * 1000)
    api = Search({n: now - 86_400_000 + n for n in range(1, 1_000)} | {1_000: now - 1_000})
    first = contacts(api, clock)
    clock.sleep(3_600)
    api.changed |= {7: now + 60_000, 2_000: now + 60_001, 3_000: now + 60_002}

    second = contacts(api, clock, first[-1].position)

    assert ids(second) == [7, 1_000, 2_000, 3_000]
    assert api.asked[-1]["filterGroups"][0]["filters"][0]["value"] == str(now - 1_000 - 300_000)
    assert api.asked[-1]["properties"] == ["email", "firstname", MODIFIED]


def test_records_that_change_while_they_are_read_are_not_lost():
    """After each page, contacts of pages that were read and that weren't change: two reads have all in their last state."""
    clock = FakeClock()
    now = int(clock.now() * 1000)
    api = Search({n: now - 86_400_000 + n for n in range(1, 1_501)})
    step = 0

    def change() -> None:
        nonlocal step
        step += 1
        clock.sleep(1)
        for number in (step * 200 - 50, step * 200 + 50, 1_500 - step):
            if number in api.changed:
                api.changed[number] = int(clock.now() * 1000)

    api.between = change
    first = contacts(api, clock)
    api.between = lambda: None
    clock.sleep(600)
    second = contacts(api, clock, first[-1].position)

    last = {int(row["id"]): row["properties"][MODIFIED] for row in rows(first) + rows(second)}
    assert step > 5
    assert last == {n: row["properties"][MODIFIED] for n in api.changed for row in [api._record(n)]}
