"""Parquet: every type exactly or not at all, and damaged files."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from syncline.model.errors import Invalid, Stalled
from syncline.model.schema import JSON, NUMBER, STRING, DataType, Field, Schema
from tests.contract.file_places import source

UTC = dt.UTC


def write(path: Path, **columns: pa.Array) -> None:
    pa.parquet.write_table(pa.table(columns), path)


def read(root: Path, schema: Schema | None = None, rows: int = 50_000) -> pl.DataFrame:
    return pl.concat([batch.frame for batch in source(root, "*.parquet", schema, rows=rows).read(None)])


@pytest.mark.parametrize(
    ("array", "kind", "values"),
    [
        (pa.array([1, None], pa.int8()), "integer", [1, None]),
        (pa.array([2**32 - 1], pa.uint32()), "integer", [2**32 - 1]),
        (pa.array([2**64 - 1], pa.uint64()), "decimal(20,0)", [Decimal(2**64 - 1)]),
        (pa.array([0.1], pa.float32()), "float", [0.10000000149011612]),
        (pa.array([0.1], pa.float64()), "float", [0.1]),
        (pa.array(["é", ""]), "string", ["é", ""]),
        (pa.array(["a", "b"]).dictionary_encode(), "string", ["a", "b"]),
        (pa.array([None], pa.null()), "string", [None]),
        (pa.array([b"\xff"]), "binary", [b"\xff"]),
        (pa.array([True]), "boolean", [True]),
        (pa.array([dt.date(1969, 12, 31)]), "date", [dt.date(1969, 12, 31)]),
        (pa.array([dt.time(1, 2, 3, 4)]), "time", [dt.time(1, 2, 3, 4)]),
        (pa.array([1], pa.timestamp("s")), "datetime", [dt.datetime.fromisoformat("1970-01-01T00:00:01")]),
        (
            pa.array([1], pa.timestamp("ms", "Europe/Oslo")),
            "timestamp",
            [dt.datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)],
        ),
        (
            pa.array([-1000], pa.timestamp("ns", "UTC")),
            "timestamp",
            [dt.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)],
        ),
        (pa.array([Decimal("1.10")], pa.decimal128(38, 2)), "decimal(38,2)", [Decimal("1.10")]),
    ],
)
def test_physical_types(tmp_path: Path, array, kind, values):
    """A column gets the logical type that holds its values, and the values are the same."""
    write(tmp_path / "a.parquet", x=array)
    (field,) = source(tmp_path, "*.parquet").schema.fields

    assert str(field.type) == kind
    assert read(tmp_path)["x"].to_list() == values


def test_nested_columns(tmp_path: Path):
    """Structs and lists are fields of fields, nulls of each level apart."""
    write(tmp_path / "a.parquet", x=pa.array([{"a": 1, "b": [{"c": "z"}, None]}, None, {"a": None, "b": []}]))
    (field,) = source(tmp_path, "*.parquet").schema.fields

    assert [f.name for f in field.fields] == ["a", "b"]
    assert field.fields[1].repeated
    assert read(tmp_path)["x"].to_list() == [{"a": 1, "b": [{"c": "z"}, None]}, None, {"a": None, "b": []}]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([1], pa.duration("s")),
        pa.array([[[1]]]),
        pa.array([Decimal(1)], pa.decimal256(60, 0)),
        pa.array([[1]], pa.list_(pa.timestamp("ns"))),
    ],
)
def test_types_without_counterpart_are_named(tmp_path: Path, array):
    """A column of a type that isn't supported is an error that names it; a declared schema may leave it out."""
    write(tmp_path / "a.parquet", good=pa.array([1]), odd=array)

    with pytest.raises(Invalid, match="column 'odd") as caught:
        source(tmp_path, "*.parquet")
    assert caught.value.code == "SYN462"
    assert read(tmp_path, Schema((Field("good", DataType("integer")),)))["good"].to_list() == [1]


