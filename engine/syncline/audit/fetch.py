"""The public read side of a log: paths to bytes. Verifying, proving and exporting see a log through this only.

The same paths serve a directory, a web server or an evidence bundle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from syncline.audit import tiles, tree
from syncline.audit.malformed import Malformed
from syncline.audit.tiles import ENTRIES, Tile

MAX_FILE: Final = tiles.WIDTH * (tiles.MAX_ENTRY + 2)
"""Bytes of the largest possible part of a log, a full bundle of the longest entries: about 17 MB."""


class Fetcher(Protocol):
    """Reads the parts of one log."""

    def fetch(self, path: str) -> bytes:
        """Return what lies at a path under the log's prefix; raises FileNotFoundError, or Malformed when too long."""
        ...

    def paths(self) -> Iterator[str]:
        """Yield every path there is, where that can be known; nothing else."""
        ...


class DirectoryFetcher(Struct, frozen=True):
    """A log in a directory. Files whose names begin with a dot are the writer's own and are passed over."""

    directory: Path

    def fetch(self, path: str) -> bytes:
        """Return a file's bytes; a symbolic link is refused."""
        try:
            descriptor = os.open(f"{self.directory}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except NotADirectoryError:
            raise FileNotFoundError(path) from None
        with os.fdopen(descriptor, "rb") as file:
            # `read` makes room for as much as it is asked for, and MAX_FILE is much.
            data = file.read(min(os.fstat(descriptor).st_size, MAX_FILE) + 1)
        if len(data) > MAX_FILE:
            raise Malformed(f"{path} is longer than any part of a log")
        return data

    def paths(self) -> Iterator[str]:
        """Yield the paths of all files, in order."""
        for folder, folders, files in os.walk(self.directory):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith("."):
                    yield (Path(folder) / name).relative_to(self.directory).as_posix()


def fetch_tile(fetcher: Fetcher, tile: Tile) -> tuple[str, bytes]:
    """Return where a tile or bundle was found and its bytes; FileNotFoundError when it is nowhere.

    A partial tile may have been replaced by the full one, which begins with it (tlog-tiles, "Partial Tiles").
    """
    try:
        return tile.path, fetcher.fetch(tile.path)
    except FileNotFoundError:
        if tile == tile.full:
            raise
    data = fetcher.fetch(tile.full.path)
    if tile.level == ENTRIES:
        return tile.full.path, tiles.encode_bundle(tiles.decode_bundle(data)[: tile.width])
    return tile.full.path, data[: tile.width * tree.HASH_SIZE]


def read_entries(fetcher: Fetcher, size: int, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Yield the entries `[start, end)` of a log of `size`, without verifying them."""
    end = size if end is None else min(end, size)
    for tile in tiles.tiles_at(ENTRIES, end, start // tiles.WIDTH):
        first = tile.index * tiles.WIDTH
        whole = Tile(ENTRIES, tile.index, min(tiles.WIDTH, size - first))
        yield from tiles.decode_bundle(fetch_tile(fetcher, whole)[1])[max(start - first, 0) : end - first]


def node_reader(fetcher: Fetcher, size: int) -> tree.NodeReader:
    """Read perfect nodes of the tree of `size` from its tiles, each tile once."""
    seen: dict[Tile, list[bytes]] = {}

    def read(level: int, index: int) -> bytes:
        tile, first, last = tiles.node_place(level, index)
        tile = Tile(
            tile.level, tile.index, min(tiles.WIDTH, tiles.hashes_at(tile.level, size) - tile.index * tiles.WIDTH)
        )
        if tile not in seen:
            hashes = tiles.split_hashes(fetch_tile(fetcher, tile)[1])
            if len(hashes) != tile.width:
                raise Malformed(f"{tile.path} has {len(hashes)} hashes instead of {tile.width}")
            seen[tile] = hashes
        return tree.root_of(seen[tile][first:last])

    return read
