"""Checkpoints: which batches had their keys noted."""

import json

import pytest

from syncline.executor.checkpoint import Checkpoint
from syncline.model.run import Counts


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
