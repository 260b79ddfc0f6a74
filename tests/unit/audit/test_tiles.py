from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.audit import tiles
from syncline.audit.malformed import Malformed
from syncline.audit.tiles import ENTRIES, Tile


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(ENTRIES, 1_000, 17), "tile/entries/x001/000.p/17"),
        (Tile(2, 999, 1), "tile/2/999.p/1"),
        (Tile(63, 255_255), "tile/63/x255/255"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str):
    """Tile numbers are written in groups of three digits, all but the last behind an x."""
    assert tile.path == path
    assert Tile.parse(path) == tile


@given(st.builds(Tile, st.integers(-1, 63), st.integers(0, 10**12), st.integers(1, 256)))
def test_every_path_reads_back(tile: Tile):
    """Reading a tile's path gives the tile."""
    assert Tile.parse(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    ["tile/00/000", "tile/64/000", "tile/0/1", "tile/0/x000/001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/07",
     "tile/0/../checkpoint", "tile/entries/000/", "/tile/0/000", "tile/0/000\n", "tile/0/٠٠٠", "checkpoint"],
)  # fmt: skip
def test_other_spellings_of_a_path_are_refused(path: str):
    """A tile has one path only."""
    with pytest.raises(Malformed):
        Tile.parse(path)


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts():
    """The example of tlog-tiles: 273 full and one partial tile, then one and one, then one."""
    widths = [[tile.width for tile in tiles.tiles_at(level, 70_000)] for level in tiles.levels_of(70_000)]

    assert widths == [[256] * 273 + [112], [256, 17], [1]]
    assert [t.path for t in tiles.tiles_at(1, 256)] == ["tile/1/000.p/1"]
    assert list(tiles.levels_of(0)) == []
    assert list(tiles.levels_of(255)) == [0]
    assert list(tiles.levels_of(256)) == [0, 1]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_read_back(entries: list[bytes]):
    """Decoding a bundle gives the entries, empty ones included."""
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


def test_a_cut_bundle_names_the_cut_entry():
    """An entry shorter than its length says is refused by its number."""
    data = tiles.encode_bundle([b"one", b"two", b"three"])

    for cut, entry in ((1, 2), (5, 2), (6, 2), (8, 1)):
        with pytest.raises(Malformed) as caught:
            tiles.decode_bundle(data[:-cut])
        assert caught.value.entry == entry


def test_an_entry_too_long_is_refused():
    """Entries of 65,535 bytes fit, one more does not."""
    assert len(tiles.encode_bundle([b"x" * 65_535])) == 65_537
    with pytest.raises(Malformed, match="longer"):
        tiles.encode_bundle([b"x" * 65_536])
