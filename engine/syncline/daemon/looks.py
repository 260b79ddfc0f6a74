"""Looks at the destinations of flows at the intervals that are declared, and heals what is declared to be healed.

When a flow is looked at next is kept by this process alone: a daemon that takes over looks at each flow soon, which
costs a few statements and changes nothing. Healing is a run like any other, under the flow's lease, by policy and with
its receipt: it reads everything again. What it doesn't bring back is reported until the next look.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from syncline.executor.drift import heals, terms_of
from syncline.executor.halt import Halt
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model import units
from syncline.model.errors import SynclineError
from syncline.reconciler.look import look

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey
    from syncline.state.store import StateStore

#: What runs that heal were started by.
HEALING: Final = "drift"
#: Looks at the same time.
AT_ONCE = 2
#: Longest time until a flow is looked at for the first time, in seconds: a few of them at a time.
FIRST = 60.0


class Looks:
    """What is to be looked at. Used by one thread; `tell` is called by any. `store` keeps what is found."""

    def __init__(
        self,
        engine: Engine,
        store: StateStore,
        tell: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._store = store
        self._tell = tell
        self._monotonic = monotonic
        self._serial = -1
        self._every: dict[ObjectKey, float] = {}
        self._due: list[tuple[float, ObjectKey]] = []  # a heap
        self._busy: set[ObjectKey] = set()
        self._halt = Halt()  # of runs that heal
        self._todo: SimpleQueue[ObjectKey | None] = SimpleQueue()
        for _ in range(AT_ONCE):
            # A look that is cut off when the process ends is made again by the next one.
            threading.Thread(target=self._work, daemon=True).start()

    def tick(self) -> None:
        """Begins every look that is due."""
        now = self._monotonic()
        applied = self._engine.applied()
        if applied.serial != self._serial:
            self._serial = applied.serial
            self._plan({key: terms_of(applied.desired, item.flow).every for key, item in applied.flows.items()}, now)
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            every = self._every[key]
            # Give or take a tenth, so that flows that began together don't stay together.
            heapq.heappush(self._due, (now + every * random.uniform(0.9, 1.1), key))  # noqa: S311 - no secret
            if key not in self._busy:
                self._busy.add(key)
                self._todo.put(key)

    def close(self) -> None:
        """Begins nothing more; runs that heal are interrupted."""
        self._halt.interrupt()
        for _ in range(AT_ONCE):
            self._todo.put(None)

    def _plan(self, declared: dict[ObjectKey, str | None], now: float) -> None:
        """Keeps when flows are due whose interval is what it was; others are due soon."""
        every = {key: units.duration(text) for key, text in declared.items() if text is not None}
        before = {key: at for at, key in self._due if every.get(key) == self._every.get(key)}
        self._every = every
        first = {key: now + random.random() * min(seconds, FIRST) for key, seconds in every.items()}  # noqa: S311
        self._due = [(before.get(key, first[key]), key) for key in every]
        heapq.heapify(self._due)

    def _work(self) -> None:
        while (key := self._todo.get()) is not None and not self._halt.interrupted:
            try:
                self._look(key)
            except KeyboardInterrupt:
                self._tell(f"{key}: healing was interrupted after its last commit; the next look goes on with it")
            except SynclineError as error:
                self._tell(f"{key}: {error.code} {error.message}")
            except Exception as error:  # a defect ends this look, and not whoever would make the next one
                self._tell(f"{key}: SYN999 {type(error).__name__}: a defect in Syncline, please report it")
            finally:
                self._busy.discard(key)

    def _look(self, key: ObjectKey) -> None:
        applied = self._engine.applied()
        if key not in applied.flows:
            return
        if any(run.trigger == HEALING for run in self._store.open_runs(key)):
            self._heal(Work(key, trigger=HEALING, halt=self._halt))  # what was interrupted goes on where it was
        found = look(self._engine, self._store, key)
        if not heals(found, terms_of(applied.desired, applied.flows[key].flow)):
            return
        lost = ", ".join(finding.place for finding in found.acted)
        self._tell(f"{key}: {lost} at {found.to} is gone and is brought back")
        self._heal(Work(key, trigger=HEALING, full_refresh=True, halt=self._halt))
        look(self._engine, self._store, key)

    def _heal(self, work: Work) -> None:
        counts = self._engine.run(work, Silent()).record.counts
        self._tell(f"{work.key}: {counts.read:,} read, {counts.written:,} written, {counts.rejected:,} rejected")
