from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.audit import tree

LEAVES = [tree.leaf_hash(bytes([number])) for number in range(70)]
READ = tree.nodes_of(LEAVES)


def _verdict(kind: str, case: dict) -> bool:
    proof = [base64.b64decode(step) for step in case["proof"] or []]
    root = {name: base64.b64decode(case[name]) for name in ("root", "root1", "root2", "leafHash") if name in case}
    match kind:
        case "inclusion":
            return tree.verify_inclusion(case["leafIdx"], case["treeSize"], root["leafHash"], proof, root["root"])
        case "consistency":
            return tree.verify_consistency(case["size1"], case["size2"], root["root1"], root["root2"], proof)
        case "subtreeinclusion":
            span = case["leafIdx"], case["start"], case["end"]
            return tree.verify_subtree_inclusion(*span, root["leafHash"], proof, root["root"])
        case _:
            span = case["start"], case["end"], case["size"]
            return tree.verify_subtree_consistency(*span, root["root1"], root["root2"], proof)


@pytest.mark.parametrize(
    ("kind", "files"), [("inclusion", 86), ("consistency", 98), ("subtreeinclusion", 180), ("subtreeconsistency", 118)]
)
def test_every_published_proof_gets_its_verdict(shared: Path, kind: str, files: int):
    """Every proof of transparency-dev/merkle is accepted or refused as its file says."""
    cases = sorted((shared / "vectors/merkle-proofs/testdata" / kind).rglob("*.json"))

    wrong = [path.name for path in cases if _verdict(kind, c := json.loads(path.read_text())) == c["wantErr"]]

    assert wrong == []
    assert len(cases) >= files


def test_the_empty_tree_hashes_to_the_hash_of_nothing():
    """RFC 6962: the hash of an empty list is SHA-256 of the empty string."""
    assert tree.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.range_hash((0, 0), READ) == tree.EMPTY_ROOT


def test_leaves_and_nodes_hash_in_separate_domains():
    """The published RFC 6962 hashes of the empty leaf and of leaf `L123456` come out."""
    assert tree.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert tree.node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"


def test_proofs_that_are_made_verify_for_every_small_tree():
    """For every tree of up to 40 leaves, every leaf and every valid subtree has a proof that verifies."""
    for size in range(1, 41):
        root = tree.root_of(LEAVES[:size])
        assert tree.range_hash((0, size), READ) == root
        for start in range(size):
            assert tree.verify_inclusion(start, size, LEAVES[start], tree.prove_inclusion(start, size, READ), root)
            for end in range(start + 1, size + 1):
                if tree.is_valid_subtree(start, end):
                    proof = [tree.range_hash(span, READ) for span in tree.consistency_ranges(start, end, size)]
                    part = tree.root_of(LEAVES[start:end])
                    assert tree.verify_subtree_consistency(start, end, size, part, root, proof)


@given(st.data())
def test_a_changed_proof_is_refused(data):
    """No proof survives a flipped bit, a step more, a step less, or another index or size."""
    size = data.draw(st.integers(2, 70))
    index = data.draw(st.integers(0, size - 1))
    root = tree.root_of(LEAVES[:size])
    proof = tree.prove_inclusion(index, size, READ)
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(proof[at], "big") ^ (1 << bit)).to_bytes(32, "big")

    assert not tree.verify_inclusion(index, size, LEAVES[index], [*proof[:at], flipped, *proof[at + 1 :]], root)
    assert not tree.verify_inclusion(index, size, LEAVES[index], proof[:-1], root)
    assert not tree.verify_inclusion(index, size, LEAVES[index], [*proof, proof[-1]], root)
    other = data.draw(st.integers(0, 80).filter(lambda number: number != index))
    assert not tree.verify_inclusion(other, size, LEAVES[index], proof, root)


@given(st.data())
def test_consistency_is_proved_for_no_other_history(data):
    """A consistency proof holds for its two roots and not for swapped or changed ones."""
    new = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root = tree.root_of(LEAVES[:old]), tree.root_of(LEAVES[:new])
    proof = tree.prove_consistency(old, new, READ)

    assert tree.verify_consistency(old, new, old_root, new_root, proof)
    assert not tree.verify_consistency(old, new, new_root, old_root, proof)
    assert not tree.verify_consistency(old, new, tree.root_of(LEAVES[1 : old + 1]), new_root, proof)


def test_asking_for_a_proof_outside_the_tree_is_an_error():
    """There is no proof for a leaf or a subtree that the tree does not have."""
    with pytest.raises(ValueError, match="not in a tree"):
        tree.prove_inclusion(3, 3, READ)
    with pytest.raises(ValueError, match="not a subtree"):
        tree.consistency_ranges(1, 3, 8)
