from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline.audit import checkpoint as checkpoints
from syncline.audit import tiles, tree
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log import AuditLog
from syncline.audit.malformed import Malformed
from syncline.audit.signer import FileSigner
from syncline.audit.tiles import ENTRIES, WIDTH, Tile
from syncline.audit.verify import verify
from tests.flips import flips

ORIGIN = "syncline.test/log"


class MemoryFetcher:
    """A log in memory, for tests that change its bytes many times."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def fetch(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def paths(self) -> Iterator[str]:
        yield from sorted(self.files)

    def flip(self, path: str, at: int, bit: int) -> MemoryFetcher:
        data = bytearray(self.files[path])
        data[at] ^= 1 << bit
        return MemoryFetcher({**self.files, path: bytes(data)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryFetcher, FileSigner, list[bytes]]:
    """A log of 531 short entries in batches that leave full, partial and stale partial tiles."""
    folder = tmp_path_factory.mktemp("verify")
    signer = FileSigner.create(folder / "key", ORIGIN)
    log = AuditLog.open(folder / "log", signer, ORIGIN)
    entries = [b"entry %d" % number for number in range(531)]
    for start, end in ((0, 3), (3, 500), (500, 520), (520, 531)):
        log.append_entries(entries[start:end])
    reader = DirectoryFetcher(folder / "log")
    return MemoryFetcher({path: reader.fetch(path) for path in reader.paths()}), signer, entries


def _entry_at(data: bytes, first: int, at: int) -> int:
    """The number of the entry that byte `at` of a bundle belongs to."""
    position, number = 0, first
    while True:
        position += 2 + int.from_bytes(data[position : position + 2], "big")
        if at < position:
            return number
        number += 1


def test_an_intact_log_verifies(made):
    """A log as it was written has no findings, and the checkpoint comes back."""
    log, signer, entries = made
    found = verify(log, ORIGIN, [signer.verifier])

    assert found.findings == ()
    assert found.ok
    assert found.first_bad_entry is None
    assert found.checkpoint == Checkpoint(ORIGIN, 531, tree.root_of([tree.leaf_hash(e) for e in entries]))
    assert sorted(log.files) == sorted(
        ["checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/8", "tile/0/002.p/19", "tile/1/000.p/1", "tile/1/000.p/2",
         "tile/entries/000", "tile/entries/001", "tile/entries/002.p/8", "tile/entries/002.p/19"]
    )  # fmt: skip


@pytest.mark.parametrize(
    "path", ["checkpoint", "tile/1/000.p/1", "tile/1/000.p/2", "tile/entries/002.p/8", "tile/0/002.p/19"]
)
def test_every_flipped_byte_of_a_small_file_is_found(made, path: str):
    """Whichever byte of these files is changed, the log is refused and that very file is named."""
    log, signer, _ = made
    for at in range(len(log.files[path])):
        found = verify(log.flip(path, at, at % 8), ORIGIN, [signer.verifier])
        assert [finding.file for finding in found.findings] == [path], at


@pytest.mark.parametrize(
    "path",
    ["tile/0/000", "tile/0/001", "tile/0/002.p/8", "tile/entries/000", "tile/entries/001", "tile/entries/002.p/19"],
)
def test_every_flipped_byte_of_a_large_file_is_found(made, path: str):
    """The same of the others, by samples that meet each hash of a tile."""
    log, signer, _ = made
    for at, changed in flips(log.files[path], 29):
        found = verify(MemoryFetcher({**log.files, path: changed}), ORIGIN, [signer.verifier])
        assert [finding.file for finding in found.findings] == [path], at
        assert found.findings[0].message


@given(st.data())
def test_any_flipped_bit_is_found_and_the_first_bad_entry_named(made, data):
    """One bit of any file: refused, with the file named, and in a bundle the entry that holds the bit."""
    log, signer, _ = made
    path = data.draw(st.sampled_from(sorted(log.files)))
    at, bit = data.draw(st.integers(0, len(log.files[path]) - 1)), data.draw(st.integers(0, 7))

    found = verify(log.flip(path, at, bit), ORIGIN, [signer.verifier])

    assert not found.ok
    assert [finding.file for finding in found.findings] == [path]
    if path.startswith("tile/entries/"):
        first = Tile.parse(path).index * WIDTH
        assert found.first_bad_entry == _entry_at(log.files[path], first, at)
    else:
        assert found.first_bad_entry is None


@given(st.data())
def test_a_changed_entry_is_named_even_when_its_tiles_were_changed_to_match(made, data):
    """Someone who rewrites an entry and every tile above it, but cannot sign, is refused with that bundle named."""
    log, signer, entries = made
    number = data.draw(st.integers(0, 511))
    forged = list(entries)
    forged[number] = b"forged"
    files = dict(log.files)
    leaves = [tree.leaf_hash(entry) for entry in forged]
    full = Tile(0, number // WIDTH)
    part = slice(full.index * WIDTH, (full.index + 1) * WIDTH)
    files[full.path] = b"".join(leaves[part])
    files[Tile(ENTRIES, full.index).path] = tiles.encode_bundle(forged[part])

    found = verify(MemoryFetcher(files), ORIGIN, [signer.verifier])
    assert not found.ok
    assert full.path in {finding.file for finding in found.findings}

    files["tile/1/000.p/2"] = tree.root_of(leaves[:256]) + tree.root_of(leaves[256:512])
    found = verify(MemoryFetcher(files), ORIGIN, [signer.verifier])
    assert not found.ok
    assert "neither the entries nor the tiles" in found.findings[0].message


@given(st.data())
def test_an_entry_and_a_tile_changed_at_once_are_both_named(made, data):
    """Two bits, one in an entry and one in a tile of another place: both files are named and the entry is right."""
    log, signer, _ = made
    bundle, tile = data.draw(
        st.sampled_from(
            [("000", "tile/0/001"), ("001", "tile/0/000"), ("000", "tile/1/000.p/2"), ("002.p/19", "tile/1/000.p/2")]
        )
    )
    path = f"tile/entries/{bundle}"
    at = data.draw(st.integers(0, len(log.files[path]) - 1))
    where = data.draw(st.integers(0, len(log.files[tile]) - 1))

    found = verify(log.flip(path, at, 1).flip(tile, where, 2), ORIGIN, [signer.verifier])

    assert found.first_bad_entry == _entry_at(log.files[path], Tile.parse(path).index * WIDTH, at)
    if (path, tile) != ("tile/entries/000", "tile/1/000.p/2"):
        assert {finding.file for finding in found.findings} >= {path, tile}


def test_a_missing_or_cut_or_longer_file_is_named(made):
    """Removing, cutting or extending any part of the log is found."""
    log, signer, _ = made
    for path, data in log.files.items():
        stale = path.endswith((".p/8", ".p/1"))
        for changed in (None, data[:-1], data[:-33], data + b"\x00", data + b"\x00\x01x", b""):
            files = {**log.files, path: changed}
            if changed is None:
                del files[path]
            found = verify(MemoryFetcher(files), ORIGIN, [signer.verifier])
            if stale and changed is None:
                assert found.ok  # may be removed once a longer one is there
            else:
                assert path in {finding.file for finding in found.findings}, (path, changed)


def test_files_that_are_no_part_of_a_log_are_named(made):
    """A stray file is reported, since nothing vouches for it; drafts beyond the checkpoint mean nothing."""
    log, signer, _ = made

    found = verify(MemoryFetcher({**log.files, "tile/0/0": b"x", "note.txt": b""}), ORIGIN, [signer.verifier])
    assert [finding.file for finding in found.findings] == ["note.txt", "tile/0/0"]
    assert verify(MemoryFetcher({**log.files, "tile/0/002.p/20": b"x"}), ORIGIN, [signer.verifier]).ok


def test_a_log_that_was_rolled_back_or_replaced_is_refused(made, tmp_path: Path):
    """Against an earlier checkpoint, a shorter log and a log with another history are refused."""
    log, signer, entries = made
    other = AuditLog.open(tmp_path / "other", signer, ORIGIN)
    other.append_entries([b"another past", *entries])
    earlier = Checkpoint(ORIGIN, 500, tree.root_of([tree.leaf_hash(e) for e in entries[:500]]))

    assert verify(log, ORIGIN, [signer.verifier], since=earlier).ok
    found = verify(DirectoryFetcher(other.directory), ORIGIN, [signer.verifier], since=earlier)
    assert "does not continue" in found.findings[0].message
    longer = Checkpoint(ORIGIN, 532, bytes(32))
    assert "had 532 before" in verify(log, ORIGIN, [signer.verifier], since=longer).findings[0].message
    assert not verify(log, ORIGIN, [signer.verifier], since=replace(earlier, origin="other")).ok


def test_another_key_is_not_trusted(made, tmp_path: Path):
    """A log signed by another key of the same name is refused."""
    log, _, _ = made
    other = FileSigner.create(tmp_path / "key", ORIGIN)

    found = verify(log, ORIGIN, [other.verifier])

    assert found.checkpoint is None
    assert [finding.file for finding in found.findings] == ["checkpoint"]


def test_the_empty_log_verifies(log: AuditLog, signer: FileSigner):
    """A log that was only opened verifies, with size 0."""
    found = verify(DirectoryFetcher(log.directory), ORIGIN, [signer.verifier])

    assert found.ok
    assert found.checkpoint == Checkpoint(ORIGIN, 0, tree.EMPTY_ROOT)


def test_a_symbolic_link_is_not_followed(log: AuditLog, signer: FileSigner, tmp_path: Path):
    """A part of the log that is a link to elsewhere is refused."""
    log.append_entries([b"one"])
    file = log.directory / "tile/entries/000.p/1"
    shutil.move(file, tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")

    found = verify(DirectoryFetcher(log.directory), ORIGIN, [signer.verifier])

    assert found.findings[0].file == "tile/entries/000.p/1"


def test_a_log_of_three_levels_names_the_entry_among_all(tmp_path: Path, signer: FileSigner):
    """In a log of 70,000 entries with a tile at level 2, a changed entry deep inside is named."""
    log = AuditLog.open(tmp_path / "log", signer, ORIGIN)
    log.append_entries([b"%d" % number for number in range(70_000)])
    reader = DirectoryFetcher(log.directory)
    memory = MemoryFetcher({path: reader.fetch(path) for path in reader.paths()})
    assert "tile/2/000.p/1" in memory.files
    assert verify(memory, ORIGIN, [signer.verifier]).ok

    path = "tile/entries/123"
    at = random.Random(7).randrange(len(memory.files[path]))
    found = verify(memory.flip(path, at, 3), ORIGIN, [signer.verifier])

    assert [finding.file for finding in found.findings] == [path]
    assert found.first_bad_entry == _entry_at(memory.files[path], 123 * WIDTH, at)


def test_checkpoints_of_a_log_are_consistent(made):
    """Between the sizes at which batches ended, a consistency proof read from the tiles holds."""
    from syncline.audit.prove import prove_history

    log, signer, entries = made
    head = checkpoints.verify(log.files["checkpoint"], ORIGIN, [signer.verifier])
    for size in (1, 3, 255, 256, 257, 500, 520, 531):
        old = Checkpoint(ORIGIN, size, tree.root_of([tree.leaf_hash(e) for e in entries[:size]]))
        proof = prove_history(log, old, head)
        assert tree.verify_consistency(size, 531, old.root, head.root, proof)


def test_a_file_that_is_too_long_is_not_read_whole(log: AuditLog):
    """A part of the log cannot be larger than the largest bundle."""
    log.append_entries([b"one"])
    with (log.directory / "checkpoint").open("r+b") as file:
        file.truncate(20_000_000)

    with pytest.raises(Malformed, match="longer"):
        DirectoryFetcher(log.directory).fetch("checkpoint")


def test_no_damage_passes_or_breaks_the_verifier(made):
    """Up to three files removed, cut, extended, exchanged or overwritten: always a verdict, and never a good one."""
    log, signer, _ = made
    chance = random.Random(5)
    for _ in range(500):
        files = dict(log.files)
        for _ in range(chance.randint(1, 3)):
            path = chance.choice(sorted(files))
            data = files.pop(path)
            at = chance.randrange(len(data) + 1)
            match chance.randrange(5):
                case 0:
                    continue
                case 1:
                    files[path] = data[:at]
                case 2:
                    files[path] = data + chance.randbytes(chance.randint(1, 40))
                case 3:
                    files[path] = log.files[chance.choice(sorted(log.files))]
                case _:
                    files[path] = data[:at] + chance.randbytes(chance.randint(0, 40)) + data[at + 20 :]
        changed = {path for path, data in log.files.items() if files.get(path) != data}

        found = verify(MemoryFetcher(files), ORIGIN, [signer.verifier])

        harmless = all(path not in files and path.endswith((".p/8", ".p/1")) for path in changed)
        assert found.ok == harmless, changed
