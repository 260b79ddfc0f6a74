"""Writing to Kinto: PUT by key, If-Match and 412, and its batches of requests."""

from __future__ import annotations

import pytest

from syncline.model.secret import Secret
from syncline.sdk.destination import Sent, Written
from syncline.sdk.http import TransportError
from syncline.sdk.source import Credentials
from tests.peers.web import ask
from tests.peers.writing import Between, Stream

ALONE = """
streams:
  items:
    get: RECORDS
    write:
      id: body.data.id
      version: headers.etag
      conflicts: CONFLICTS
      upsert:
        put: "RECORDS/{{ record.id }}"
        headers: {If-Match: "{{ version }}"}
        body: {data: "{{ record }}"}
      read: {get: "RECORDS/{{ record.id }}", record: body.data}
"""
TOGETHER = """
streams:
  items:
    get: RECORDS
    write:
      upsert:
        post: /batch
        batch:
          size: 25
          into: body.requests
          each: {method: PUT, path: "/v1RECORDS/{{ record.id }}", body: {data: "{{ record }}"}}
          results: body.responses
          id: body.data.id
          failed: "status >= `400`"
          message: body.message
"""
#: Each request of a batch has the version of its record, and a status of its own.
VERSIONED = """
streams:
  items:
    get: RECORDS
    write:
      conflicts: CONFLICTS
      upsert:
        post: /batch
        batch:
          size: 25
          into: body.requests
          each:
            method: PUT
            path: "/v1RECORDS/{{ record.id }}"
            headers: {If-Match: "{{ version | default('*') }}"}
            body: {data: "{{ record }}"}
          results: body.responses
          id: body.data.id
          version: headers.ETag
          status: status
          message: body.message
      read: {get: "RECORDS/{{ record.id }}", record: body.data, version: headers.etag}
"""


def stream(kinto, name: str, connector: str, conflicts: str = "retry") -> tuple[Stream, str]:
    """A stream into a new collection, and the path of its records."""
    records = kinto.collection("writes", name)
    text = connector.replace("RECORDS", records).replace("CONFLICTS", conflicts)
    credentials = Credentials("basic", {"username": kinto.user}, {"password": Secret(kinto.password)})
    return Stream(text, kinto.url, {"id": "string", "n": "integer", "price": "decimal(12,2)"}, credentials), records


def values(kinto, records: str) -> dict[str, int]:
    """Every record's `n`, over all pages."""
    answer = kinto.ask("GET", records)
    found: dict[str, int] = {}
    while True:
        found |= {row["id"]: row["n"] for row in answer.ok()["data"]}
        if "next-page" not in answer.headers:
            return found
        answer = ask("GET", answer.headers["next-page"], basic=(kinto.user, kinto.password))


def test_records_are_put_by_key(kinto):
    """Records are created, left alone and changed by their key; an id that Kinto refuses is a reject with its words."""
    into, records = stream(kinto, "put", ALONE)

    assert into.upsert(("a", 1, "1.50"), ("b", 2, "2")) == Sent(Written(2))
    sent = into.upsert(("a", 1, "1.50"), ("b", 3, "2"), ("not an id!", 4, "0"))

    assert sent.written == Written(0, 1, 1)
    assert [r.row for r in sent.refused] == [2]
    assert "status 400" in sent.refused[0].message
    assert values(kinto, records) == {"a": 1, "b": 3}


@pytest.mark.parametrize(("conflicts", "left"), [("retry", 2), ("reject", 9)])
def test_a_412_is_a_conflict(kinto, conflicts, left):
    """Somebody else's change is seen by the ETag: it is written over, or the record is a reject."""
    into, records = stream(kinto, f"conflict-{conflicts}", ALONE, conflicts)
    into.upsert(("a", 1, "1"))
    kinto.put(records, "a", n=9)

    sent = into.upsert(("a", 2, "1"))

    assert values(kinto, records) == {"a": left}
    assert bool(sent.refused) is (conflicts == "reject")


def test_a_412_of_our_own_is_none(kinto):
    """A change that arrived and whose answer was lost meets its own version, and counts as written once."""
    into, records = stream(kinto, "own", ALONE, "reject")
    into.upsert(("a", 1, "1"))
    lost: list[bool] = []

    class Losing(Between):
        def send(self, request, timeout):
            answer = super().send(request, timeout)
            if request.method == "PUT" and not lost:
                lost.append(True)
                raise TransportError("the answer ended early", "connection")
            return answer

    assert into.upsert(("a", 2, "1"), through=Losing()) == Sent(Written(0, 1))
    assert values(kinto, records) == {"a": 2}


def test_batches_have_a_result_each(kinto):
    """Thirty records go in two requests of 25 and 5, and the one that Kinto refuses is the only reject."""
    into, records = stream(kinto, "together", TOGETHER)
    rows = [(f"r{n}", n, "1") for n in range(29)]
    through = Between()

    sent = into.upsert(*rows[:10], ("no id!", 0, "1"), *rows[10:], through=through)

    assert [r.row for r in sent.refused] == [10]
    assert len(through.sent) == 2
    assert values(kinto, records) == {name: n for name, n, _ in rows}


@pytest.mark.parametrize(
    ("conflicts", "left", "requests"), [("retry", 2, ["POST", "GET", "POST"]), ("reject", 9, ["POST", "GET"])]
)
def test_a_412_in_the_middle_of_a_batch(kinto, conflicts, left, requests):
    """
    One of five records was changed by somebody else: Kinto refuses that one by its ETag and takes the others. It is
    written over, or it is the only reject.
    """
    into, records = stream(kinto, f"versions-{conflicts}", VERSIONED, conflicts)
    for name in "abcde":
        kinto.put(records, name, n=0)
    into.upsert(*[(name, 1, "1") for name in "abcde"])
    kinto.put(records, "c", n=9)
    through = Between()

    sent = into.upsert(*[(name, 2, "1") for name in "abcde"], through=through)

    assert values(kinto, records) == {"a": 2, "b": 2, "c": left, "d": 2, "e": 2}
    assert [r.row for r in sent.refused] == ([2] if conflicts == "reject" else [])
    assert [asked.method for asked in through.sent] == requests
