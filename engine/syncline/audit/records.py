"""Which records a run wrote, as a Merkle tree of commitments: one record's presence is proved without showing another.

Pure. A record is its row as canonical JSON of texts (`canonical`). Its commitment is BLAKE2b keyed with a nonce that is
derived from the run's key and the row's place; without that key nobody can guess what another commitment holds, and a
proof gives away the nonce of its own row only. The rows of a batch are the leaves of a tree (RFC 6962 hashes). The
number of rows of a batch with its root is a leaf of the run's tree, and the hash of the number of batches with that
tree's root is what the run's end in the log states: places and sizes are proved with the record.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

from msgspec import Struct

from syncline.audit import canonical_json, tree
from syncline.audit.malformed import Malformed

VERSION: Final = "syncline/record-proof/v1"
_PLACE: Final = struct.Struct(">QQ")
_SIZE: Final = struct.Struct(">Q")


def run_key(key: bytes, run: str) -> bytes:
    """The key of a run's nonces, from a tenant's key of 32 bytes."""
    return hashlib.blake2b(run.encode(), key=key, digest_size=32, person=b"syncline-records").digest()


def canonical(record: Mapping[str, Any]) -> bytes:
    """A record as canonical JSON in which every value is a text, or null.

    >>> canonical({"b": 7, "a": None, "c": True})
    b'{"a":null,"b":"7","c":"true"}'
    """
    return canonical_json.dumps({name: _text(value) for name, value in record.items()})


def leaves(records: Iterable[bytes], key: bytes, batch: int) -> list[bytes]:
    """The leaf hashes of a batch's records, in order; `key` is the run's."""
    return [_leaf(record, nonce) for record, nonce in zip(records, _nonces(key, batch), strict=False)]


def root(batches: Iterable[Sequence[bytes]]) -> bytes:
    """What a run states of its records, from the leaf hashes of its batches, of which one is looked at at a time."""
    return _root([_batch(leaf_hashes) for leaf_hashes in batches])


class RecordProof(Struct, frozen=True):
    """That a record is row `row` of batch `batch` (from 0) of a run whose root is `root`."""

    run: str
    record: bytes
    nonce: bytes
    row: int
    rows: int
    steps: tuple[bytes, ...]
    batch: int
    batches: int
    batch_steps: tuple[bytes, ...]
    root: bytes

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {
            "version": VERSION,
            "run": self.run,
            "record": self.record.decode(),
            "nonce": self.nonce.hex(),
            "row": self.row,
            "rows": self.rows,
            "steps": [step.hex() for step in self.steps],
            "batch": self.batch,
            "batches": self.batches,
            "batchSteps": [step.hex() for step in self.batch_steps],
            "root": self.root.hex(),
        }


def prove(run: str, record: bytes, key: bytes, batches: Iterable[Sequence[bytes]]) -> RecordProof:
    """
    The proof for a record, from the leaf hashes of all batches, of which one is looked at at a time; `Malformed` where
    no row of them is this record.
    """
    own, hashes, found = run_key(key, run), list[bytes](), None
    for number, batch in enumerate(batches):
        hashes.append(_batch(batch))
        if found is None and (place := _place_of(record, own, number, batch)) is not None:
            row, nonce = place
            steps = tuple(tree.prove_inclusion(row, len(batch), tree.nodes_of(batch)))
            found = number, row, nonce, len(batch), steps
    if found is None:
        raise Malformed(f"no row of run {run} is this record")
    number, row, nonce, rows, steps = found
    above = tuple(tree.prove_inclusion(number, len(hashes), tree.nodes_of(hashes)))
    return RecordProof(run, record, nonce, row, rows, steps, number, len(hashes), above, _root(hashes))


def _place_of(record: bytes, key: bytes, number: int, batch: Sequence[bytes]) -> tuple[int, bytes] | None:
    """The first row of a batch that is this record, and its nonce."""
    for row, (nonce, leaf) in enumerate(zip(_nonces(key, number), batch, strict=False)):
        if _leaf(record, nonce) == leaf:
            return row, nonce
    return None


def holds(proof: RecordProof) -> bool:
    """Whether a proof leads from its record to its root."""
    leaf = _leaf(proof.record, proof.nonce)
    batch = _climb(proof.row, proof.rows, leaf, proof.steps)
    if batch is None:
        return False
    run = _climb(proof.batch, proof.batches, _sized(proof.rows, batch), proof.batch_steps)
    return run is not None and _sized(proof.batches, run) == proof.root


def _climb(index: int, size: int, leaf: bytes, steps: Sequence[bytes]) -> bytes | None:
    """The root that the steps lead to from a leaf; None where they can't be those of its place."""
    ranges = tree.inclusion_ranges(index, size) if 0 <= index < size else None
    if ranges is None or len(ranges) != len(steps):
        return None
    for (start, _), step in zip(ranges, steps, strict=True):
        leaf = tree.node_hash(step, leaf) if start < index else tree.node_hash(leaf, step)
    return leaf


def _batch(leaf_hashes: Sequence[bytes]) -> bytes:
    """A leaf hash of the run's tree."""
    return _sized(len(leaf_hashes), tree.root_of(leaf_hashes))


def _root(hashes: Sequence[bytes]) -> bytes:
    return _sized(len(hashes), tree.root_of(hashes))


def _sized(size: int, hashed: bytes) -> bytes:
    return tree.leaf_hash(_SIZE.pack(size) + hashed)


def _nonces(key: bytes, batch: int) -> Iterator[bytes]:
    for row in count():
        yield hashlib.blake2b(_PLACE.pack(batch, row), key=key, digest_size=32).digest()


def _leaf(record: bytes, nonce: bytes) -> bytes:
    return tree.leaf_hash(hashlib.blake2b(record, key=nonce, digest_size=32).digest())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
