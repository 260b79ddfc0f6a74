"""W3: 200 tiny syncs in one engine, as the daemon will run them. Prints milliseconds a sync.

python benchmarks/w3_syncline.py REPOSITORY
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.settings import read_settings

if __name__ == "__main__":
    with workflow.engine(read_settings(Path(sys.argv[1]), os.environ)) as engine:
        flows = engine.applied().flows
        began = time.perf_counter()
        for key in flows:
            engine.run(Work(key), Silent())
        spent = time.perf_counter() - began
    print(f"{len(flows)} syncs {spent:.2f}s {spent / len(flows) * 1000:.1f} ms each")
