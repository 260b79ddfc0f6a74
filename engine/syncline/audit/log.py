"""The append-only log in a directory, in the layout of C2SP tlog-tiles: one writer at a time, many readers.

Promises:

- An index is returned only when its entry, its tiles and a checkpoint that covers them are on disk.
- A checkpoint that was signed is never contradicted. Files beyond the checkpoint are drafts of a writer that died: they
  mean nothing, and the next batch removes them first. Files that a checkpoint covers are never written again.
- A batch is signed once, and is in the log whole or not at all.

A failed write or fsync raises, and the batch is not in the log unless the checkpoint says so: nothing is retried on a
descriptor that failed. The order in `_commit` makes this true; `test_log.py` dies at each of its system calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from msgspec import Struct

from syncline.audit import canonical_json, durable, key_change, tiles, tree
from syncline.audit import checkpoint as checkpoints
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.fetch import DirectoryFetcher, fetch_tile, node_reader, read_entries
from syncline.audit.key_change import KeyChange
from syncline.audit.malformed import Malformed
from syncline.audit.note import Signer
from syncline.audit.tiles import ENTRIES, WIDTH, Tile
from syncline.audit.waiting import lock
from syncline.model.errors import Invalid, Stalled
from syncline.model.event import Event, to_ocsf

_LOCK = ".lock"

_Node: TypeAlias = tuple[int, int]  # level and index of a perfect node


class Receipt(Struct, frozen=True):
    """Where a batch went: its entries have the indexes `[start, end)`, covered by this checkpoint (a signed note)."""

    start: int
    end: int
    checkpoint: Checkpoint
    note: bytes


@dataclass(slots=True)
class _Tip:
    """The right edge: what the next batch continues.

    `edge[level]` are the hashes of the last, unfilled tile; `peaks` are the perfect nodes that the root is made of.
    """

    note: bytes
    checkpoint: Checkpoint
    edge: list[list[bytes]]
    peaks: dict[_Node, bytes]
    bundle: bytes


def encode_event(event: Event, more: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    """The entry for an event: its OCSF form as RFC 8785 JSON, at most 65,535 bytes (else Invalid).

    `more` has members for readers of other formats.
    """
    entry = canonical_json.dumps({**to_ocsf(event), **more})
    if len(entry) > tiles.MAX_ENTRY:
        raise Invalid(
            f"an audit event of {event.action.value} has {len(entry)} bytes, more than {tiles.MAX_ENTRY}", code="SYN903"
        )
    return entry


class AuditLog:
    """A log open for appending. Threads and processes may each open the same directory."""

    def __init__(
        self, directory: Path, signer: Signer, origin: str, renewed: Callable[[], Signer] | None = None
    ) -> None:
        self._directory = directory
        self._prefix = f"{directory}/"  # paths are joined as text, which takes a tenth of what pathlib does
        self._reader = DirectoryFetcher(directory)
        self._signer = signer
        self._renewed = renewed
        self._origin = origin
        self._tip: _Tip | None = None

    @classmethod
    def open(
        cls, directory: Path, signer: Signer, origin: str, renewed: Callable[[], Signer] | None = None
    ) -> AuditLog:
        """
        Open the log, starting it when the directory is empty; Stalled when its tip is damaged or another's.

        `renewed` gives the key that signs by now, where another process has changed it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        log = cls(directory, signer, origin, renewed)
        with log._locked():
            log._refresh()
        return log

    @property
    def directory(self) -> Path:
        """Where the log lies."""
        return self._directory

    def checkpoint(self) -> tuple[Checkpoint, bytes]:
        """The checkpoint on disk now, and its signed note."""
        note = self._reader.fetch(tiles.CHECKPOINT)
        try:
            return self._verified(note), note
        except Stalled:
            # Another thread may have taken up another key between the two.
            again = self._reader.fetch(tiles.CHECKPOINT)
            if again == note:
                raise
            return self._verified(again), again

    def append(self, events: Sequence[Event]) -> Receipt:
        """Append a batch of events; durable when this returns."""
        return self.append_entries([encode_event(event) for event in events])

    def append_entries(self, entries: Sequence[bytes]) -> Receipt:
        """Append entries of at most 65,535 bytes each; durable when this returns."""
        with self._locked():
            tip = self._refresh()
            if not entries:
                return Receipt(tip.checkpoint.size, tip.checkpoint.size, tip.checkpoint, tip.note)
            return self._write(tip, entries, self._signer)

    def change_signer(self, signer: Signer, entry: Callable[[KeyChange], bytes]) -> Receipt:
        """
        Have another key sign from now on. The first thing that it signs is the entry that tells of the change, which
        `entry` makes of it; the former key has signed that too. Durable when this returns; before, nothing has changed.
        """
        with self._locked():
            tip = self._refresh()
            receipt = self._write(tip, [entry(key_change.sign(tip.checkpoint, self._signer, signer))], signer)
            self._signer = signer
            return receipt

    def _write(self, tip: _Tip, entries: Sequence[bytes], signer: Signer) -> Receipt:
        # From here on the cached tip is unsure: should anything raise, the next append reads it anew.
        self._tip = None
        try:
            return self._commit(tip, entries, signer)
        except OSError as error:
            raise Stalled(
                f"the audit log in {self._directory} cannot be written: {error.strerror or error}",
                code="SYN905",
                help="Make room or repair the disk; the log goes on from its last checkpoint.",
            ) from error

    def _commit(self, tip: _Tip, entries: Sequence[bytes], signer: Signer) -> Receipt:
        """Write entries and tiles, then the checkpoint that makes them count."""
        start, size = tip.checkpoint.size, tip.checkpoint.size + len(entries)
        self._drop_drafts(start)
        batch = _Batch(tip, entries)
        for tile, data in batch.files:
            self._write_tile(tile.path, data)
        for folder in {tile.path.rpartition("/")[0] for tile, _ in batch.files}:
            self._sync_folder(folder)
        peaks = _peaks(batch.edge, size, tip.peaks)
        head = Checkpoint(self._origin, size, _root(peaks, size))
        note = checkpoints.sign(head, [signer])
        self._write_checkpoint(note)
        self._tip = _Tip(note, head, batch.edge, peaks, batch.bundle)
        for tile, _ in batch.files:
            if tile.width == WIDTH:
                self._drop_partials(tile)
        return Receipt(start, size, head, note)

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries, from the tiles; `Stalled` where these lack something."""
        try:
            return tree.range_hash((0, size), node_reader(self._reader, self.checkpoint()[0].size))
        except (FileNotFoundError, Malformed) as error:
            raise Stalled(
                f"the audit log in {self._directory} can't give its root at {size} entries: {error}",
                code="SYN902",
                help="Run `syncline audit verify` to see what is wrong; restore the directory from a backup.",
            ) from None

    def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the entries `[start, end)` that the checkpoint covers, without verifying them (see `verify.py`)."""
        size = self.checkpoint()[0].size
        return read_entries(self._reader, size, start, end)

    # --- the tip -----------------------------------------------------------------------------------------------------

    def _refresh(self) -> _Tip:
        """Return the tip as it is on disk (another process may have moved it). Call it under the lock."""
        try:
            note = self._reader.fetch(tiles.CHECKPOINT)
        except FileNotFoundError:
            return self._start()
        if self._tip is not None and self._tip.note == note:
            return self._tip
        head = self._verified(note)
        edge = []
        for level in tiles.levels_of(head.size):
            count = tiles.hashes_at(level, head.size)
            partial = Tile(level, count // WIDTH, count % WIDTH)
            edge.append(tiles.split_hashes(self._read_tile(partial)) if partial.width else [])
        rest = head.size % WIDTH
        bundle = self._read_tile(Tile(ENTRIES, head.size // WIDTH, rest)) if rest else b""
        try:
            peaks = _peaks(edge, head.size)
            root, entries = _root(peaks, head.size), tiles.decode_bundle(bundle)
        except (Malformed, IndexError):
            peaks, root, entries = {}, b"", []
        if root != head.root or (rest and [tree.leaf_hash(entry) for entry in entries] != edge[0]):
            raise Stalled(
                f"the audit log in {self._directory} is damaged at its end: its tiles do not give the signed root",
                code="SYN902",
                help="Run `syncline audit verify` to see what is wrong; restore the directory from a backup.",
            )
        self._tip = _Tip(note, head, edge, peaks, bundle)
        return self._tip

    def _start(self) -> _Tip:
        if (self._directory / "tile").exists():
            # The first checkpoint is written before any tile: here it was lost, and starting anew would fork the log.
            raise Stalled(
                f"the audit log in {self._directory} has entries but no checkpoint",
                code="SYN902",
                help="Restore the file `checkpoint` from a backup.",
            )
        head = Checkpoint(self._origin, 0, tree.EMPTY_ROOT)
        note = checkpoints.sign(head, [self._signer])
        self._write_checkpoint(note)
        self._tip = _Tip(note, head, [], {}, b"")
        return self._tip

    def _verified(self, note: bytes) -> Checkpoint:
        if (tip := self._tip) is not None and tip.note == note:
            return tip.checkpoint  # to verify a signature takes longer than all else that an append computes
        try:
            try:
                return checkpoints.verify(note, self._origin, [self._signer.verifier])
            except Malformed:
                if self._renewed is None:
                    raise
                # Another process may have changed the key.
                self._signer = self._renewed()
                return checkpoints.verify(note, self._origin, [self._signer.verifier])
        except Malformed as error:
            raise Stalled(
                f"the checkpoint of the audit log in {self._directory} is not valid: {error}",
                code="SYN902",
                help="Use the key that signs this log, or restore the directory from a backup.",
            ) from None

    # --- files -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the log against other writers; the kernel releases it when the process dies."""
        descriptor = os.open(self._prefix + _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock(descriptor, "the audit log")
            yield
        finally:
            os.close(descriptor)

    def _read_tile(self, tile: Tile) -> bytes:
        try:
            return fetch_tile(self._reader, tile)[1]
        except FileNotFoundError:
            raise Stalled(
                f"the audit log in {self._directory} lacks {tile.path}",
                code="SYN902",
                help="Restore the directory from a backup.",
            ) from None

    def _write_tile(self, path: str, data: bytes) -> None:
        """Put a tile or bundle on disk. It is a draft until a checkpoint covers it, so it needs no other name first."""
        path = self._prefix + path
        try:
            descriptor = os.open(path, durable.NEW_FILE, 0o644)
        except FileNotFoundError:
            self._make_folder(Path(path).parent)
            descriptor = os.open(path, durable.NEW_FILE, 0o644)
        durable.fill(descriptor, data)

    def _write_checkpoint(self, note: bytes) -> None:
        """Put a checkpoint in place of the last one; its content is on disk before its name is."""
        durable.replace(self._directory, tiles.CHECKPOINT, note)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder with the folders above it, each name on disk."""
        if folder.exists():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self._sync_folder(str(folder.parent.relative_to(self._directory)))

    def _sync_folder(self, path: str) -> None:
        durable.sync_folder(self._prefix + path)

    def _drop_drafts(self, size: int) -> None:
        """Remove what a writer that died left beyond the checkpoint, which a later one might seem to cover."""
        for name in _names(f"{self._prefix}tile"):
            drafts = list(self._drafts(ENTRIES if name == "entries" else int(name), size))
            for draft in reversed(drafts):  # from the end, so that what a crash leaves of them is found again
                Path(draft).unlink()

    def _drafts(self, level: int, size: int) -> Iterator[str]:
        """Yield the files of a level beyond `size`. Batches write tiles in order, so nothing lies after a gap."""
        index, width = divmod(tiles.hashes_at(level, size), WIDTH)
        while True:
            full = self._prefix + Tile(level, index).path
            for name in _names(f"{full}.p"):
                if not name.isdigit() or int(name) > width:
                    yield f"{full}.p/{name}"
            if not Path(full).exists():
                return
            yield full
            index, width = index + 1, 0

    def _drop_partials(self, tile: Tile) -> None:
        """Remove the partial tiles that a full one has made superfluous. Losing this work to a crash does no harm."""
        folder = self._directory / f"{tile.path}.p"
        if folder.is_dir():
            for partial in folder.iterdir():
                partial.unlink(missing_ok=True)
            folder.rmdir()


def _names(folder: str) -> list[str]:
    """What lies in a folder; nothing when there is none."""
    try:
        with os.scandir(folder) as found:
            return [file.name for file in found]
    except (FileNotFoundError, NotADirectoryError):
        return []


class _Batch:
    """The files that a batch adds, and the edge after it. Pure."""

    def __init__(self, tip: _Tip, entries: Sequence[bytes]) -> None:
        self.files: list[tuple[Tile, bytes]] = []
        self.edge: list[list[bytes]] = []
        self.bundle = self._bundles(tip, entries)
        fresh = [tree.leaf_hash(entry) for entry in entries]
        level = 0
        while fresh:
            fresh = self._level(level, tip, fresh)
            level += 1
        self.edge += tip.edge[level:]

    def _bundles(self, tip: _Tip, entries: Sequence[bytes]) -> bytes:
        index, width = divmod(tip.checkpoint.size, WIDTH)
        data, at = tip.bundle, 0
        while at < len(entries):
            taken = entries[at : at + WIDTH - width]
            data += tiles.encode_bundle(taken)
            at, width = at + len(taken), width + len(taken)
            self.files.append((Tile(ENTRIES, index, width), data))
            if width == WIDTH:
                data, width, index = b"", 0, index + 1
        return data

    def _level(self, level: int, tip: _Tip, fresh: list[bytes]) -> list[bytes]:
        """Add hashes at a level; return the hashes of the tiles this filled, which go one level up."""
        hashes = (tip.edge[level] if level < len(tip.edge) else []) + fresh
        index = tiles.hashes_at(level, tip.checkpoint.size) // WIDTH
        above = []
        for at in range(0, len(hashes), WIDTH):
            part = hashes[at : at + WIDTH]
            self.files.append((Tile(level, index, len(part)), b"".join(part)))
            if len(part) == WIDTH:
                above.append(tree.root_of(part))
            index += 1
        self.edge.append([] if len(hashes) % WIDTH == 0 else hashes[-(len(hashes) % WIDTH) :])
        return above


def _peaks(
    edge: Sequence[Sequence[bytes]], size: int, known: Mapping[_Node, bytes] = MappingProxyType({})
) -> dict[_Node, bytes]:
    """The perfect nodes that the root is made of. A perfect node never changes, so a known one isn't hashed again."""
    read = _edge_reader(edge, size)
    return {node: known[node] if node in known else read(*node) for node in tree.perfect_nodes(0, size)}


def _root(peaks: Mapping[_Node, bytes], size: int) -> bytes:
    return tree.range_hash((0, size), lambda level, index: peaks[level, index])


def _edge_reader(edge: Sequence[Sequence[bytes]], size: int) -> tree.NodeReader:
    """Read the perfect nodes that the root is made of: all of them lie in the unfilled tiles of the right edge."""

    def read(level: int, index: int) -> bytes:
        tile, first, last = tiles.node_place(level, index)
        if tile.index != tiles.hashes_at(tile.level, size) // WIDTH:
            raise IndexError(f"node {level}/{index} is not on the right edge")
        part = edge[tile.level][first:last]
        if len(part) != last - first:
            raise IndexError(f"node {level}/{index} is beyond the tree")
        return tree.root_of(part)

    return read
