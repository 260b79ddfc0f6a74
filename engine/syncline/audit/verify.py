"""Verify a whole log from its public read side: recompute all from the entries and hold it against the signature.

The verifier shares no code path with the writer but the pure formats. It answers three questions: is the checkpoint
signed by the log's key; do the entries give its root; and if not, which file is wrong, and which entry is the first.

How it finds the culprit: the signed root is the only anchor. Where entries and tiles disagree, the side that hashes to
the anchor is right. So trust goes from the root down: the tiles of the right edge are right when they give the root, a
full tile is right when it hashes to its parent's entry, and a log entry is right when it hashes to its level-0 tile.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from syncline.audit import checkpoint as checkpoints
from syncline.audit import key_change, note, tiles, tree
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.cosigning import verify_cosigned
from syncline.audit.fetch import Fetcher, fetch_tile
from syncline.audit.key_change import KeyChange, KeyHistory
from syncline.audit.malformed import Malformed
from syncline.audit.note import VerifierKey
from syncline.audit.tiles import ENTRIES, WIDTH, Tile
from syncline.audit.witness_policy import WitnessPolicy


class Finding(Struct, frozen=True):
    """One thing that is wrong: the file (a path under the log), the number of the first bad entry in it, and what."""

    file: str
    message: str
    entry: int | None = None


class Cosigned(Struct, frozen=True):
    """Up to how many entries the log is cosigned as demanded, and by which witnesses of the policy."""

    size: int
    witnesses: tuple[str, ...]


class Verification(Struct, frozen=True):
    """What verification found. `checkpoint` is None when it can't be trusted, and then nothing else was looked at."""

    checkpoint: Checkpoint | None
    findings: tuple[Finding, ...] = ()
    cosigned: Cosigned | None = None

    @property
    def ok(self) -> bool:
        """Whether every byte of the log is what was signed."""
        return not self.findings

    @property
    def first_bad_entry(self) -> int | None:
        """The lowest number of an entry that is not what was signed."""
        return min((finding.entry for finding in self.findings if finding.entry is not None), default=None)


def verify(
    fetcher: Fetcher,
    origin: str,
    keys: Sequence[VerifierKey],
    since: Checkpoint | None = None,
    policy: WitnessPolicy | None = None,
) -> Verification:
    """Verify a log against a trusted key, and that it continues an earlier checkpoint when one is given.

    The key may be one that others have followed, or that followed others: each change must be signed by the key that
    signed until then. With a policy, the cosigned checkpoint beside it must have the cosignatures that it demands, and
    be continued.
    """
    try:
        opened = _open(fetcher, origin, keys)
    except (OSError, Malformed) as error:
        return Verification(None, (Finding(tiles.CHECKPOINT, _reason(error)),))
    head, signers = opened.head, opened.signers
    log = _Log(fetcher, head)
    if opened.problem:
        log.report(tiles.CHECKPOINT, opened.problem)
    log.check_tree()
    log.check_entries()
    log.check_leftovers()
    log.check_changes(signers.changes, opened.wrong)
    log.check_history(since)
    cosigned = log.check_cosigned(signers, policy)
    found = tuple(sorted(log.findings, key=lambda f: (f.entry is None, f.entry or 0, f.file)))
    return Verification(head, found, cosigned)


class _Opened(Struct, frozen=True):
    """A checkpoint that is signed, the keys of the log, and what is wrong with these: as a whole, and by entry."""

    head: Checkpoint
    signers: KeyHistory
    wrong: Mapping[int, str]
    problem: str = ""


def _open(fetcher: Fetcher, origin: str, keys: Sequence[VerifierKey]) -> _Opened:
    """The checkpoint, signed by a key that is trusted, or by the one that changes lead to from there."""
    data = fetcher.fetch(tiles.CHECKPOINT)
    signed = any(line.key_id in {key.key_id for key in keys} for line in note.parse(data).signatures)
    head = checkpoints.verify(data, origin, keys) if signed else checkpoints.unverified(data)
    # Of a size that nobody signed, entries are read as far as they go.
    found = dict(key_change.changes_in(fetcher, head.size, throughout=signed))
    changes = [change for change in found.values() if isinstance(change, KeyChange)]
    wrong = {index: str(error) for index, error in found.items() if isinstance(error, Malformed)}
    try:
        signers = key_change.history(keys, changes)
        return _Opened(signers.verify(data, origin), signers, wrong)
    except Malformed as error:
        if not signed:
            raise
        return _Opened(head, KeyHistory(tuple(keys)), wrong, str(error))


