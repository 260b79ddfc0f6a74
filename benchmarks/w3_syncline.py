"""W3: 200 tiny syncs in one engine, four at a time and then one at a time, as a daemon runs them.

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
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.settings import read_settings

if __name__ == "__main__":
    gc.set_threshold(*COLLECTS)
    at_once = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    with workflow.engine(read_settings(Path(sys.argv[1]), os.environ)) as engine:
        flows = tuple(engine.applied().flows)
        for workers in dict.fromkeys((at_once, 1)):
            began = time.perf_counter()
            with ThreadPoolExecutor(workers) as pool:
                finished = list(pool.map(lambda key: engine.run(Work(key), Silent()), flows))
            spent = time.perf_counter() - began
            written = sum(result.record.counts.written for result in finished)
            each = spent / len(flows) * 1000
            print(f"{len(flows)} syncs, {written:,} rows, {workers} at a time: {spent:.2f} s, {each:.1f} ms each")
