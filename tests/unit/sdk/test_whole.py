"""Whole records: nothing of them is lost on the way to somebody who looks at them."""

from __future__ import annotations

import pytest

from syncline.connectors.rest.reading.source import RestSource
from syncline.model.errors import Invalid
from syncline.sdk.formats.record_decoder import record_decoder
from syncline.sdk.formats.whole import WHOLE, WholeRecords, as_record
from syncline.sdk.source import SourceRequest
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows


def test_every_field_is_kept():
    """What no schema lists is there, with every digit."""
    decoder = record_decoder(WHOLE, "data[]")

    page = decoder.decode(b'{"data": [{"id": 1, "price": 12345678901234.123456789, "x y": null}, 7]}')

    assert isinstance(decoder, WholeRecords)
    texts = decoder.frame(page.good)["@"].to_list()
    assert [str(as_record(text)) for text in texts] == [
        "{'id': 1, 'price': Decimal('12345678901234.123456789'), 'x y': None}",
        "7",
    ]


def test_a_missing_list_is_an_error():
    """An error that is answered with status 200 is no empty page, here neither."""
    with pytest.raises(Invalid) as caught:
        record_decoder(WHOLE, "data[]").decode(b'{"error": "no"}')
    assert caught.value.code == "SYN413"


def test_cursors_are_found_at_any_depth():
    """A stream with a cursor can be read whole."""
    decoder = record_decoder(WHOLE, "@")

    page = decoder.decode(b'[{"meta": {"at": "2026-01-01"}}, {"meta": 1}, {"meta": {"at": {}}}]')

    assert decoder.values(page.good, ("meta", "at")) == ["2026-01-01", None, None]


def test_a_stream_with_a_cursor_is_read_whole():
    """Who looks at an incremental stream, as `connector sample` does, gets its records, of which a read keeps digests."""
    text = """
    streams:
      items:
        get: /items
        records: data[]
        cursor: {field: at, into: {query.since: start}}
        schema: {properties: {id: {type: integer}, at: {type: string}}}
    """
    transport = FunctionTransport(lambda _: answer({"data": [{"id": 1, "at": "2026-01-01T00:00:00Z", "new": True}]}))
    opened = RestSource(instance(text), SourceRequest("items", WHOLE, ()), transport=transport, clock=FakeClock())

    [row] = rows(read(opened))

    assert as_record(row["@"]) == {"id": 1, "at": "2026-01-01T00:00:00Z", "new": True}
