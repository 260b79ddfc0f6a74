from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline.audit import records, tree
from syncline.audit.malformed import Malformed

KEY = bytes(range(32))


def _tree(*sizes: int) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """Records by batch, and their leaf hashes."""
    rows = [[b'{"id":"%d-%d"}' % (batch, row) for row in range(size)] for batch, size in enumerate(sizes)]
    own = records.run_key(KEY, "run")
    return rows, [records.leaves(part, own, batch) for batch, part in enumerate(rows)]


@pytest.mark.parametrize("sizes", [(1,), (2,), (7,), (1, 1), (3, 5, 1), (8, 0, 4, 9)])
def test_every_record_of_a_run_is_proved(sizes: tuple[int, ...]):
    """Whatever the shape of batches, each record has a proof that leads to the run's root."""
    rows, leaves = _tree(*sizes)
    root = records.root(leaves)

    for batch, part in enumerate(rows):
        for row, record in enumerate(part):
            proof = records.prove("run", record, KEY, leaves)
            assert (proof.batch, proof.row, proof.root) == (batch, row, root)
            assert records.holds(proof)


def test_a_proof_holds_for_its_record_and_place_only():
    """Another record, nonce, place, step or root is refused."""
    _, leaves = _tree(5, 6)
    proof = records.prove("run", b'{"id":"1-3"}', KEY, leaves)

    for wrong in (
        replace(proof, record=b'{"id":"1-4"}'),
        replace(proof, nonce=bytes(32)),
        replace(proof, row=2),
        replace(proof, row=7),
        replace(proof, rows=5),
        replace(proof, rows=9),
        replace(proof, batch=0),
        replace(proof, batches=5),
        replace(proof, steps=proof.steps[:-1]),
        replace(proof, steps=(bytes(32), *proof.steps[1:])),
        replace(proof, batch_steps=(bytes(32),)),
        replace(proof, root=bytes(32)),
    ):
        assert not records.holds(wrong)


def test_there_is_no_proof_of_another_record():
    """A record that wasn't written has none, nor has one under another tenant's key."""
    _, leaves = _tree(5)
    with pytest.raises(Malformed, match="no row of run run"):
        records.prove("run", b'{"id":"9"}', KEY, leaves)
    with pytest.raises(Malformed):
        records.prove("run", b'{"id":"0-1"}', bytes(32), leaves)


def test_equal_records_cannot_be_told():
    """Equal records have other commitments in each place and run, and none is the plain hash of the record."""
    own, other = records.run_key(KEY, "run"), records.run_key(KEY, "run2")
    found = [
        *records.leaves([b"x"] * 3, own, 0),
        *records.leaves([b"x"] * 3, own, 1),
        *records.leaves([b"x"], other, 0),
    ]

    assert len(set(found)) == 7
    assert tree.leaf_hash(hashlib.blake2b(b"x", digest_size=32).digest()) not in found


@given(st.lists(st.integers(0, 20), max_size=20))
def test_the_root_is_that_of_the_trees_batch_by_batch(sizes: list[int]):
    """Batches that come one after another have the root that RFC 6962 gives the trees of all of them."""
    _, leaves = _tree(*sizes)
    sized = [tree.leaf_hash(struct.pack(">Q", len(batch)) + tree.root_of(batch)) for batch in leaves]

    assert records.root(iter(leaves)) == tree.leaf_hash(struct.pack(">Q", len(leaves)) + tree.root_of(sized))
