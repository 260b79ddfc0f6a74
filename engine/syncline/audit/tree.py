"""Merkle tree hashing and proofs (RFC 6962 section 2.1, RFC 9162 section 2.1), over SHA-256.

Pure: no files, no signatures. A tree is addressed by its *perfect nodes*: node ``(level, index)`` is the hash
of the ``2**level`` leaves from ``index * 2**level``. Whoever stores such nodes (a list, a directory of tiles)
gives a ``NodeReader``, and every root and proof follows from it.

A *subtree* ``[start, end)`` is valid when ``start`` is a multiple of the smallest power of two that is at
least ``end - start``; its hash is then the RFC 6962 hash of those leaves (draft-ietf-plants-merkle-tree-certs,
section 4). The whole tree is the subtree ``[0, size)``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeReader: TypeAlias = Callable[[int, int], bytes]
"""``(level, index)`` of a perfect node to its 32-byte hash."""

Range: TypeAlias = tuple[int, int]
"""``(start, end)`` of consecutive leaves, end excluded."""


def leaf_hash(data: bytes) -> bytes:
    """Return the 32-byte hash of one entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over these leaf hashes; the hash of nothing when there are none."""
    level = list(leaf_hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


def nodes_of(leaf_hashes: Sequence[bytes]) -> NodeReader:
    """Return a reader over leaf hashes held in memory (for tests and small trees)."""

    def read(level: int, index: int) -> bytes:
        return root_of(leaf_hashes[index << level : (index + 1) << level])

    return read


def perfect_nodes(start: int, end: int) -> list[tuple[int, int]]:
    """Split the valid subtree ``[start, end)`` into its perfect nodes ``(level, index)``, left to right."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def range_hash(span: Range, read: NodeReader) -> bytes:
    """Return the hash of a valid subtree, from its perfect nodes."""
    nodes = perfect_nodes(*span)
    if not nodes:
        return EMPTY_ROOT
    result = read(*nodes[-1])
    for node in reversed(nodes[:-1]):
        result = node_hash(read(*node), result)
    return result


def is_valid_subtree(start: int, end: int) -> bool:
    """Whether ``[start, end)`` is a subtree that has a hash of its own."""
    return 0 <= start <= end and (start == end or start % (1 << (end - start - 1).bit_length()) == 0)


# --- proofs, as the ranges whose hashes they consist of -------------------------------------------------


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Ranges whose hashes prove leaf ``index`` in the tree of ``size``, from the leaf's sibling upwards."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of size {size}")
    low, high = 0, size
    ranges: list[Range] = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_ranges(start: int, end: int, size: int) -> list[Range]:
    """Ranges whose hashes prove that subtree ``[start, end)`` is part of the tree of ``size``.

    With ``start == 0`` this is the RFC 9162 proof that a tree of ``size`` continues one of size ``end``.
    """
    if not is_valid_subtree(start, end) or start == end or end > size:
        raise ValueError(f"[{start}, {end}) is not a subtree of a tree of size {size}")
    low, high = 0, size
    ranges: list[Range] = []
    whole = True
    while (start, end) != (low, high):
        middle = low + _split(high - low)
        if end <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
            if start < middle:  # the subtree spans the split, so its left half is exactly this range
                start, whole = middle, False
    if not whole:
        ranges.append((low, high))
    return ranges[::-1]


def prove_inclusion(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Return the inclusion proof of a leaf (RFC 9162 section 2.1.3.1)."""
    return [range_hash(span, read) for span in inclusion_ranges(index, size)]


def prove_consistency(old_size: int, new_size: int, read: NodeReader) -> list[bytes]:
    """Return the proof that the tree of ``new_size`` continues that of ``old_size`` (section 2.1.4.1)."""
    return [range_hash(span, read) for span in consistency_ranges(0, old_size, new_size)]


# --- verification ---------------------------------------------------------------------------------------


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows the leaf hash at ``index`` under ``root`` (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size or any(len(item) != HASH_SIZE for item in (leaf, *proof)):
        return False
    node, last, result = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(step, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, step)
        node, last = node >> 1, last >> 1
    return last == 0 and result == root


def verify_subtree_inclusion(
    index: int, start: int, end: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether ``proof`` shows the leaf hash at ``index`` under the hash of the subtree ``[start, end)``."""
    return is_valid_subtree(start, end) and verify_inclusion(index - start, end - start, leaf, proof, root)


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of ``new_size`` provably continues that of ``old_size`` (RFC 9162 section 2.1.4.2).

    An empty old tree is refused: everything continues it, so such a proof says nothing.
    """
    return old_size > 0 and verify_subtree_consistency(0, old_size, new_size, old_root, new_root, proof)


def verify_subtree_consistency(
    start: int, end: int, size: int, subtree: bytes, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether ``subtree`` provably is the hash of ``[start, end)`` in the tree of ``size`` under ``root``.

    An empty subtree is part of every tree: its hash must be that of nothing, and its proof empty.
    """
    if not is_valid_subtree(start, end) or end > size or any(len(step) != HASH_SIZE for step in proof):
        return False
    if start == end:
        return not proof and subtree == EMPTY_ROOT
    first, node, last = start, end - 1, size - 1
    while first != node and (node & 1 or node == last):
        first, node, last = first >> 1, node >> 1, last >> 1
    steps = list(proof)
    if first == node:
        seed = subtree
    elif steps:
        seed = steps.pop(0)
    else:
        return False
    inner = outer = seed
    for step in steps:
        if last == 0:
            return False
        if node & 1 or node == last:
            if first < node:
                inner = node_hash(step, inner)
            outer = node_hash(step, outer)
            while not node & 1 and node:
                first, node, last = first >> 1, node >> 1, last >> 1
        else:
            outer = node_hash(outer, step)
        first, node, last = first >> 1, node >> 1, last >> 1
    return last == 0 and inner == subtree and outer == root


def _split(size: int) -> int:
    """Return the largest power of two smaller than ``size`` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)
