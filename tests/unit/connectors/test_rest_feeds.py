"""Totals and short pages, headers, spans that are halved, markers, descending feeds, formats of time, deleted records."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from tests.examples import examples
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source


def connector(*lines: str, errors: str = "[]", kind: str = "string", required: str = "[]") -> str:
    stream = "\n".join(f"    {line}" for line in lines)
    return f"""
http: {{errors: {errors}}}
streams:
  items:
    get: /items
    records: data[]
    key: [id]
{stream}
    schema: {{required: {required}, properties: {{id: {{type: integer}}, at: {{type: {kind}}}}}}}
"""


def opened(text, api, *, incremental=False, **parts):
    return source(instance(text), incremental=incremental, transport=FunctionTransport(api), **parts)


def ids(batches):
    return [row["id"] for row in rows(batches)]


def numbered(count, size, **more):
    """An API that numbers its pages and says what `more` says of each."""

    def api(request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        page = int(query.get("page", 1))
        found = [{"id": n} for n in range(count)][(page - 1) * size : page * size]
        return answer({"data": found, **more})

    return api


# --- totals and short pages


@pytest.mark.parametrize("way", ["page: query.page, total: total", "page: query.page, pages: pages"])
def test_a_total_ends_paging(way):
    """Where the answer says how many records or pages there are, no empty page is asked for."""
    transport = FunctionTransport(numbered(4, 2, total=4, pages="2"))
    made = source(instance(connector(f"page: {{{way}}}")), transport=transport)
    assert ids(read(made)) == [0, 1, 2, 3]
    assert len(transport.sent) == 2


@pytest.mark.parametrize(
    ("way", "more"),
    [
        ("page: query.page, total: total", {"total": 5}),
        ("page: query.page, pages: pages", {"pages": 3}),
        ("page: query.page, total: total, last: done", {"total": 9, "done": True}),
        ("cursor: next, into: query.c, total: total", {"total": 5}),
    ],
)
def test_fewer_than_there_are_is_an_error(way, more):
    """A listing that ends with less than the API says is refused, but what came is handed over."""
    found = []
    with pytest.raises(Invalid) as caught:
        found.extend(opened(connector(f"page: {{{way}}}"), numbered(4, 2, **more)).read(None))
    assert caught.value.code == "SYN476"


def test_a_total_in_a_header():
    """The total may be in a header; a position inside the listing still counts up to it."""

    def api(request):
        offset = int(dict(parse_qsl(urlsplit(request.url).query))["offset"])
        return answer({"data": [{"id": n} for n in range(5)][offset : offset + 2]}, x_total_count="5")

    text = connector("page: {offset: query.offset, total: {header: X-Total-Count}}")
    batches = read(opened(text, api, batch_rows=2))
    assert ids(batches) == [0, 1, 2, 3, 4]
    assert ids(read(opened(text, api, batch_rows=2), batches[0].position)) == [2, 3, 4]


def test_a_total_that_is_no_number_is_an_error():
    """What is declared as a total must be one; what it is instead is told nobody but who looks."""
    with pytest.raises(Invalid) as caught:
        read(opened(connector("page: {page: query.page, total: total}"), numbered(4, 2, total="many")))
    assert (caught.value.code, "many" in caught.value.message, "many" in caught.value.told) == ("SYN422", True, False)


def test_a_short_page_is_what_is_declared():
    """A page with fewer records than asked for goes on, ends the listing, or is refused, as declared."""
    asked = []
    api = numbered(3, 2)

    def watched(request):
        asked.append(request.url)
        return api(request)

    page = "page: {page: query.page, size: {query.limit: 2}, short: %s}"
    assert ids(read(opened(connector(page % "next"), watched))) == [0, 1, 2]
    assert len(asked) == 3
    asked.clear()
    assert ids(read(opened(connector(page % "last"), watched))) == [0, 1, 2]
    assert len(asked) == 2
    with pytest.raises(Invalid) as caught:
        read(opened(connector(page % "fail"), watched))
    assert caught.value.code == "SYN476"


@pytest.mark.parametrize("way", ["{next: {header: Next-Page}}", "{cursor: {header: X-Next}, into: query.cursor}"])
def test_headers_give_the_next_page(way):
    """The cursor or the URL of the next page may come in a header, as Kinto's Next-Page does."""

    def api(request):
        start = int(dict(parse_qsl(urlsplit(request.url).query)).get("cursor", 0))
        more: Any = {"next_page": f"/items?cursor={start + 2}", "x_next": str(start + 2)} if start < 4 else {}
        return answer({"data": [{"id": start}, {"id": start + 1}]}, **more)

    assert ids(read(opened(connector(f"page: {way}"), api))) == [0, 1, 2, 3, 4, 5]


