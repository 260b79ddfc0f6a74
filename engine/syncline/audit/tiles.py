"""Where the parts of a tiled log lie, and how an entry bundle is written (C2SP tlog-tiles).

Pure: paths and bytes only. A tile holds up to 256 consecutive hashes of one tree level (every eighth level of
the binary tree); an entry bundle holds the up to 256 entries under a level-0 tile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from syncline.audit import tree
from syncline.audit.malformed import Malformed

WIDTH: Final = 256
"""Hashes in a full tile, entries in a full bundle."""

HEIGHT: Final = 8
"""Levels of the binary tree that one tile level spans; ``2 ** HEIGHT == WIDTH``."""

ENTRIES: Final = -1
"""The level of an entry bundle, which lies beside the tiles as ``tile/entries``."""

MAX_ENTRY: Final = 65_535
"""Longest entry, in bytes: bundles give lengths in two bytes."""

CHECKPOINT: Final = "checkpoint"

COSIGNED: Final = "cosigned"
"""The newest checkpoint that witnesses were asked to cosign, with what they signed; often older than the log is."""

_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)((?:/x[0-9]{3})*/[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class Tile(Struct, frozen=True):
    """One stored resource: ``width`` hashes (or entries) from number ``index * 256`` at its level."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path under the log's prefix, such as ``tile/0/x001/234.p/7``."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{name}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @property
    def full(self) -> Tile:
        """The full tile that this one is, or will be, a prefix of."""
        return Tile(self.level, self.index)

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read a path strictly: exactly the string that ``path`` gives back, or ``Malformed``."""
        found = _PATH.fullmatch(path)
        if found is None:
            raise Malformed(f"{path!r} is not the path of a tile")
        level, name, width = found.groups()
        index = int(name.replace("/", "").replace("x", ""))
        tile = cls(ENTRIES if level == "entries" else int(level), index, int(width or WIDTH))
        if tile.path != path or tile.level > 63:
            raise Malformed(f"{path!r} is not the path of a tile")
        return tile


def hashes_at(level: int, size: int) -> int:
    """Return how many hashes (entries for ``ENTRIES``) a tree of ``size`` has at a tile level."""
    return size >> (HEIGHT * max(level, 0))


def tiles_at(level: int, size: int, start: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a level for a tree of ``size``, from tile number ``start``; the last may be partial."""
    count = hashes_at(level, size)
    for index in range(start, -(-count // WIDTH)):
        yield Tile(level, index, min(WIDTH, count - index * WIDTH))


def levels_of(size: int) -> range:
    """Return the tile levels that a tree of ``size`` has."""
    return range((max(size.bit_length(), 1) - 1) // HEIGHT + 1) if size else range(0)


def node_place(level: int, index: int) -> tuple[Tile, int, int]:
    """Return where a perfect node comes from: its tile (full), and first and last-plus-one hash in it."""
    tile_level, inner = divmod(level, HEIGHT)
    first = index << inner
    tile = Tile(tile_level, first // WIDTH)
    offset = first % WIDTH
    return tile, offset, offset + (1 << inner)


def split_hashes(data: bytes) -> list[bytes]:
    """Split a tile's bytes into its hashes."""
    if len(data) % tree.HASH_SIZE:
        raise Malformed(f"a tile of {len(data)} bytes is not a sequence of 32-byte hashes")
    return [data[i : i + tree.HASH_SIZE] for i in range(0, len(data), tree.HASH_SIZE)]


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Join entries, each behind its length as a big-endian uint16."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise Malformed(f"an entry of {len(entry)} bytes is longer than {MAX_ENTRY}")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_bundle(data: bytes) -> list[bytes]:
    """Split a bundle into entries; ``Malformed`` names the first entry that is cut."""
    entries: list[bytes] = []
    at, size = 0, len(data)
    while at < size:
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        if end > size:
            raise Malformed(f"entry {len(entries)} of the bundle is cut", entry=len(entries))
        entries.append(data[start:end])
        at = end
    return entries
