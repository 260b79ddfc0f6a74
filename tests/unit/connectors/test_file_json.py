"""JSON documents in files."""

import json

import pytest

from syncline.model.errors import Invalid
from syncline.model.schema import INTEGER, NUMBER, Field, Schema
from tests.contract.file_places import source

SCHEMA = Schema((Field("id", INTEGER, nullable=False), Field("price", NUMBER)))


def read(root, data, position=None, rows=50_000, **stream):
    (root / "a.json").write_bytes(data)
    return list(source(root, "a.json", SCHEMA, rows=rows, **stream).read(position))


def test_records_are_found_and_exact(tmp_path):
    """By an expression, with every digit; a record that doesn't fit is set aside by its number."""
    (batch,) = read(tmp_path, b'{"data": [{"id": 1, "price": 1.10}, {"id": "x"}, {"id": 3}]}', records="data[]")
    assert batch.frame.rows() == [(1, "1.10"), (3, None)]
    assert batch.places([0, 1]) == ["a.json#1", "a.json#3"]
    assert [(m.place, m.field) for m in batch.malformed] == [("a.json#2", "id")]


def test_reading_goes_on_where_it_stopped(tmp_path):
    """From each batch's position the records after it come, and none twice."""
    data = json.dumps([{"id": n} for n in range(10)]).encode()
    batches = read(tmp_path, data, rows=3)
    assert [batch.frame.height for batch in batches] == [3, 3, 3, 1]
    rest = read(tmp_path, data, batches[1].position, rows=3)
    assert [value for batch in rest for value in batch.frame["id"]] == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b'[{"id": 1}', "SYN411"), (b'[{"id": 1, "id": 2}]', "SYN412"), (b'{"error": 1}', "SYN413"), (b"<a/>", "SYN410")],
)
def test_a_document_without_one_meaning_is_refused_whole(tmp_path, data, code):
    """Damage, a name that stands twice, no list where it should be, no JSON: nothing of the file is read."""
    with pytest.raises(Invalid) as caught:
        read(tmp_path, data, records="@" if code != "SYN413" else "data[]")
    assert caught.value.code == code
    assert "a.json" in str(caught.value)