class _Log:
    """One pass over a log. `computed` are the hashes by tile level that follow from the entries as they are."""

    def __init__(self, fetcher: Fetcher, head: Checkpoint) -> None:
        self.fetcher = fetcher
        self.head = head
        self.findings: list[Finding] = []
        self.wrong: set[str] = set()
        self.longer: set[int] = set()
        self.computed: list[list[bytes]] = [self._read_entries()] if head.size else []
        for _ in tiles.levels_of(head.size)[1:]:
            below = self.computed[-1]
            full = len(below) - len(below) % WIDTH
            self.computed.append([tree.root_of(below[at : at + WIDTH]) for at in range(0, full, WIDTH)])
        self.trusted = self.computed

    def report(self, file: str, message: str, entry: int | None = None) -> None:
        """Keep the first finding about each file."""
        if file not in self.wrong:
            self.wrong.add(file)
            self.findings.append(Finding(file, message, entry))

    # --- the tree ----------------------------------------------------------------------------------------------------

    def check_tree(self) -> None:
        """Settle which hashes are to be trusted, and report the tiles that differ from them."""
        stored = [self._read_level(level) for level in tiles.levels_of(self.head.size)]
        if _root(self.computed, self.head.size) != self.head.root:
            self.trusted = self._trust(stored)
        for level, (right, found) in enumerate(zip(self.trusted, stored, strict=True)):
            for tile in tiles.tiles_at(level, self.head.size):
                first = tile.index * WIDTH
                a, b = right[first : first + tile.width], found[first : first + tile.width]
                if a != b:
                    at = next(i for i, (x, y) in enumerate(itertools.zip_longest(a, b)) if x != y)
                    self.report(tile.path, f"hash {at} of this tile is not what was signed")

    def _trust(self, stored: list[list[bytes]]) -> list[list[bytes]]:
        """Choose, from the root down, the stored or the computed hashes of each tile."""
        size = self.head.size
        edge = self._trust_edge(stored)
        if edge is None:
            self.report(tiles.CHECKPOINT, "neither the entries nor the tiles give the root that was signed")
            edge = stored
        chosen = [list(hashes) for hashes in edge]
        for level in reversed(tiles.levels_of(size)[:-1]):
            for tile in tiles.tiles_at(level, size):
                first = tile.index * WIDTH
                if tile.width < WIDTH:
                    continue  # a tile of the right edge: settled above
                parent = chosen[level + 1][tile.index]
                for candidate in (stored[level], self.computed[level]):
                    part = candidate[first : first + WIDTH]
                    chosen[level][first : first + WIDTH] = part
                    if tree.root_of(part) == parent:
                        break
                else:
                    chosen[level][first : first + WIDTH] = stored[level][first : first + WIDTH]
                    self.report(tile.path, "this tile does not hash to its place in the tile above it")
        return chosen

    def _trust_edge(self, stored: list[list[bytes]]) -> list[list[bytes]] | None:
        """Find the combination of stored and computed right-edge tiles that gives the signed root."""
        pairs = zip(stored, self.computed, strict=True)
        for levels in itertools.product(*pairs):
            if _root(levels, self.head.size) == self.head.root:
                return list(levels)
        return None

    def _read_level(self, level: int) -> list[bytes]:
        hashes: list[bytes] = []
        for tile in tiles.tiles_at(level, self.head.size):
            path, found = tile.path, []
            try:
                path, data = fetch_tile(self.fetcher, tile)
                if len(data) != tile.width * tree.HASH_SIZE:
                    self.report(path, f"this tile has {len(data)} bytes instead of {tile.width * tree.HASH_SIZE}")
                found = tiles.split_hashes(data[: tile.width * tree.HASH_SIZE])
            except (OSError, Malformed) as error:
                self.report(path, _reason(error))
            # Missing hashes are filled in, so that those after them keep their places.
            hashes += found + [b""] * (tile.width - len(found))
        return hashes

    # --- entries -----------------------------------------------------------------------------------------------------

    def _read_entries(self) -> list[bytes]:
        hashes: list[bytes] = []
        for tile in tiles.tiles_at(ENTRIES, self.head.size):
            entries: list[bytes] = []
            with suppress(OSError, Malformed):  # every entry is missing then, which `check_entries` says
                entries = _decode(fetch_tile(self.fetcher, tile)[1])
            if len(entries) > tile.width:
                self.longer.add(tile.index)
            found = [tree.leaf_hash(entry) for entry in entries[: tile.width]]
            hashes += found + [b""] * (tile.width - len(found))
        return hashes

    def check_entries(self) -> None:
        """Report the first bad entry of every bundle."""
        for tile in tiles.tiles_at(ENTRIES, self.head.size):
            first = tile.index * WIDTH
            places = range(first, first + tile.width)
            bad = [i for i in places if self.computed[0][i] != self.trusted[0][i]]
            if bad:
                missing = not self.computed[0][bad[0]]
                more = f", nor {len(bad) - 1} more after it" if len(bad) > 1 else ""
                what = f"entry {bad[0]} cannot be read" if missing else f"entry {bad[0]} is not what was signed"
                self.report(tile.path, what + more, bad[0])
            elif tile.index in self.longer:
                self.report(tile.path, f"there are bytes after entry {places[-1]}, the last of this bundle")

    # --- what else lies there ----------------------------------------------------------------------------------------

    def check_leftovers(self) -> None:
        """Check partial tiles of earlier checkpoints, and report files that are no part of a log."""
        for path in self.fetcher.paths():
            if path in {tiles.CHECKPOINT, tiles.COSIGNED} or path in self.wrong:
                continue
            try:
                tile = Tile.parse(path)
                covered = tiles.hashes_at(tile.level, self.head.size)
                if tile.index * WIDTH + tile.width > covered:
                    continue  # a draft of a batch that was not signed
                self._check_leftover(tile, self.fetcher.fetch(path))
            except (OSError, Malformed) as error:
                self.report(path, _reason(error))

    def _check_leftover(self, tile: Tile, data: bytes) -> None:
        first = tile.index * WIDTH
        if tile.level != ENTRIES:
            if data != b"".join(self.trusted[tile.level][first : first + tile.width]):
                self.report(tile.path, "this tile is not what was signed")
            return
        found = [tree.leaf_hash(entry) for entry in _decode(data)]
        right = self.trusted[0][first : first + tile.width]
        if found != right:
            at = next(i for i, (x, y) in enumerate(itertools.zip_longest(found, right)) if x != y)
            self.report(tile.path, f"entry {first + at} is not what was signed", first + min(at, tile.width - 1))

    def check_changes(self, changes: Sequence[KeyChange], wrong: Mapping[int, str]) -> None:
        """Report a change of keys that isn't signed as it has to be, or is of another log than what comes before it."""
        problems = dict(wrong)
        for change in changes:
            if change.head.origin != self.head.origin or _root(self.trusted, change.head.size) != change.head.root:
                problems[change.head.size] = "this change of keys is of another log"
        for index, problem in problems.items():
            tile = Tile(ENTRIES, index // WIDTH, min(WIDTH, self.head.size - index // WIDTH * WIDTH))
            self.report(tile.path, f"entry {index}: {problem}", index)

    def check_history(self, since: Checkpoint | None, file: str = tiles.CHECKPOINT) -> None:
        """Report when the log does not continue an earlier checkpoint."""
        if since is None:
            return
        if since.size > self.head.size:
            self.report(file, f"the log has {self.head.size} entries, but had {since.size} before")
        elif since.origin != self.head.origin or _root(self.trusted, since.size) != since.root:
            self.report(file, f"the log does not continue the checkpoint of {since.size} entries")

    def check_cosigned(self, signers: KeyHistory, policy: WitnessPolicy | None) -> Cosigned | None:
        """Report when the cosigned checkpoint isn't what this log was, or lacks what the policy demands of it."""
        try:
            data = self.fetcher.fetch(tiles.COSIGNED)
        except FileNotFoundError:
            if policy is not None and not policy.met(()):
                self.report(tiles.COSIGNED, f"no witness has cosigned the log; the policy demands {policy.demand()}")
            return None
        try:
            since = signers.verify(data, self.head.origin)
            self.check_history(since, tiles.COSIGNED)
            if policy is None:
                return None
            _, present = verify_cosigned(data, signers.keys, policy)
            return Cosigned(since.size, tuple(witness.name for witness in present))
        except (OSError, Malformed) as error:
            self.report(tiles.COSIGNED, _reason(error))
            return None


def _root(levels: Sequence[Sequence[bytes]], size: int) -> bytes:
    def read(level: int, index: int) -> bytes:
        tile, first, last = tiles.node_place(level, index)
        start = tile.index * WIDTH
        return tree.root_of(levels[tile.level][start + first : start + last])

    return tree.range_hash((0, size), read)


def _decode(data: bytes) -> list[bytes]:
    """Decode a bundle as far as it goes; what is cut is kept as an entry, to be found wrong by its hash."""
    try:
        return tiles.decode_bundle(data)
    except Malformed as error:
        at = 0
        for _ in range(error.entry or 0):
            at += 2 + int.from_bytes(data[at : at + 2], "big")
        return [*tiles.decode_bundle(data[:at]), data[at:]]


def _reason(error: OSError | Malformed) -> str:
    if isinstance(error, FileNotFoundError):
        return "this file is missing"
    return f"this file cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
