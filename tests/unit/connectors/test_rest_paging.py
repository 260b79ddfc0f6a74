"""Every way of paging against a real server: all records once, from any position, with the places they came from."""

from __future__ import annotations

import json
from itertools import islice
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from syncline.model.secret import Secret
from syncline.sdk.source import Credentials
from tests.api_server import Asked, Reply, api_server, pages
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source

WAYS = {
    "cursor": "{cursor: next, into: query.cursor}",
    "page": "{page: query.page}",
    "offset": "{offset: query.offset}",
    "next": "{next: next}",
    "link": "{link: next}",
}


def connector(way: str) -> str:
    return f"""
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: {WAYS[way]}
    schema: {{properties: {{id: {{type: integer}}, name: {{type: string}}}}}}
"""


RECORDS = [{"id": n, "name": f"n{n}"} for n in range(1, 24)]


@pytest.mark.parametrize("way", WAYS)
def test_all_records_come_once(way):
    """Each way of paging gives all records, once and in order, over several pages."""
    with api_server(pages(RECORDS, 5, way)) as api:
        batches = read(source(instance(connector(way), url=api.url)))
    assert rows(batches) == RECORDS
    assert len(api.asked) == (6 if way in {"page", "offset"} else 5)


@pytest.mark.parametrize("way", WAYS)
def test_bearer_goes_with_each_page(way):
    """The token goes with every request, and is in no place and no position."""
    bearer = Credentials("bearer", {}, {"token": Secret("canary-7f3a")})
    with api_server(pages(RECORDS, 10, way)) as api:
        batches = read(source(instance(connector(way), url=api.url, credentials=bearer)))
    assert {asked.headers["authorization"] for asked in api.asked} == {"Bearer canary-7f3a"}
    assert "canary" not in repr([(b.spans, b.position) for b in batches])


@pytest.mark.parametrize("way", WAYS)
def test_any_position_resumes(way):
    """Reading again from the position of any batch gives exactly the records after it."""
    with api_server(pages(RECORDS, 4, way)) as api:
        made = instance(connector(way), url=api.url)
        batches = read(source(made, batch_rows=4))
        assert len(batches) > 5
        for index, batch in enumerate(batches):
            rest = read(source(made, batch_rows=4), batch.position)
            assert rows(rest) == rows(batches[index + 1 :])


@pytest.mark.parametrize("way", WAYS)
@given(count=st.integers(0, 40), size=st.integers(1, 12))
def test_any_page_size(way, count, size):
    """Whatever the number of records and the size of pages, every record comes exactly once."""
    handler = pages([{"id": n, "name": ""} for n in range(count)], size, way)
    transport = FunctionTransport(lambda request: _through(handler, request))
    batches = read(source(instance(connector(way)), transport=transport))
    assert [row["id"] for row in rows(batches)] == list(range(count))


@given(sizes=st.lists(st.integers(0, 7), min_size=1, max_size=12))
def test_short_and_empty_pages_do_not_end_cursor_paging(sizes):
    """A cursor decides when a listing ends: pages may be of any size, and empty in the middle."""
    starts = [sum(sizes[:n]) for n in range(len(sizes) + 1)]

    def page(request):
        at = int(request.url.partition("cursor=")[2] or 0)
        data = [{"id": n, "name": ""} for n in range(starts[at], starts[at + 1])]
        return answer({"data": data, "next": at + 1 if at + 1 < len(sizes) else None})

    batches = read(source(instance(connector("cursor")), transport=FunctionTransport(page)))
    assert [row["id"] for row in rows(batches)] == list(range(sum(sizes)))


def test_places_name_the_request_and_the_record():
    """A record's place is its request and its number on the page."""
    with api_server(pages(RECORDS, 10, "cursor")) as api:
        [batch] = read(source(instance(connector("cursor"), url=api.url)))
    assert batch.places([0, 9, 10, 22]) == [
        "GET /items#1",
        "GET /items#10",
        "GET /items?cursor=10#1",
        "GET /items?cursor=20#3",
    ]


def test_last_expression_ends_paging():
    """`last` ends a listing even where another page would be there."""
    text = connector("page").replace("{page: query.page}", "{page: query.page, start: 0, last: done}")

    def handler(asked):
        page = int(asked.query["page"])
        return Reply({"data": [{"id": page}], "done": page == 2})

    with api_server(handler) as api:
        batches = read(source(instance(text, url=api.url)))
    assert [row["id"] for row in rows(batches)] == [0, 1, 2]


def test_size_goes_where_declared():
    """The page size is asked for at its place."""
    text = connector("cursor").replace("query.cursor}", "query.cursor, size: {query.limit: 7}}")
    with api_server(pages(RECORDS, 7, "cursor")) as api:
        read(source(instance(text, url=api.url)))
    assert {asked.query["limit"] for asked in api.asked} == {"7"}


def test_paging_in_a_body():
    """A POST listing has its cursor and size in the JSON body."""
    text = connector("cursor").replace("get: /items", "post: /search\n    body: {filter: {state: open}}")
    text = text.replace("query.cursor}", "body.page.after, size: {body.page.size: 2}}")

    def handler(asked):
        body = json.loads(asked.body)
        assert body["filter"] == {"state": "open"}
        assert body["page"]["size"] == 2
        after = int(body["page"].get("after", 0))
        return Reply({"data": [{"id": after}], "next": after + 1 if after < 3 else None})

    with api_server(handler) as api:
        batches = read(source(instance(text, url=api.url)))
    assert [row["id"] for row in rows(batches)] == [0, 1, 2, 3]
    assert {asked.method for asked in api.asked} == {"POST"}


