"""Whole records: nothing of them is lost on the way to somebody who looks at them."""

from __future__ import annotations

import pytest

from syncline.model.errors import Invalid
from syncline.sdk.record_decoder import record_decoder
from syncline.sdk.whole import WHOLE, WholeRecords, as_record


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
