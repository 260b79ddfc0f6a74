"""Runs simulations: `python -m tests.simulation --seeds 0:500 --steps 300`; a seed that fails is shown with its trace."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from tests.simulation.happens import HAPPENS
from tests.simulation.world import prepared, simulate

#: Memory, where there is some: nothing of a simulation outlives it.
FOLDER = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None


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
    first, _, last = options.seeds.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    without = frozenset(filter(None, options.without.split(",")))
    began = time.perf_counter()
    if options.jobs > 1:
        bounds = [seeds.start + len(seeds) * n // options.jobs for n in range(options.jobs + 1)]
        rest = ["--steps", str(options.steps), "--without", options.without]
        parts = [
            subprocess.Popen([sys.executable, "-m", "tests.simulation", "--seeds", f"{a}:{b}", *rest])
            for a, b in pairwise(bounds)
        ]
        return max(part.wait() for part in parts)
    failed = 0
    with tempfile.TemporaryDirectory(dir=FOLDER) as root:
        template, folder = prepared(Path(root) / "template"), Path(root) / "world"
        for seed in seeds:
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
                without = frozenset()
                continue
            if options.trace:
                say(*world.trace)
    say(
        f"seeds {seeds.start} to {seeds.stop - 1}, {options.steps} steps each: {failed} failed, "
        f"{time.perf_counter() - began:.1f} s, of the processor {time.process_time():.1f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
