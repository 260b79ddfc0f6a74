"""Looks at what is really there at the intervals that are declared, and heals what is declared to be healed.

That is the destinations of flows, and what `reconciler/look.py` names besides. Webhooks that are declared anew are
registered by a look, at once.

When something is looked at next is kept by this process alone: a daemon that takes over looks at each soon, which costs
a few statements or requests and changes nothing. Healing a flow is a run like any other, under the flow's lease, by
policy and with its receipt: it reads everything again. What it doesn't bring back is reported until the next look.
What is declared to be adopted is proposed as a commit (`proposing.py`).
"""

from __future__ import annotations

import datetime as dt
import heapq
import random
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from syncline.daemon.leading import ELSEWHERE, is_followed
from syncline.daemon.proposing import Proposer
from syncline.executor.access.admission import tenant_spec
from syncline.executor.batches.halt import Halt
from syncline.executor.drift.flow_drift import FlowDrift, heals, runs_again
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.manifests.demands.reactions import terms_of
from syncline.manifests.timetable import suspended
from syncline.model import units
from syncline.model.errors import Followed, SynclineError
from syncline.model.pulse import resting, thread, working
from syncline.reconciler.look import look, looked_at

if TYPE_CHECKING:
    from syncline.daemon.git.branches import Branches
    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.model.key import ObjectKey
    from syncline.state.store import StateStore

#: What runs that heal were started by.
HEALING: Final = "drift"
#: Looks at the same time.
AT_ONCE = 2
#: Longest time until a flow is looked at for the first time, in seconds: a few of them at a time.
FIRST = 60.0


def _none(source: str) -> None:
    """No source can be proposed to."""
    del source


class Looks:
    """What is to be looked at. Used by one thread; `tell` is called by any. `store` keeps what is found, and takes the
    leases of runs that heal: one that is fenced by the daemon's lease begins none once another daemon works. `branches`
    are those of a source, by its name, on which is proposed what is to be adopted.
    """

    def __init__(
        self,
        engine: Engine,
        store: StateStore,
        tell: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
        branches: Callable[[str], Branches | None] = _none,
    ) -> None:
        self._propose = Proposer(engine, store, branches, tell).propose
        self._engine = engine
        self._store = store
        self._tell = tell
        self._monotonic = monotonic
        self._serial = -1
        self._every: dict[ObjectKey, float] = {}
        self._due: list[tuple[float, ObjectKey]] = []  # a heap
        self._seen: dict[ObjectKey, str] = {}  # digests of integrations that have webhooks
        self._busy: set[ObjectKey] = set()
        self._unknown: dict[ObjectKey, str] = {}  # why something couldn't be looked at, as it was told last
        self._halt = Halt()  # of runs that heal
        self._todo: SimpleQueue[ObjectKey | None] = SimpleQueue()
        for number in range(1, AT_ONCE + 1):
            # A look that is cut off when the process ends is made again by the next one.
            thread(f"look {number}", self._work).start()

    def tick(self) -> None:
        """Begins every look that is due."""
        now = self._monotonic()
        applied = self._engine.applied()
        if applied.serial != self._serial:
            self._serial = applied.serial
            declared = {key: terms_of(applied.desired, item.flow).every for key, item in applied.flows.items()}
            self._plan(declared | looked_at(applied, self._store), now)
            self._webhooks_first(applied, now)
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
        spread = {key: random.random() * min(seconds, FIRST) for key, seconds in every.items()}  # noqa: S311 - no secret
        first = {key: now + after for key, after in spread.items()}
        self._due = [(before.get(key, first[key]), key) for key in every]
        heapq.heapify(self._due)

    def _webhooks_first(self, applied: Applied, now: float) -> None:
        """Integrations that are declared otherwise than when they were looked at last, and have webhooks, are due."""
        digests = {key: applied.objects[key].digest for key in self._every if key.kind == "Integration"}
        fresh = {key for key, digest in digests.items() if self._seen.get(key) != digest}
        self._seen = digests
        if fresh:
            self._due = [(now if key in fresh else at, key) for at, key in self._due]
            heapq.heapify(self._due)

    def _next(self) -> ObjectKey | None:
        with resting():
            return self._todo.get()

    def _work(self) -> None:
        while (key := self._next()) is not None and not self._halt.interrupted:
            try:
                with working(f"looks at {key}"):
                    self._look(key)
            except KeyboardInterrupt:
                self._tell(f"{key}: healing was interrupted after its last commit; the next look goes on with it")
            except Followed as error:
                by = ELSEWHERE if is_followed(error) else "another run took over from the one that heals"
                self._tell(f"{key}: {by}; the next look says how it stands")
            except SynclineError as error:
                self._tell(f"{key}: {error.code} {error.told}")
            except Exception as error:  # a defect ends this look, and not whoever would make the next one
                self._tell(f"{key}: SYN999 {type(error).__name__}: a defect in Syncline, please report it")
            finally:
                self._busy.discard(key)

    def _look(self, key: ObjectKey) -> None:
        applied = self._engine.applied()
        if key not in applied.flows:
            self._look_besides(applied, key)
            return
        if any(run.trigger == HEALING for run in self._store.open_runs(key)):
            self._heal(key)  # what was interrupted goes on where it was
        found = look(self._engine, self._store, key, propose=self._propose)
        assert isinstance(found, FlowDrift)
        if runs_again(found):
            self._tell(f"{key}: it is tried again, as its source may be as declared by now")
            self._heal(key)
        if not heals(found):
            return
        lost = ", ".join(finding.place for finding in found.acted)
        self._tell(f"{key}: {lost} at {found.to} is gone and is brought back")
        self._heal(key, full_refresh=True)
        look(self._engine, self._store, key)

    def before_run(self, work: Work) -> None:
        """
        Looks at a flow whose dropped columns are to be adopted before a run makes them again, empty: what somebody did
        between two runs is proposed, however seldom is looked. What keeps it from looking keeps no run from beginning.
        """
        applied = self._engine.applied()
        item = applied.flows.get(work.key)
        if item is None or work.trigger == HEALING or terms_of(applied.desired, item.flow).tables != "adopt":
            return
        try:
            look(self._engine, self._store, work.key, propose=self._propose)
        except SynclineError as error:
            if is_followed(error):
                return  # whoever takes the flow's lease for the run is told
            self._tell(f"{work.key}: it couldn't be looked at before its run: {error.code} {error.told}")

    def _look_besides(self, applied: Applied, key: ObjectKey) -> None:
        """A look at what is no flow; it heals by itself."""
        if key not in applied.objects:
            return
        suspend = tenant_spec(applied.desired, key.tenant).suspend
        found = look(
            self._engine, self._store, key, heal=None if suspended(suspend, dt.datetime.now(dt.UTC)) else False
        )
        if found.told != self._unknown.get(key, ""):
            self._unknown[key] = found.told
            if found.told:
                self._tell(f"{key}: it couldn't be looked at: {found.told}")

    def _heal(self, key: ObjectKey, *, full_refresh: bool = False) -> None:
        """Runs a flow, whose lease is taken as that of a start is: a daemon that was followed heals nothing."""
        work = Work(key, trigger=HEALING, full_refresh=full_refresh, store=self._store, halt=self._halt)
        counts = self._engine.run(work, Silent()).record.counts
        self._tell(f"{key}: {counts.read:,} read, {counts.written:,} written, {counts.rejected:,} rejected")
