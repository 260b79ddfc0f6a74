"""Five bulk imports in one engine, in a row and then at once, as a daemon runs them.

    python benchmarks/five_imports.py FOLDER CSV POSTGRES_URL [ROWS]

Each loads the first so many records of W1 into an empty table of its own. Told is the time of all of them, how far
apart those that run at once end, and how far the last one was when the first one ended.
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from repositories import TENANT, W1, WAREHOUSE

from syncline import workflow
from syncline.daemon.memory import few_pools
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.settings import read_settings

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey
    from syncline.model.run import Counts

IMPORTS = 5


class Counted(Silent):
    """Knows how many records are committed."""

    def __init__(self) -> None:
        self.read = 0

    def advanced(self, counts: Counts, done: float | None) -> None:
        del done
        self.read = counts.read


def repository(folder: Path, csv: Path, url: str, rows: int) -> None:
    """The same import five times, into tables of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    with csv.open() as full, (folder / "customers.csv").open("w") as first:
        first.writelines(itertools.islice(full, rows + 1))
    (folder / "tenant.yaml").write_text(TENANT)
    (folder / "warehouse.yaml").write_text(WAREHOUSE % {"user": "postgres", "url": url, "schema": "bench_five"})
    *shared, flow = (W1 % {"folder": folder, "file": "customers.csv"}).split("---\n")
    names = [f"customers{n}" for n in range(1, IMPORTS + 1)]
    flows = [
        flow.replace("name: customers", f"name: {n}").replace("warehouse/customers", f"warehouse/{n}") for n in names
    ]
    (folder / "imports.yaml").write_text("---\n".join([*shared, *flows]))


def timed(engine: Engine, flows: tuple[ObjectKey, ...], at_once: int) -> tuple[float, list[float], int]:
    """Seconds of all, when each ended, and the fewest records that one had committed when the first ended."""
    began = time.perf_counter()
    counted = {key: Counted() for key in flows}
    least: list[int] = []

    def one(key: ObjectKey) -> float:
        engine.run(Work(key, full_refresh=True), counted[key])
        least.append(min(one.read for one in counted.values()))
        return time.perf_counter() - began

    with ThreadPoolExecutor(at_once) as pool:
        ends = list(pool.map(one, flows))
    return time.perf_counter() - began, ends, least[0]


if __name__ == "__main__":
    few_pools()  # as a daemon does
    folder, csv, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    rows = int(sys.argv[4]) if len(sys.argv) > 4 else 200_000
    repository(folder, csv, url.replace("postgres:x@", ""), rows)
    settings = read_settings(folder, os.environ)
    workflow.apply(settings)
    for at_once in (1, IMPORTS):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS bench_five CASCADE")
        before = resource.getrusage(resource.RUSAGE_SELF)
        with workflow.engine(settings) as engine:
            seconds, ends, least = timed(engine, tuple(engine.applied().flows), at_once)
        after = resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"{IMPORTS} imports of {rows:,} records, {at_once} at a time: {seconds:.1f} s, processor "
            f"{processor:.1f} s, {after.ru_maxrss // 1024} MB; "
            f"ended after {', '.join(f'{end:.1f}' for end in ends)} s; the last had {least:,} when the first ended",
            flush=True,
        )
