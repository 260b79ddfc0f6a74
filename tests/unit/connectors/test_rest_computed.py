"""What public connectors of another engine compute by loops and arithmetic in templates is declared here without either.

Each is a stream of `docs/coverage.md` that `benchmarks/connector_coverage.py` can't judge: what it asks for is compared.
"""

from __future__ import annotations

import datetime as dt
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.model.errors import Invalid
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, source


class Api:
    """Answers with no records; remembers path, parameters and body of each request."""

    def __init__(self, records=()) -> None:
        self.asked: list[tuple[str, dict[str, str], object]] = []
        self._records = list(records)

    def __call__(self, request):
        parts = urlsplit(request.url)
        self.asked.append((parts.path, dict(parse_qsl(parts.query)), json.loads(request.body or b"null")))
        return answer({"data": self._records})


def asked(text, *, at="2026-03-10T12:00:00+00:00", position=None, incremental=True, records=(), **config):
    """What a read asks for."""
    clock, api = FakeClock(dt.datetime.fromisoformat(at).timestamp()), Api(records)
    made = source(instance(text, config=config), incremental=incremental, transport=FunctionTransport(api), clock=clock)
    batches = read(made, position)
    return api.asked, batches[-1].position if batches else None


TWEETS = """
config: {properties: {query: {}, since: {default: ""}}}
streams:
  items:
    get: /search/recent
    query: {query: "{{ config.query }}", end_time: "{{ end | minus('10s') | date('%Y-%m-%dT%H:%M:%S.000Z') }}"}
    records: data[]
    key: [id]
    cursor: {field: created_at, start: START, format: "%Y-%m-%dT%H:%M:%S.000Z", into: {query.start_time: start}}
    schema: {properties: {id: {type: string}, created_at: {type: string}}}
"""


@pytest.mark.parametrize(
    ("start", "since", "first"),
    [("-6d23h", "", "2026-03-03T13:00:00.000Z"), ("config.since", "2026-03-09T00:00:00Z", "2026-03-09T00:00:00.000Z")],
)
def test_a_start_just_inside_of_a_week_and_an_end_just_before_now(start, since, first):
    """The first read starts a setting, or so long before now, and ends ten seconds before it, in the API's format."""
    found, _ = asked(TWEETS.replace("START", start), query="cats", since=since)
    assert found == [
        ("/search/recent", {"query": "cats", "start_time": first, "end_time": "2026-03-10T11:59:50.000Z"}, None)
    ]


EXECUTED = """
config: {properties: {dataset: {}, since: {format: date}}}
streams:
  items:
    post: /api/dataset/execute/{{ config.dataset }}
    raw:
      contentType: application/json
      text: >-
        [{"clause": {"type": "timestamp", "operator": 10, "parameters": [{"value": {{ start | date('epoch_ms') }}},
        {"value": {{ end | date('epoch_ms') }}}]}, "orderBy": 1, "columnName": "Timestamp"}]
    records: data[]
    key: [id]
    page: {offset: query.offset, size: {query.limit: 10000}}
    cursor: {field: timestamp, formats: [epoch_ms], start: config.since, window: 100d}
    schema: {properties: {id: {type: string}, timestamp: {type: integer}}}
"""


def test_spans_in_milliseconds_have_no_gap_between_them():
    """Where others add a day less a millisecond to an end, each span ends where the next begins, and the last now."""
    found, _ = asked(EXECUTED, dataset="d1", since="2025-10-01")
    spans = [[part["value"] for part in body[0]["clause"]["parameters"]] for _, _, body in found]
    first, now = 1_759_276_800_000, 1_773_144_000_000
    assert spans == [[first, first + 100 * 86_400_000], [first + 100 * 86_400_000, now]]


RATES = """
config: {properties: {since: {format: date}, app_id: {}, base: {default: USD}}}
streams:
  items:
    get: /historical/{{ start | date('%Y-%m-%d') }}.json
    query: {app_id: "{{ config.app_id }}", base: "{{ config.base }}"}
    records: data[]
    key: [timestamp]
    cursor: {field: timestamp, formats: [epoch], start: config.since}
    schema: {properties: {timestamp: {type: integer}}}
"""


def test_the_last_position_is_in_the_path_in_a_format_of_its_own():
    """The first read asks for the day of a setting, the next for that of the last record, which is kept in seconds."""
    found, position = asked(RATES, since="2026-01-31", app_id="x", base="USD", records=[{"timestamp": 1_769_990_400}])
    assert [path for path, *_ in found] == ["/historical/2026-01-31.json"]
    again, _ = asked(RATES, since="2026-01-31", app_id="x", base="USD", position=position)
    assert [path for path, *_ in again] == ["/historical/2026-02-02.json"]


PRICES = """
config: {properties: {tickers: {}, range: {enum: [1d, 5d]}}}
streams:
  items:
    for: {in: config.tickers, as: ticker}
    get: /v8/finance/chart/{{ ticker }}
    query: {symbol: "{{ ticker }}", range: "{{ config.range }}"}
    records: data[]
    errors: [{when: "status == `403`", do: skip, message: This ticker isn't for everybody.}]
    schema: {properties: {chart: {type: object}}}
"""


def test_one_request_for_each_value_of_a_setting():
    """What a template walks through by the number of the page is a list that a stream is read for."""
    found, _ = asked(PRICES, tickers="AAPL, MSFT,GOOG", range="5d", incremental=False)
    assert [(path, query["symbol"]) for path, query, _ in found] == [
        (f"/v8/finance/chart/{ticker}", ticker) for ticker in ("AAPL", "MSFT", "GOOG")
    ]


@pytest.mark.parametrize("unit", ["epoch", "epoch_ms"])
def test_a_day_is_no_number_of_seconds_and_what_to_declare_is_said(unit):
    """A start that is a day, of a cursor that counts seconds or milliseconds, says how a day may be written."""
    text = RATES.replace("formats: [epoch]", f"type: {unit}")
    with pytest.raises(Invalid, match=f"'2026-01-31' is no {unit}") as refused:
        asked(text, since="2026-01-31", app_id="x", base="USD")
    assert f"formats: [{unit}]" in refused.value.help