# --- spans


SPLIT = """[{when: "body.error == 'too many'", do: split}]"""
SPAN = 'cursor: {field: at, start: "2024-01-01T00:00:00Z", into: {query.from: start, query.to: end}}'


def crowded(records, most):
    """An API that answers no span with more than `most` records. Both bounds are included."""
    asked = []

    def api(request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        found = [r for r in records if query["from"] <= r["at"] <= query["to"]]
        asked.append((query["from"], query["to"], len(found)))
        return answer({"error": "too many"}, 400) if len(found) > most else answer({"data": found})

    return api, asked


@settings(max_examples=examples(30), deadline=None)
@given(days=st.lists(st.integers(0, 60), max_size=30), most=st.integers(3, 10))
def test_spans_with_too_many_results_are_halved(days, most):
    """Every record comes exactly once, however its span has to be halved; and every position resumes."""
    records = [
        {
            "id": n,
            "at": f"{dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=d, minutes=n):%Y-%m-%dT%H:%M:%SZ}",
        }
        for n, d in enumerate(days)
    ]
    api, asked = crowded(records, most)
    clock = FakeClock(dt.datetime(2024, 4, 1, tzinfo=dt.UTC).timestamp())

    def whole(position=None):
        made = opened(connector(SPAN, errors=SPLIT), api, incremental=True, batch_rows=1, clock=clock)
        return read(made, position)

    batches = whole()
    assert sorted(ids(batches)) == list(range(len(days)))
    assert len(days) <= most or any(count > most for *_, count in asked)
    for index, batch in enumerate(batches):
        assert ids(whole(json.loads(json.dumps(batch.position)))) == ids(batches[index + 1 :])


def test_a_span_that_cannot_be_halved_is_an_error():
    """More results at one time than the API gives is an error that says so, not a loop."""
    api, asked = crowded([{"id": n, "at": "2024-01-05T00:00:00Z"} for n in range(9)], 4)
    clock = FakeClock(dt.datetime(2024, 2, 1, tzinfo=dt.UTC).timestamp())
    with pytest.raises(Invalid) as caught:
        read(opened(connector(SPAN, errors=SPLIT), api, clock=clock))
    assert caught.value.code == "SYN477"
    assert len(asked) < 60
    with pytest.raises(Invalid) as caught:
        read(opened(connector(errors=SPLIT), lambda _: answer({"error": "too many"}, 400)))
    assert caught.value.code == "SYN477"


# --- markers


MARKED = "cursor: {marker: sync, into: {query.sync: start}}"
RESTART = '[{when: "status == `410`", do: restart}]'


class Changes:
    """An API that gives what changed since a token: the number of changes so far."""

    def __init__(self) -> None:
        self.changes: list[dict[str, Any]] = [{"id": 1}, {"id": 2}, {"id": 3}]
        self.oldest = 0
        self.asked: list[str | None] = []

    def __call__(self, request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        self.asked.append(query.get("sync"))
        since = int(query.get("sync", 0))
        if query.get("sync") and since < self.oldest:
            return answer({"error": "expired"}, 410)
        start = int(query.get("page", since))
        end = min(start + 2, len(self.changes))
        last = end == len(self.changes)
        return answer(
            {"data": self.changes[start:end], "next": None if last else end, "sync": str(end) if last else None}
        )


def test_a_marker_is_sent_with_the_next_read():
    """What the answer gave is sent by the next read, which reads only what is new; and every position resumes."""
    api = Changes()
    text = connector(MARKED, "page: {cursor: next, into: query.page}", errors=RESTART)
    first = read(opened(text, api, incremental=True, batch_rows=1))
    assert ids(first) == [1, 2, 3]
    assert first[-1].position == {"v": 1, "cursor": "3", "seen": []}
    assert ids(read(opened(text, api, incremental=True, batch_rows=1), first[0].position)) == [3]
    api.changes += [{"id": 4}]
    api.asked.clear()
    second = read(opened(text, api, incremental=True), first[-1].position)
    assert ids(second) == [4]
    assert api.asked == ["3"]


def test_a_marker_that_is_no_longer_known_reads_everything_again():
    """A rule that says `restart` reads from the start, once; without a marker it is an error."""
    api = Changes()
    text = connector(MARKED, "page: {cursor: next, into: query.page}", errors=RESTART)
    first = read(opened(text, api, incremental=True))
    api.changes += [{"id": 4}]
    api.oldest = 4
    again = read(opened(text, api, incremental=True), first[-1].position)
    assert ids(again) == [1, 2, 3, 4]
    assert again[-1].position["cursor"] == "4"
    with pytest.raises(Invalid) as caught:
        read(opened(text, lambda _: answer({}, 410), incremental=True))
    assert caught.value.code == "SYN433"


def test_an_etag_says_that_nothing_changed():
    """An ETag goes back in If-None-Match; status 304 is no records, and the marker stays."""
    seen = []

    def api(request):
        seen.append(request.headers.get("If-None-Match"))
        if request.headers.get("If-None-Match") == '"v1"':
            return answer(b"", 304)
        return answer({"data": [{"id": 1}]}, etag='"v1"')

    text = connector("cursor: {marker: {header: ETag}, into: {headers.If-None-Match: start}}")
    first = read(opened(text, api, incremental=True))
    assert ids(first) == [1]
    assert read(opened(text, api, incremental=True), first[-1].position) == []
    assert seen == [None, '"v1"']
    with pytest.raises(Invalid) as caught:
        read(opened(connector(), lambda _: answer(b"", 304)))
    assert caught.value.code == "SYN405"


# --- descending feeds


FEED = "cursor: {field: at, order: descending}"


def feed(records, size=2):
    """An API that gives the newest first, in pages, and has no filter."""
    asked = []

    def api(request):
        page = int(dict(parse_qsl(urlsplit(request.url).query))["page"])
        asked.append(page)
        found = sorted(records, key=lambda r: r["at"], reverse=True)
        return answer({"data": found[(page - 1) * size : page * size]})

    return api, asked


def test_a_descending_feed_is_read_until_what_is_known():
    """Pages after the first known record aren't asked for; a kill before the end loses nothing."""
    records = [{"id": n, "at": f"2024-01-{n:02}"} for n in range(1, 10)]
    api, asked = feed(records)
    text = connector(FEED, "page: {page: query.page}")
    first = read(opened(text, api, incremental=True))
    assert ids(first) == list(range(9, 0, -1))
    records += [{"id": n, "at": f"2024-01-{n:02}"} for n in (10, 11, 12)]
    asked.clear()
    second = read(opened(text, api, incremental=True, batch_rows=1), first[-1].position)
    assert ids(second) == [12, 11, 10]
    assert asked == [1, 2, 3]
    # Killed after its first page: the next run still comes to the record that was the newest before.
    assert ids(read(opened(text, api, incremental=True), second[0].position)) == [10]
    assert second[0].position["cursor"] == "2024-01-09"
    assert read(opened(text, api, incremental=True), second[-1].position) == []


def test_a_feed_in_another_order_is_refused():
    """A feed that isn't sorted as declared would end early in silence: it is an error."""
    text = connector(FEED, "page: {page: query.page}")
    api, _ = feed([{"id": 1, "at": "2024-01-01"}])
    first = read(opened(text, api, incremental=True))
    mixed = [{"id": 1, "at": "2023-12-01"}, {"id": 2, "at": "2024-01-02"}]
    with pytest.raises(Invalid) as caught:
        read(opened(text, lambda _: answer({"data": mixed}), incremental=True), first[-1].position)
    assert caught.value.code == "SYN478"
    assert "2024-01-02" not in caught.value.told


# --- times and deleted records


def test_times_in_several_formats_compare_as_times():
    """Records may write their times in several ways; requests write them in one."""
    asked = []
    records = [
        {"id": 1, "at": "05.01.2024 10:00"},
        {"id": 2, "at": "1704535200"},  # 2024-01-06 10:00
        {"id": 3, "at": "2024-01-07T10:00:00Z"},
    ]

    def api(request):
        asked.append(dict(parse_qsl(urlsplit(request.url).query)).get("from"))
        return answer({"data": records})

    text = connector(
        'cursor: {field: at, formats: ["%d.%m.%Y %H:%M", epoch], into: {query.from: start}, format: "%Y%m%d"}'
    )
    first = read(opened(text, api, incremental=True))
    assert ids(first) == [1, 2, 3]
    records += [{"id": 4, "at": "08.01.2024 00:00"}, {"id": 5, "at": "01.01.2024 00:00"}, {"id": 6, "at": "soon"}]
    [second] = read(opened(text, api, incremental=True), first[-1].position)
    assert ids([second]) == [4]
    assert [bad.message for bad in second.malformed] == ["Expected `timestamp` as the cursor, got another text"]
    assert asked == [None, "20240107"]


def test_deleted_records_are_counted_and_not_loaded():
    """Records that are marked as deleted are no rows, even where they lack fields that others must have."""
    records = [{"id": 1, "at": "a"}, {"id": 2, "deleted": True}, {"id": 3, "at": "b", "deleted": False}]
    text = connector("deleted: deleted", required="[at]")
    [batch] = read(opened(text, lambda _: answer({"data": records})))
    assert ids([batch]) == [1, 3]
    assert (batch.skipped, batch.read, batch.malformed) == (1, 3, ())
    assert batch.places([0, 1]) == ["GET /items#1", "GET /items#3"]


# --- notices


def pages_of(*found):
    """An API with these pages."""

    def api(request):
        page = int(dict(parse_qsl(urlsplit(request.url).query))["page"])
        return answer({"data": found[page - 1] if page <= len(found) else []})

    return api


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ([{"id": 3, "at": "b", "colour": 1}, {"id": 4, "at": "b", "colour": 2}], "have come .*'colour'"),
        ([{"id": 3}, {"id": 4}], "are gone .*'at'"),
        ([{"id": 3, "at": "b", "colour": 1}, {"id": 4, "at": "b"}], None),
        ([{"id": 3}, {"id": 4, "at": "b"}], None),
    ],
    ids=["came", "gone", "some have one more", "some lack one"],
)
def test_a_schema_that_changes_between_pages_is_told_of(second, told):
    """A field that comes or goes with a page is a notice, once, and no error; what only some records have is none."""
    heard: list[str] = []
    text = connector("page: {page: query.page}")
    api = pages_of([{"id": 1, "at": "a"}, {"id": 2, "at": "a"}], second, [{**r, "id": r["id"] + 2} for r in second])
    made = source(instance(text, notice=heard.append), transport=FunctionTransport(api))
    assert ids(read(made)) == [1, 2, 3, 4, 5, 6]
    assert len(heard) == (1 if told else 0)
    assert all(re.search(told, text) and "/items?page=…, page '2'" in text for text in heard)