def test_nanoseconds_set_their_rows_aside(tmp_path: Path):
    """A row whose time has digits past the microsecond is malformed with its number; the others are read."""
    write(tmp_path / "a.parquet", n=pa.array([1, 2, 3]), t=pa.array([1000, 1001, None], pa.timestamp("ns")))
    (batch,) = source(tmp_path, "*.parquet").read(None)

    assert batch.frame["n"].to_list() == [1, 3]
    assert batch.places([0, 1]) == ["a.parquet#1", "a.parquet#3"]
    assert [(bad.place, bad.field) for bad in batch.malformed] == [("a.parquet#2", "t")]
    assert '"n":2' in batch.malformed[0].raw


def test_a_declared_schema_is_fitted(tmp_path: Path):
    """Numbers become their digits and times their ISO text where these are declared, inside structs and lists, too."""
    write(
        tmp_path / "a.parquet",
        price=pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
        day=pa.array([dt.date(2024, 2, 29), None]),
        at=pa.array([dt.datetime(2024, 1, 1, tzinfo=UTC), None]),
        item=pa.array([{"n": 5, "extra": 1}, None]),
        lines=pa.array([[{"n": 1.5}], None]),
        other=pa.array([1, 2]),
    )
    declared = Schema(
        (
            Field("price", NUMBER),
            Field("day", STRING),
            Field("at", STRING),
            Field("item", JSON, fields=(Field("n", NUMBER), Field("missing", STRING))),
            Field("lines", JSON, fields=(Field("n", NUMBER),), repeated=True),
        )
    )

    assert read(tmp_path, declared).rows() == [
        ("1.10", "2024-02-29", "2024-01-01T00:00:00Z", {"n": "5", "missing": None}, [{"n": "1.5"}]),
        (None, None, None, None, None),
    ]
    with pytest.raises(Invalid, match="column 'day' is date and declared as integer"):
        source(tmp_path, "*.parquet", Schema((Field("day", DataType("integer")),)))
    with pytest.raises(Invalid, match="has no column 'nope'"):
        source(tmp_path, "*.parquet", Schema((Field("nope", STRING),)))


def test_files_of_a_stream_have_the_same_columns(tmp_path: Path):
    """A later file with a missing or differently typed column is refused by name; of one with more, the others are read."""
    write(tmp_path / "a.parquet", x=pa.array([1]))
    for other, said in (
        ({"y": pa.array([1])}, "b.parquet lacks 'x'"),
        ({"x": pa.array(["1"])}, "column 'x' is string and declared as integer"),
    ):
        write(tmp_path / "b.parquet", **other)
        with pytest.raises(Invalid, match=said):
            read(tmp_path)
    write(tmp_path / "b.parquet", x=pa.array([2]), y=pa.array([1]))
    assert read(tmp_path).rows() == [(1,), (2,)]


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "zeroed"])
def test_damaged_files(tmp_path: Path, damage):
    """A file that isn't Parquet, or is damaged, stalls with its name and yields no rows from the damage on."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"x": [f"{i}" * 50 for i in range(1000)]}).write_parquet(path, compression="zstd")
    data = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "text": b"a,b\n1,2\n", "cut": data[:-20], "zeroed": data[:60] + bytes(400) + data[460:]}[damage]
    )

    with pytest.raises(Stalled, match=r"a\.parquet.* can't be read as Parquet") as caught:
        read(tmp_path)
    assert caught.value.code == "SYN462"


@pytest.mark.parametrize("name", [b"name_of_x", b"name_of_y"])
def test_names_that_are_no_text(tmp_path: Path, name):
    """A damaged name of a column, or of a field inside one, stalls like other damage."""
    path = tmp_path / "a.parquet"
    write(path, name_of_x=pa.array([{"name_of_y": 1}]))
    path.write_bytes(path.read_bytes().replace(name, name[:-1] + b"\xff"))

    with pytest.raises(Stalled, match="can't be read as Parquet"):
        read(tmp_path)


def test_files_without_rows(tmp_path: Path):
    """A file without rows is one empty batch that marks it as done."""
    write(tmp_path / "a.parquet", x=pa.array([], pa.int64()))
    (batch,) = source(tmp_path, "*.parquet").read(None)

    assert batch.frame.schema == {"x": pl.Int64}
    assert batch.read == 0
    assert list(batch.position["done"]) == ["a.parquet"]
