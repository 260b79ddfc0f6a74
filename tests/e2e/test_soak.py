"""Many cycles of a daemon's work, in one process: what it holds at the end is what it held after the first of them."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest

from syncline import workflow
from syncline.daemon.memory import give_back
from syncline.executor.batches.threads import _idle
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.manifests.repository import Revision
from syncline.model.errors import SynclineError
from syncline.planner.known import Known
from syncline.reconciler.apply import apply_plan
from tests.e2e.daemon import until
from tests.e2e.house import FLOW, Scenario, audit_ok, build, customers

#: Cycles that are counted, after as many as warm it up. `SYNCLINE_TEST_CYCLES=2000` is what the design asks for.
CYCLES = int(os.environ.get("SYNCLINE_TEST_CYCLES", "150"))
WARM = max(50, CYCLES // 4)
#: Bytes that the resident memory may grow by in a cycle, with what a page and the allocator's own growth may add.
SLOPE, SLACK = 1_024, 6 * 1024 * 1024
#: Handles by which pools of connections may differ between two moments: three of each connection to SQLite.
POOLED = 12


def resident() -> int:
    """Bytes of memory that this process has, once what is free was given back."""
    gc.collect()
    give_back()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def busy() -> int:
    """Threads, without those that wait for somebody to borrow them: how many did that at once is chance."""
    return threading.active_count() - len(_idle)


def handles() -> int:
    """Open files and sockets."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the one that lists it is closed again


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_cycles_leave_nothing_behind(tmp_path):
    """Commits that change something or nothing, plans, applies, runs and runs that fail leave no memory, handle or thread."""
    customers(tmp_path, 20)
    scenario = Scenario("upsert")
    settings = build(tmp_path, scenario.texts)
    mapping = tmp_path / "mapping.yaml"
    texts = [mapping.read_text(), mapping.read_text().replace("from: name", "from: 'upper(name)'")]

    with workflow.engine(settings) as engine:
        known = Known()

        def cycle(number: int) -> None:
            if number % 5 == 0:
                mapping.write_text(texts[number // 5 % 2])
            plan = workflow.plan(settings, head=Revision(f"{number:040x}", dirty=False), known=known)
            apply_plan(engine.facilities, plan, lambda _: None, patient=True)
            if number % 10 == 0:
                assert engine.run(Work(FLOW), Silent()).receipt is not None
            if number % 10 == 5:
                (tmp_path / "data").rename(tmp_path / "away")
                with pytest.raises(SynclineError):
                    engine.run(Work(FLOW), Silent())
                (tmp_path / "away").rename(tmp_path / "data")

        for number in range(WARM):
            cycle(number)
        before, open_, threads = resident(), handles(), busy()
        for number in range(WARM, WARM + CYCLES):
            cycle(number)
        grown = resident() - before

        assert grown < SLOPE * CYCLES + SLACK, f"{grown / CYCLES:.0f} bytes a cycle"
        assert handles() <= open_ + POOLED
        until(lambda: busy() <= threads, lambda: str(threading.enumerate()))  # one may be on its way back
    assert audit_ok(settings)
