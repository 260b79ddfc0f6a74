"""CSV in UTF-16, as spreadsheets save `Unicode text`: read as its text in UTF-8 is."""

from __future__ import annotations

import gzip

import pytest

from syncline.model.errors import Invalid
from syncline.sdk import conformance
from tests.contract import file_places
from tests.contract.file_places import instance, opened, source

ROWS = "id\tname\n" + "".join(f"{n}\tZoë Łódź 名前 😀 {n}\n" for n in range(30_000))


def read(root, name="a.csv", position=None, **stream):
    return list(source(root, name, **stream).read(position))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("said", ["auto", "utf-16"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_text_in_utf_16_has_the_records_of_the_same_in_utf_8(tmp_path, encoding, said, name):
    """Either order of bytes, declared or found out, packed or not: values and lines are those of the text."""
    data = ("\N{BOM}" + ROWS).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    batches = read(tmp_path, name, csv={"encoding": said, "delimiter": "\t"})
    rows = [row for batch in batches for row in batch.frame.rows()]
    assert rows == [(str(n), f"Zoë Łódź 名前 😀 {n}") for n in range(30_000)]
    assert batches[-1].places([batches[-1].frame.height - 1])[0].endswith(":30001")
    assert not any(batch.malformed for batch in batches)


def test_what_was_found_out_is_told(tmp_path):
    """A byte order mark is as sure as anything found out is, and the delimiter is looked for in the text."""
    (tmp_path / "a.csv").write_bytes(ROWS.encode("utf-16"))
    told: list[str] = []
    auto = instance(tmp_path, {"s": {"files": "*.csv", "csv": {"encoding": "auto", "delimiter": "auto"}}})
    conformance.read(lambda: opened(auto, told.append))
    assert told == ["detected in a.csv: encoding utf-16 (99% sure), delimiter '\\t' (99% sure)"]


def test_reading_goes_on_where_it_stopped(tmp_path):
    """Every position that a batch gives continues with the records after it, as in any other file."""
    (tmp_path / "a.csv").write_bytes(ROWS.encode("utf-16"))
    dialect = {"encoding": "auto", "delimiter": "\t"}
    batches = list(file_places.source(tmp_path, "a.csv", block=256 * 1024, csv=dialect).read(None))
    assert len(batches) > 2
    for at, batch in enumerate(batches[:-1]):
        after = [row for one in read(tmp_path, position=batch.position, csv=dialect) for row in one.frame.rows()]
        assert after == [row for one in batches[at + 1 :] for row in one.frame.rows()]


@pytest.mark.parametrize(
    ("broken", "kept"),
    [
        ("id,name\n1,a\n2,b\ud800c\n3,d\n".encode("utf-16-le", "surrogatepass"), ["1", "3"]),
        ("id,name\n1,a\n2,b".encode("utf-16-le") + b"\x41", ["1"]),
    ],
    ids=["half a pair", "half a unit"],
)
def test_a_record_that_is_no_utf_16_is_set_aside_and_the_others_are_read(tmp_path, broken, kept):
    """Nothing is replaced in silence: the record with the damage is malformed."""
    (tmp_path / "a.csv").write_bytes(broken)
    (batch,) = read(tmp_path, csv={"encoding": "utf-16"})
    assert [row[0] for row in batch.frame.rows()] == kept
    (bad,) = batch.malformed
    assert bad.place.endswith(":3")


def test_who_declares_another_encoding_is_told_what_to_declare(tmp_path):
    """A file in UTF-16 that is read as UTF-8 is refused whole, with the encoding to declare."""
    (tmp_path / "a.csv").write_bytes(ROWS.encode("utf-16"))
    with pytest.raises(Invalid) as caught:
        source(tmp_path, "a.csv")
    assert caught.value.code == "SYN457"
    assert "csv.encoding: utf-16" in caught.value.help
