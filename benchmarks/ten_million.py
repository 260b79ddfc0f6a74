"""An import of ten times W1: whether its time is linear in its rows, and its memory flat.

    python benchmarks/ten_million.py FOLDER CSV POSTGRES_URL [TIMES]

Each size is loaded by `syncline run`, as a process of its own, into an empty table by key. Told are seconds, peak
memory, and the latency of its batches; then the ratio of both sizes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from repositories import TENANT, W1, WAREHOUSE

FLOW = "bench/Import/customers"


def repository(folder: Path, csv: Path, url: str, times: int) -> None:
    """W1 with all its records so many times, each under a key of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    with (folder / "customers.csv").open("wb") as grown:
        for _ in range(times):  # read each time: what this process holds would count as the peak of those it starts
            with csv.open("rb") as full:
                header = full.readline()
                if not rows:
                    grown.write(header)
                added = rows
                for line in full:
                    key, rest = line.split(b",", 1)
                    grown.write(b"%d,%s" % (int(key) + added, rest))
                    rows += 1
    (folder / "tenant.yaml").write_text(TENANT)
    (folder / "warehouse.yaml").write_text(WAREHOUSE % {"user": "postgres", "url": url, "schema": "bench_ten"})
    (folder / "import.yaml").write_text(W1 % {"folder": folder, "file": "customers.csv"})


def syncline(folder: Path, *args: str) -> tuple[str, float, int]:
    """What a command prints, its seconds, and its peak memory in MB; 4 says that there were rejects."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "syncline", "--root", str(folder), *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 4):
        sys.exit(told)
    return told, time.perf_counter() - began, used.ru_maxrss // 1024


def loaded(folder: Path, csv: Path, url: str, times: int) -> float:
    """Seconds of one load."""
    repository(folder, csv, url.replace("postgres:x@", ""), times)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS bench_ten CASCADE")
        connection.execute("CHECKPOINT")
    syncline(folder, "apply", "--yes")
    told, seconds, peak = syncline(folder, "run", FLOW)
    with psycopg.connect(url) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM bench_ten.customers").fetchone() or (0,)
    latency = re.search(r"latency +(.+)", told)
    print(f"{times} times W1: {seconds:.1f} s, {peak} MB, {rows:,} rows; {latency[1] if latency else ''}", flush=True)
    return seconds


if __name__ == "__main__":
    folder, csv, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    times = int(sys.argv[4]) if len(sys.argv) > 4 else 10
    one, all_ = (loaded(folder / str(size), csv, url, size) for size in (1, times))
    print(f"{times} times the records took {all_ / one:.2f} times as long")
