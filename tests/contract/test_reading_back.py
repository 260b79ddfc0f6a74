"""Written folders read back: the values that were written, of every type and format, whatever stands in them."""

from __future__ import annotations

import polars as pl
import pytest

from syncline.connectors.file.runtime import RUNTIME
from syncline.model.errors import Invalid
from syncline.model.schema import Schema
from syncline.sdk.conformance_destination import EVERY_TYPE, sample
from syncline.sdk.destination import Target
from tests.contract import file_places

FORMATS = ["parquet", "jsonl", "csv"]


def written(root, form, *frames, schema=EVERY_TYPE, run="run-1", **config):
    """A folder with these parts."""
    writer = file_places.destination(root, format=form, **config).open(Target("f", run, "s", schema, "replace"))
    for number, frame in enumerate(frames):
        writer.write(frame, str(number))
    writer.finish("end")


def read_back(root, names=EVERY_TYPE.names, **config):
    """The rows that are read back, as they come."""
    assert RUNTIME.open_rows
    source = RUNTIME.open_rows(file_places.instance(root, **config), "s", tuple(names), ("id",))
    frames = [batch.frame for batch in source.read(None)]
    source.close()
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(names, pl.String))


@pytest.mark.parametrize("form", FORMATS)
def test_every_value_comes_back(form, tmp_path):
    """Values of every type at their edges, nulls and empty texts are what they were, over several parts."""
    written(tmp_path, form, sample(range(4)), sample([7, 8]))
    expected = sample([0, 1, 2, 3, 7, 8])
    found = read_back(tmp_path)
    assert found.schema == expected.schema
    for name in EVERY_TYPE.names:
        assert found[name].to_list() == expected[name].to_list(), name


def test_texts_that_look_like_formulas_are_what_they_were(tmp_path):
    """An apostrophe that was put before them isn't theirs; one of their own stays, and so do all where none is put."""
    texts = ["=1+1", "-3", "'quoted'", "@here", "plain"]
    frame = sample(range(5)).with_columns(name=pl.Series(texts))
    written(tmp_path / "a", "csv", frame)
    assert read_back(tmp_path / "a", ["name"])["name"].to_list() == texts
    kept = frame.with_columns(name=pl.Series(["'=1", *texts[1:]]))
    written(tmp_path / "b", "csv", kept, formulas="keep")
    assert read_back(tmp_path / "b", ["name"], formulas="keep")["name"].to_list() == ["'=1", *texts[1:]]


@pytest.mark.parametrize("form", FORMATS)
def test_columns_that_are_not_there_are_null(form, tmp_path):
    """A column of the flow that was never written compares as nulls; where no folder is, there are no rows."""
    written(tmp_path, form, sample([1]).select("id", "name"), schema=Schema(EVERY_TYPE.fields[:2], ("id",)))
    assert read_back(tmp_path, ["id", "more"]).rows() == [(1, None)]
    assert read_back(tmp_path / "elsewhere").height == 0


@pytest.mark.parametrize("form", FORMATS)
def test_a_part_that_was_changed_is_named(form, tmp_path):
    """What can't be read back is an error with the part's name, and nothing of what is in it; so is one that is gone."""
    written(tmp_path, form, sample([1, 4]))
    (part,) = file_places.parts(tmp_path, "s")
    part.write_bytes(b"id,born\n1,secret\n" if form == "csv" else b"secret\n")
    with pytest.raises(Invalid) as caught:
        read_back(tmp_path)
    assert caught.value.code == "SYN767"
    assert part.name in str(caught.value)
    assert "secret" not in str(caught.value)
    part.unlink()
    with pytest.raises(Invalid, match="No such file") as caught:
        read_back(tmp_path)
    assert caught.value.code == "SYN767"
