"""Checkpoints: which batches had their keys noted, and the records of files."""

import json

import pytest

from syncline.executor.batches.checkpoint import Checkpoint
from syncline.model.errors import Invalid
from syncline.model.run import Counts, FileCounts


def advanced(sights):
    checkpoint = Checkpoint("f", "r", "b")
    for unsure in sights:
        after = checkpoint.advance(position={}, counts=Counts(), read=bytes(32), written=bytes(32), unsure=unsure)
        checkpoint = Checkpoint.loads(after.dumps())
    return checkpoint


@pytest.mark.parametrize(
    ("sights", "noted"),
    [((), 0), (("",), 1), (("", ""), 2), ((None, ""), 0), (("", None, ""), 1), (("", None, None, "", ""), 1)],
)
def test_batches_are_noted_without_a_gap(sights, noted):
    """Once the keys of a batch weren't noted, those of later ones don't make the run whole again."""
    assert advanced(sights).noted == noted


def test_what_made_a_run_unsure_stays():
    """The first reason is kept, also through batches whose keys weren't noted."""
    assert advanced(("", "first", None, "second")).unsure == "first"
    assert advanced((None, None)).unsure == ""


def test_flows_that_note_no_keys_write_nothing_of_it():
    """The checkpoint of each batch is no longer for what the flow doesn't do."""
    assert "noted" not in json.loads(advanced((None, None)).dumps())


def of_files(checkpoint, *files):
    """After a batch of each of these files, of which one of three records was a reject."""
    for file in files:
        counts = Counts(read=3, written=1, rejected=1, skipped=1)
        after = checkpoint.advance(position={}, counts=counts, read=bytes(32), written=bytes(32), file=file)
        checkpoint = Checkpoint.loads(after.dumps())
    return checkpoint


def test_records_of_files_come_back():
    """They are kept with each batch, of 10,000 files at most, in some 20 bytes each besides the name."""
    checkpoint = of_files(Checkpoint("f", "r", "b"), "a.csv", "b.csv", "a.csv")
    assert checkpoint.files == {"a.csv": FileCounts(6, 2, 2), "b.csv": FileCounts(3, 1, 1)}
    assert '"files":{"a.csv":[6,2,2],"b.csv":[3,1,1]}' in checkpoint.dumps()


def test_a_run_that_began_without_records_of_files_ends_without():
    """A checkpoint of a program that didn't count them is gone on with: a part of the records would be told for all."""
    older = advanced((None,))
    assert "files" not in json.loads(older.dumps())
    assert of_files(older, "a.csv").files == {}


@pytest.mark.parametrize("files", [{"a.csv": "many"}, {"a.csv": [1, 2, 3, 4, 5]}, {"a.csv": 1}, ["a.csv"]])
def test_what_is_no_count_of_files_is_told(files):
    """As with all else that this program didn't write, the checkpoint isn't gone on with."""
    text = json.dumps({**json.loads(advanced(()).dumps()), "files": files})
    with pytest.raises(Invalid) as error:
        Checkpoint.loads(text)
    assert error.value.code == "SYN705"
