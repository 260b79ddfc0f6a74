"""The contract of sources, for files of every format; and that the checks find sources that break it."""

from __future__ import annotations

import csv
import gzip
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from msgspec.structs import replace

from syncline.model.errors import Bug, Invalid
from syncline.model.schema import STRING, DataType, Field, Schema
from syncline.sdk import conformance
from syncline.sdk.batch import Batch, Span
from syncline.sdk.conformance import Broken, OpenSource
from tests.contract import file_places

ORDERS = Schema(
    (
        Field("id", DataType("integer"), nullable=False),
        Field("price", DataType("number")),
        Field("lines", DataType("json"), repeated=True, fields=(Field("sku", STRING), Field("n", DataType("integer")))),
        Field("ship", DataType("json"), fields=(Field("city", STRING),)),
    ),
    key=("id",),
)


def csv_source(root: Path) -> OpenSource:
    for name, start in (("a.csv", 0), ("b.csv", 50)):
        with (root / name).open("w", newline="", encoding="utf-8") as file:
            rows = [[start + i, "two\nlines" if i % 4 == 1 else f"é{i}"] for i in range(30)]
            csv.writer(file).writerows([["id", "text"], *rows, ["short"]])
    return lambda: file_places.source(root, "*.csv", block=64)


def jsonl_source(root: Path) -> OpenSource:
    for name, start in (("a.jsonl", 0), ("b.jsonl", 50)):
        records = [{"id": start + i, "price": i / 8, "lines": [{"sku": "x", "n": i}], "ship": None} for i in range(30)]
        lines = [json.dumps(record) for record in records]
        (root / name).write_text("\n".join([*lines[:7], "", '{"id":', *lines[7:]]))
    return lambda: file_places.source(root, "*.jsonl", ORDERS, block=100)


def parquet_source(root: Path) -> OpenSource:
    for name, start in (("a.parquet", 0), ("b.parquet", 50)):
        frame = pl.DataFrame(
            {
                "id": range(start, start + 30),
                "price": pl.Series([Decimal(i).scaleb(-2) for i in range(30)], dtype=pl.Decimal(10, 2)),
                "lines": [[{"sku": "x", "n": i}] for i in range(30)],
                "ship": [{"city": "Oslo"} if i % 2 else None for i in range(30)],
            }
        )
        frame.write_parquet(root / name, row_group_size=10)
    return lambda: file_places.source(root, "*.parquet", rows=4)


