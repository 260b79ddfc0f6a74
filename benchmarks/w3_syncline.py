"""W3: 200 tiny syncs as a daemon runs them: four and one at a time in its process, and one in each of two others.

python benchmarks/w3_syncline.py REPOSITORY [AT_ONCE]
"""

from __future__ import annotations

import gc
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from syncline import workflow
from syncline.cli.start import COLLECTS
from syncline.daemon.leading import LEADING
from syncline.daemon.processes.pool import running
from syncline.executor.work import Work
from syncline.settings import read_settings

if __name__ == "__main__":
    gc.set_threshold(*COLLECTS)
    at_once = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    settings = read_settings(Path(sys.argv[1]), os.environ)
    with workflow.engine(settings) as engine, engine.facilities.store.lease(LEADING) as lease:
        flows = tuple(engine.applied().flows)
        for workers, processes in dict.fromkeys(((at_once, 0), (1, 0), (2, 2))):
            with running(engine, lease, processes) as runner, ThreadPoolExecutor(workers) as pool:
                if processes:  # they are started, and read what is applied, once in a daemon's life
                    list(pool.map(lambda key: runner.run(Work(key)), flows[: 2 * processes]))
                began = time.perf_counter()
                ran = list(pool.map(lambda key: runner.run(Work(key)), flows))
                spent = time.perf_counter() - began
            written = sum(each.counts.written for each in ran)
            how = f"{workers} at a time" + (f" in {processes} processes" if processes else "")
            each = spent / len(flows) * 1000
            print(f"{len(flows)} syncs, {written:,} rows, {how}: {spent:.2f} s, {each:.1f} ms each")
