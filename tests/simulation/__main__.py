"""Runs simulations: `python -m tests.simulation --seeds 0:500 --steps 300`; a seed that fails is shown with its trace."""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.simulation.happens import HAPPENS
from tests.simulation.world import prepared, simulate

#: Memory, where there is some: nothing of a simulation outlives it.
FOLDER = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None

#: Seeds come by a pipe that processes share.
SHARED = "-"
_BYTES = 8
#: Objects that are made before those which are left of them are looked at.
_YOUNG = 20_000
#: Most failures that an exit code tells.
_MOST = 100


def minimal(seed: int, steps: int, template: Path, folder: Path) -> tuple[frozenset[str], BaseException]:
    """What need not happen for a seed to fail, and how it fails then."""
    without: frozenset[str] = frozenset()
    kept: BaseException = AssertionError("it didn't fail again")
    for what in [None, *(name for name in HAPPENS if name != "pass")]:
        fewer = without | ({what} if what else set())
        try:
            simulate(seed, steps, template, folder, fewer)
        except Exception as error:
            without, kept = fewer, error
    return without, kept


def say(*lines: str) -> None:
    """Prints lines."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """Exit code 1 where a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0:500", help="from:to, or one seed")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--without", default="", help="what doesn't happen, with commas")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    parser.add_argument("--as-it-is", action="store_true", help="don't look for a smaller failure")
    options = parser.parse_args()
    # Sets of names must have the same order in every process; and there is nothing to share among threads of a dozen rows.
    here = {"PYTHONHASHSEED": "0", "POLARS_MAX_THREADS": "1"}
    if any(os.environ.get(name) != value for name, value in here.items()):
        os.environ.update(here)
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606 - itself
    if options.seeds == SHARED:
        return min(ran(options, taken()), _MOST)
    first, _, last = options.seeds.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    began = time.perf_counter()
    failed = shared(options, seeds) if options.jobs > 1 else ran(options, seeds)
    say(
        f"seeds {seeds.start} to {seeds.stop - 1}, {options.steps} steps each: {failed} failed, "
        f"{time.perf_counter() - began:.1f} s, of the processor {sum(os.times()[:4]):.1f} s"
    )
    return 1 if failed else 0


def shared(options: argparse.Namespace, seeds: range) -> int:
    """Runs seeds in several processes, each of which takes the next one when it is done; how many failed."""
    ours, theirs = os.pipe()  # who reads from it takes what it reads from all others
    command = [sys.executable, "-m", "tests.simulation", "--seeds", SHARED, "--steps", str(options.steps)]
    command += ["--without", options.without, *(["--as-it-is"] if options.as_it_is else [])]
    parts = [subprocess.Popen(command, stdin=ours) for _ in range(options.jobs)]
    os.close(ours)
    with os.fdopen(theirs, "wb", buffering=0) as pipe:
        for seed in seeds:
            pipe.write(seed.to_bytes(_BYTES))
    return sum(part.wait() for part in parts)


def taken() -> Iterator[int]:
    """Seeds out of a pipe, one at a time: each is written and read whole (POSIX, `PIPE_BUF`)."""
    while seed := os.read(sys.stdin.fileno(), _BYTES):
        yield int.from_bytes(seed)


def ran(options: argparse.Namespace, seeds: Iterable[int]) -> int:
    """Runs seeds; how many failed."""
    failed = 0
    with tempfile.TemporaryDirectory(dir=FOLDER) as root:
        template, folder = prepared(Path(root) / "template"), Path(root) / "world"
        gc.freeze()  # what there is of the program stays; looking at it again and again took a twentieth of the time
        gc.set_threshold(_YOUNG)
        for seed in seeds:
            without = frozenset(filter(None, options.without.split(",")))
            try:
                world = simulate(seed, options.steps, template, folder, without)
            except Exception as error:
                failed += 1
                smaller: BaseException = error
                say(f"seed {seed} fails after step {getattr(error, 'steps', 0)}")
                if not options.as_it_is:
                    without, smaller = minimal(seed, options.steps, template, folder)
                say(*getattr(smaller, "__notes__", ()), f"{type(smaller).__name__}: {smaller}")
                again = f" --without {','.join(sorted(without))}" if without else ""
                say(f"again: python -m tests.simulation --seeds {seed} --steps {options.steps}{again}")
                continue
            if options.trace:
                say(*world.trace)
    return failed


if __name__ == "__main__":
    sys.exit(main())