def packed_source(root: Path) -> OpenSource:
    """Files of one stream, each packed in another way: a position in one of them counts unpacked bytes."""
    text = {name: f"id,text\n{''.join(f'{start + i},é{i}{chr(10)}' for i in range(30))}".encode() for name, start in
            (("a", 0), ("b", 50), ("c", 100), ("d", 150))}  # fmt: skip
    (root / "a.csv.gz").write_bytes(gzip.compress(text["a"][:90]) + gzip.compress(text["a"][90:]))
    (root / "b.csv.zst").write_bytes(pa.compress(text["b"], codec="zstd", asbytes=True))
    with zipfile.ZipFile(root / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.csv", text["c"])
        archive.writestr("more/second.csv", text["d"])
    (root / "e.csv").write_bytes(text["d"].replace(b"15", b"25"))
    return lambda: file_places.source(root, "*", block=64, format="csv")


def json_source(root: Path) -> OpenSource:
    for name, start in (("a.json", 0), ("b.json", 50)):
        records: list[Any] = [{"id": start + i, "price": i / 8, "lines": [], "ship": None} for i in range(30)]
        records.insert(7, {"id": "none"})
        (root / name).write_text(json.dumps({"meta": {"n": 31}, "data": {"orders": records}}))
    return lambda: file_places.source(root, "*.json", ORDERS, rows=4, records="data.orders[]")


def excel_source(root: Path) -> OpenSource:
    for name, start in (("a.xlsx", 0), ("b.xlsx", 50)):
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("Orders")
        for row in (["Orders of 2026"], ["id", "text"], *([start + i, f"é{i}"] for i in range(20)), [], [1, 2, 3]):
            sheet.append(row)
        book.save(root / name)
    return lambda: file_places.source(root, "*.xlsx", rows=4, excel={"header": 2})


def fixed_source(root: Path) -> OpenSource:
    for name, start in (("a.txt", 0), ("b.txt", 50)):
        lines = [f"{start + i:>6} é{i}" for i in range(30)]
        data = "\n".join([*lines[:7], "", *lines[7:]]).encode("latin-1")
        (root / name).write_bytes(b"HEADER\r\n" + data.replace(b"\xe93", b"\x003"))
    columns = [{"name": "id", "start": 1, "width": 6}, {"name": "text", "start": 8, "width": 20}]
    layout = {"columns": columns, "encoding": "latin-1", "skip": 1}
    return lambda: file_places.source(root, "*.txt", block=40, format="fixed", fixed=layout)


def xml_source(root: Path) -> OpenSource:
    for name, start in (("a.xml", 0), ("b.xml", 50)):
        items = [
            f"<o><id>{start + i}</id><price>{i / 8}</price><lines><sku>x</sku><n>{i}</n></lines></o>" for i in range(30)
        ]
        items.insert(7, "<o><id>none</id></o>")
        (root / name).write_text(f"<data><meta n='31'/><orders>{''.join(items)}</orders></data>")
    return lambda: file_places.source(root, "*.xml", ORDERS, rows=4, block=500, records="data.orders.o[]")


SOURCES: tuple[Callable[[Path], OpenSource], ...] = (
    csv_source,
    jsonl_source,
    parquet_source,
    packed_source,
    json_source,
    excel_source,
    fixed_source,
    xml_source,
)


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
def test_sources_keep_their_promises(make, check, tmp_path: Path):
    """Every source passes every check of the shipped suite."""
    check(make(tmp_path))


@dataclass
class Hostile:
    """A source of three batches that breaks one promise."""

    fault: Any
    reads: int = 0
    schema = Schema((Field("id", STRING),))

    def read(self, position):
        self.reads += 1
        start = position["next"] if position else 0
        if position and self.fault == "repeats":
            start -= 1
        for number in range(start, 3):
            place = {"next": number + 1}
            frame = pl.DataFrame({"id": [f"{number}" + (f" {self.reads}" if self.fault == "wavers" else "")]})
            batch = Batch(frame, (Span("s", "line", number + 1, 1),), place, digest=bytes([number]))
            if self.fault == "types":
                batch = replace(batch, frame=frame.cast(pl.Binary))
            if self.fault == "places":
                batch = replace(batch, spans=(Span("s", "line", 1, 1),))
            if self.fault == "spans":
                batch = replace(batch, spans=())
            if self.fault == "positions":
                batch = replace(batch, position={"next": number + 1, "tuple": (1, 2)})
            yield batch

    def close(self):
        if self.fault == "closes":
            raise RuntimeError


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("types", conformance.frames_follow_the_schema),
        ("places", conformance.places_cover_every_record),
        ("spans", conformance.places_cover_every_record),
        ("positions", conformance.positions_are_json),
        ("wavers", conformance.reading_is_repeatable),
        ("repeats", conformance.resumes_exactly_once),
    ],
)
def test_checks_find_broken_promises(fault, check):
    """A source that breaks a promise fails the check of that promise; one that keeps them passes."""
    hostile = Hostile(fault)
    check(lambda: Hostile("none"))
    with pytest.raises(Broken):
        check(lambda: hostile)


@pytest.mark.slow
@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
def test_damaged_files_fail_clearly(make, tmp_path: Path):
    """Files with bytes changed, cut out or doubled at random are read, or end in one error that says what to do."""
    chance = random.Random(7)
    open_source = make(tmp_path)
    path = min(tmp_path.iterdir())
    whole = path.read_bytes()
    failures = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3, 30])):
            at = chance.randrange(len(data) or 1)
            match chance.randrange(4):
                case 0 if data:
                    data[at] = (
                        chance.choice(b'\0\xff"\r\n,{}[]:\\=') if chance.random() < 0.5 else chance.randrange(256)
                    )
                case 1:
                    del data[at : at + chance.randrange(1, 9)]
                case 2:
                    data[at:at] = data[at : at + chance.randrange(1, 40)]
                case _:
                    data = data[: max(at, 1)] if chance.random() < 0.1 else data
        path.write_bytes(data)
        failures += conformance.fails_clearly(open_source) is not None
    path.write_bytes(whole)
    assert conformance.fails_clearly(open_source) is None
    assert failures or make in {jsonl_source, fixed_source}


def test_checks_find_unclear_failures():
    """A source that raises what isn't an error of ours, or `Bug`, fails the check."""

    class Raising(Hostile):
        def read(self, position):
            raise self.fault

    for error in (KeyError("x"), Bug("x")):
        with pytest.raises(Broken, match="hostile input"):
            conformance.fails_clearly(partial(Raising, error))
    assert conformance.fails_clearly(partial(Raising, Invalid("no"))).message == "no"
