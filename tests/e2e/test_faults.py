"""A disk that is full, and one whose writes fail: a run says so and ends, and the next one ends as if nothing had been."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from tests import warm
from tests.e2e.house import FLOW, Scenario, audit_ok, build, customers, rows, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 200
#: The answer of every n-th call that makes something durable is an error; writes take half of what they are given.
BAD_DISK = """\
import errno, os, sys
left, counted = int(sys.argv.pop(1)), open(sys.argv.pop(1), "w")
def failing(call):
    def called(*arguments):
        global left
        left -= 1
        counted.write("*")
        counted.flush()
        if left == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return call(*arguments)
    return called
os.fsync, os.fdatasync = failing(os.fsync), failing(os.fdatasync)
write = os.write
os.write = lambda file, data: write(file, data[: max(1, len(data) // 2)])
from syncline.cli.main import run
run()
"""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own; skips where none may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "small", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount a file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def ran(root: Path, home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """`syncline run` of the flow, in a process of its own, started by `before`."""
    environ = {**os.environ, "SYNCLINE_HOME": str(home), "SYNCLINE_ACTOR": "tests", "NO_COLOR": "1"}
    command = [sys.executable, *(before or ("-m", "syncline")), "--root", str(root), "run", str(FLOW)]
    return warm.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def told(done: subprocess.CompletedProcess[str]) -> None:
    """It ended with an error for people: a code, and no traceback."""
    assert done.returncode > 0, done.stderr
    assert "SYN" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_full_disk_ends_a_run_with_nothing_lost_and_needs_no_repair(tmp_path):
    """State, log and keys on a disk with less and less room: no run goes on without evidence; with room, all is there."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        root, home = tmp_path / "root", disk / "home"
        scenario = Scenario("append")
        build(root, scenario.texts)
        settings = settings_of(root, {"SYNCLINE_HOME": str(home)})
        customers(root, ROWS)
        workflow.apply(settings)
        kept = len(rows(root, scenario) or [])
        failed = 0
        for free in (0, 4096, 24_576, 65_536):
            room = os.statvfs(disk)
            (disk / "ballast").write_bytes(b"\0" * max(room.f_bavail * room.f_frsize - free, 0))
            done = ran(root, home)
            if done.returncode != 4:
                failed += 1
                told(done)
            assert Look(settings.state_url).objects()  # what was there before can be read
            (disk / "ballast").unlink()
            again = ran(root, home)
            assert again.returncode == 4, again.stderr  # with rejects
            # A full read that appends adds everything once in each run that ended.
            ended = [run for run in Look(settings.state_url).runs(FLOW) if run.receipt is not None]
            found = rows(root, scenario) or []
            assert len(found) == kept + sum(run.counts.written for run in ended)
            assert audit_ok(settings)
        assert failed >= 2


@pytest.mark.parametrize("destination", ["sqlite", "parquet"])
@pytest.mark.slow
def test_a_failing_sync_of_the_disk_ends_a_run_and_the_next_one_ends_right(tmp_path, destination):
    """EIO of the n-th fsync, with writes that take a half: nobody goes on as if it were durable; no row is lost, none twice."""
    scenario = Scenario("append", destination)
    root, home = tmp_path / "root", tmp_path / "home"
    build(root, scenario.texts)
    settings = settings_of(root, {"SYNCLINE_HOME": str(home)})
    customers(root, ROWS)
    workflow.apply(settings)
    calls = tmp_path / "calls"
    done = ran(root, home, "-c", BAD_DISK, "100000", str(calls))
    assert done.returncode == 4, done.stderr
    syncs = calls.stat().st_size
    assert syncs > 4

    for at in sorted({1, 2, syncs // 3, syncs // 2, syncs - 1, syncs}):
        done = ran(root, home, "-c", BAD_DISK, str(at), str(calls))
        if done.returncode != 4:
            told(done)
        again = ran(root, home)
        assert again.returncode == 4, again.stderr  # with rejects
        # What a run had committed before it failed stays, and is accounted for in its record.
        runs = Look(settings.state_url).runs(FLOW, 100)
        assert len(rows(root, scenario) or []) == sum(run.counts.written for run in runs), at
        assert audit_ok(settings)
