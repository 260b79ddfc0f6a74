"""Imports over several files of which one has other columns: named before a row is written, or told."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from syncline import workflow
from syncline.connectors.file import heads
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from tests.e2e.house import Scenario, build, rows

RECORD = {"id": "1", "name": "Ada", "email": "ada@example.com", "balance": "1.00", "born": "1990-01-01"}
COUNT = 120


def put(root, name, records):
    """A file of records, in the format that its name ends with."""
    path = root / "data" / name
    path.parent.mkdir(exist_ok=True)
    match path.suffix:
        case ".csv":
            path.write_text(
                "\n".join([",".join(records[0]), *(",".join(record.values()) for record in records)]) + "\n"
            )
        case ".parquet":
            pl.DataFrame(records).write_parquet(path)
        case _:
            path.write_text("".join(json.dumps(record) + "\n" for record in records))


def records(first, *, less=(), more=()):
    """Customers with these ids from `first` on, without some columns and with others."""
    made = ({**RECORD, "id": str(n), **dict.fromkeys(more, "x")} for n in range(first, first + COUNT))
    return [{name: value for name, value in record.items() if name not in less} for record in made]


@pytest.fixture
def house(tmp_path):
    """An import of files of a format, as it is declared now."""

    def made(ending, how="", write="upsert"):
        scenario = Scenario(write, kind="Import")
        texts = dict(scenario.texts)
        texts["source.yaml"] = texts["source.yaml"].replace(".csv", f".{ending}")
        texts["sync.yaml"] = texts["sync.yaml"].replace("validate: before-commit", how or "validate: inline")
        settings = build(tmp_path, texts)
        workflow.apply(settings)
        return settings, scenario

    return made


def run(settings, scenario):
    return workflow.run(settings, scenario.key, progress=Silent()).receipt


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_files_that_lack_what_is_mapped_are_all_named_before_a_row_is_written(tmp_path, house, ending):
    """The first file is as it should be, and isn't written either."""
    put(tmp_path, f"customers-1.{ending}", records(1))
    put(tmp_path, f"customers-2.{ending}", records(1000, less=("id",)))
    put(tmp_path, f"customers-3.{ending}", records(2000, less=("id", "born") if ending != "jsonl" else ("id",)))
    settings, scenario = house(ending)
    with pytest.raises(Invalid) as caught:
        run(settings, scenario)
    assert caught.value.code == "SYN454"
    assert "2 of 3 files" in caught.value.message
    assert f"customers-2.{ending} lacks 'id'" in caught.value.message
    assert f"customers-3.{ending} lacks 'id'" in caught.value.message
    if ending != "jsonl":
        assert "'born'" in caught.value.message
        with pytest.raises(Invalid, match="customers-3"):
            workflow.rehearse(settings, scenario.key, progress=Silent())
    assert not rows(tmp_path, scenario)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_columns_that_nothing_reads_are_told_on_the_receipt(tmp_path, house, ending):
    """Whether the first file has them or a later one, they keep nothing from being read, and one that is told isn't told again."""
    put(tmp_path, f"customers-1.{ending}", records(1, more=("fax",)))
    for number in (2, 3):
        put(tmp_path, f"customers-{number}.{ending}", records(1000 * number, more=("phone", "plan")))
    settings, scenario = house(ending)
    receipt = run(settings, scenario)
    assert receipt.counts.written == 3 * COUNT
    told = f"customers-2.{ending}: columns have come that nothing reads: 'phone', 'plan'"
    assert [note for note in receipt.notes if "columns" in note] == [told]
    assert told in workflow.rehearse(settings, scenario.key, progress=Silent()).notes


def test_a_parquet_file_of_other_types_is_named_before_a_row_is_written(tmp_path, house):
    """A column that was text and is a number in a later file is a difference, too."""
    put(tmp_path, "customers-1.parquet", records(1))
    put(tmp_path, "customers-2.parquet", [{**record, "name": 7} for record in records(1000)])
    settings, scenario = house("parquet")
    with pytest.raises(Invalid, match="customers-2.parquet") as caught:
        run(settings, scenario)
    assert caught.value.code == "SYN454"
    assert not rows(tmp_path, scenario)


def test_files_that_were_read_and_stayed_as_they_are_may_lack_a_column(tmp_path, house):
    """A column that a mapping reads from now on doesn't have old deliveries refused, which aren't read again."""
    put(tmp_path, "customers-2.csv", records(1, less=("born",)))
    settings, scenario = house("csv", "read: changed", "append")
    mapping = tmp_path / "mapping.yaml"
    whole = mapping.read_text()
    mapping.write_text(whole.replace("  - {to: born, from: born, type: date}\n", ""))
    workflow.apply(settings)
    assert run(settings, scenario).counts.written == COUNT
    mapping.write_text(whole)
    workflow.apply(settings)
    put(tmp_path, "customers-1.csv", records(1000))
    assert run(settings, scenario).counts.written == COUNT


def test_a_column_that_nothing_maps_may_be_missing(tmp_path, house):
    """A later file without it is read like the others, whatever the first one has besides."""
    for ending in ("csv", "parquet"):
        put(tmp_path, f"customers-1.{ending}", records(1, more=("fax",)))
        put(tmp_path, f"customers-2.{ending}", records(1000))
        settings, scenario = house(ending)
        assert run(settings, scenario).counts.written == 2 * COUNT


def test_of_many_packed_files_the_first_are_looked_at(tmp_path, house, monkeypatch):
    """One of the first is named before a row is written; one after them when its turn comes."""
    monkeypatch.setattr(heads, "MOST_FAR", 2)
    for number in (1, 2, 3):
        put(tmp_path, "made.csv", records(1000 * number, less=("born",) if number == 3 else ()))
        packed = gzip.compress((tmp_path / "data" / "made.csv").read_bytes())
        (tmp_path / "data" / f"customers-{number}.csv.gz").write_bytes(packed)
    settings, scenario = house("csv.gz")
    with pytest.raises(Invalid, match="customers-3"):
        run(settings, scenario)
    assert rows(tmp_path, scenario)
    (tmp_path / "warehouse.db").unlink()
    monkeypatch.setattr(heads, "MOST_FAR", 3)
    with pytest.raises(Invalid, match="customers-3.csv.gz lacks 'born'"):
        run(settings, scenario)
    assert not rows(tmp_path, scenario)