@pytest.mark.parametrize("way", ["cursor", "next"])
def test_a_loop_is_an_error(way):
    """A cursor or URL that comes a second time ends the read with SYN420, after what was good."""

    def handler(asked):
        at = int(asked.query.get("cursor", "0"))
        following = (at + 1) % 3
        return Reply(
            {
                "data": [{"id": len(api.asked)}],
                "next": str(following) if way == "cursor" else f"/items?cursor={following}",
            }
        )

    with api_server(handler) as api:
        opened = source(instance(connector(way), url=api.url))
        with pytest.raises(Invalid) as caught:
            read(opened)
    assert caught.value.code == "SYN420"
    assert len(api.asked) < 6


def endless(records, way="page", decode="json"):
    """An API that has these pages of records again and again, and says a new thing around them in every answer."""

    def handler(_):
        number = len(asked)
        asked.append(number)
        assert number < 50, "nothing ends it"
        found = records[number % len(records)]
        if decode == "jsonl":
            return answer("".join(json.dumps(record) + "\n" for record in found).encode())
        following = f"/items?cursor={number}" if way == "next" else None
        return answer({"request_id": number, "data": found, "next": following, "took": number / 7})

    asked: list[int] = []
    return FunctionTransport(handler), asked


SHAPED = "filter: id != `0`"


@pytest.mark.parametrize("way", ["page", "offset", "next"])
@pytest.mark.parametrize("records", ["data[]", "data", "data[?id > `0`]", "data[].{id: id, name: name}"])
def test_a_repeated_page_is_an_error(way, records):
    """An API that ignores the paging parameter is found out at its second page, whatever it says around the records."""
    transport, asked = endless([RECORDS], way)
    text = connector(way).replace("records: data[]", f'records: "{records}"\n    {SHAPED}')
    with pytest.raises(Invalid, match="the page has the same records as the one before it") as caught:
        read(source(instance(text), transport=transport))
    assert caught.value.code == "SYN421"
    assert len(asked) == 2


@pytest.mark.parametrize("way", ["page", "offset", "next"])
@pytest.mark.parametrize("count", [2, 3, 9])
def test_pages_that_start_over_are_an_error(way, count):
    """An API that comes back to its first page, by turns or past the end, is found out there."""
    chunks = [[{"id": n, "name": "a"}, {"id": -n, "name": "b"}] for n in range(1, count + 1)]
    transport, asked = endless(chunks, way)
    with pytest.raises(Invalid, match="the page has the same records as the first one") as caught:
        read(source(instance(connector(way)), transport=transport))
    assert caught.value.code == "SYN421"
    assert len(asked) == count + 1


def test_lines_that_start_over_are_an_error():
    """Records that stand in lines are told apart by them."""
    transport, asked = endless([[{"id": 1, "name": "a"}], [{"id": 2, "name": "b"}]], decode="jsonl")
    text = connector("page").replace("records: data[]", "decode: jsonl")
    with pytest.raises(Invalid, match="same records as the first one"):
        read(source(instance(text), transport=transport))
    assert len(asked) == 3


def test_pages_that_differ_in_what_is_not_read_are_no_repetition():
    """Pages are compared by all of their records: what the schema leaves out tells them apart, too."""
    chunks = [[{"id": 1, "name": "a", "at": n}] for n in range(8)] + [[]]
    transport, asked = endless(chunks)
    read(source(instance(connector("page")), transport=transport))
    assert len(asked) == 9


@pytest.mark.parametrize("way", ["page", "offset", "next"])
def test_a_position_goes_on_knowing_the_first_page(way):
    """A read that goes on from a position finds out a listing that starts over; one of an earlier version is read, too."""
    chunks = [[{"id": n, "name": "a"}] for n in range(1, 5)]
    transport, asked = endless(chunks, way)
    reading = source(instance(connector(way)), transport=transport, batch_rows=1).read(None)
    position = [batch.position for batch in islice(reading, 3)][-1]

    for earlier, count in ((False, 5), (True, 8)):
        place = json.loads(json.dumps(position))
        if earlier:
            del place["pass"]["page"]["first"]
            place["pass"]["page"]["digest"] = "ab" * 32
        asked[:] = [0, 1, 2]
        with pytest.raises(Invalid, match="same records as the first one"):
            read(source(instance(connector(way)), transport=transport), place)
        assert len(asked) == count


def test_good_pages_before_a_failure_are_handed_over():
    """What was read before a failure is yielded, and its position leads to the page that failed."""

    def handler(asked):
        at = int(asked.query["page"])
        return Reply({"data": [{"id": at}]}) if at < 4 else Reply({"error": "no"}, status=400)

    with api_server(handler) as api:
        opened = source(instance(connector("page"), url=api.url))
        batches = opened.read(None)
        got = [next(batches)]
        with pytest.raises(Invalid, match=r"GET /items\?page=4: status 400"):
            next(batches)
        opened.close()
    assert [row["id"] for row in rows(got)] == [1, 2, 3]
    assert got[-1].position["pass"]["page"]["page"] == 4


def test_next_page_at_another_host_is_refused():
    """The next page must be at the same origin: credentials go nowhere else."""
    with api_server(lambda _: Reply({"data": RECORDS, "next": "http://evil.example/items"})) as api:
        opened = source(instance(connector("next"), url=api.url))
        with pytest.raises(Invalid) as caught:
            read(opened)
    assert caught.value.code == "SYN406"


def _through(handler, request):
    parts = urlsplit(request.url)
    reply = handler(Asked(request.method, parts.path, dict(parse_qsl(parts.query)), {}, request.body))
    return answer(reply.body, reply.status, **{k.lower(): v for k, v in reply.headers.items()})
