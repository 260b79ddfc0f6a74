"""What is unpacked to a disk can be read by nobody else, and by this process like any file."""

from __future__ import annotations

import gzip
import io
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.exceptions import InvalidTag

from syncline.connectors.file.spool import BLOCK, Spool

TEXT = b"".join(b"%d,customer %d\n" % (n, n) for n in range(40_000))


@pytest.fixture
def spool(tmp_path):
    """A spool of several blocks, written in odd pieces."""
    found = Spool(tmp_path)
    for at in range(0, len(TEXT), 77_777):
        assert found.write(TEXT[at : at + 77_777]) == len(TEXT[at : at + 77_777])
    assert found.seal() == len(TEXT) > 2 * BLOCK
    yield found
    found.close()


def test_any_bytes_come_back_from_any_thread(spool):
    """Reads at blocks' edges, across them, beyond the end, and at random by several threads."""
    chosen = random.Random(7)
    places = [(chosen.randrange(len(TEXT) + 10), chosen.randrange(2 * BLOCK)) for _ in range(200)]
    places += [(0, 0), (0, BLOCK), (BLOCK - 1, 2), (BLOCK, BLOCK), (len(TEXT) - 1, 100), (len(TEXT), 1)]
    with ThreadPoolExecutor(4) as threads:
        for (at, count), found in zip(places, threads.map(lambda place: spool.pread(*place), places), strict=True):
            assert found == TEXT[at : at + count]


def test_it_is_a_file_to_whoever_reads_one(spool):
    """Seeking from the start, the end and where it is, and reading through a buffer."""
    file = io.BufferedReader(spool)
    assert file.read(10) == TEXT[:10]
    assert file.seek(-5, io.SEEK_END) == len(TEXT) - 5
    assert file.read() == TEXT[-5:]
    file.seek(0)
    assert list(file) == TEXT.splitlines(keepends=True)
    file.detach()


def test_nothing_stands_on_the_disk_in_clear(spool, tmp_path):
    """The file has no name, and no word of what was written."""
    assert list(tmp_path.iterdir()) == []
    stored = os.pread(spool._file.fileno(), 10 * len(TEXT), 0)
    assert len(stored) > len(TEXT)
    assert b"customer" not in stored
    assert len(gzip.compress(stored)) > len(stored)  # it looks like chance


def test_a_block_that_was_changed_is_refused(spool):
    """Whoever writes to the disk beneath can't have other rows read."""
    os.pwrite(spool._file.fileno(), b"x", BLOCK + 100)
    assert spool.pread(0, 10) == TEXT[:10]
    with pytest.raises(InvalidTag):
        spool.pread(BLOCK, 10)
