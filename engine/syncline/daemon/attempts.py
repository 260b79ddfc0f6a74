"""Tries again what failed, each object after its own backoff: looks at systems and secrets, and runs that broke off.

Runs are done by those who do the schedules' (`workers.py`): never two of a flow, and a start that takes the place of
what is under way ends an attempt as well.

What is due is in the state, so that a daemon that takes over goes on where the one before it was. A look informs and
never forbids: a start that a schedule declares isn't kept back because of one. Only integrations that an allowed flow
uses, or that a subscription sends through, are contacted.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from syncline.daemon.scheduled import schedules
from syncline.executor.flows.credentials import note_credential, secrets_of
from syncline.executor.flows.instance import SecretUses
from syncline.executor.previews.inspect import Inspector
from syncline.kinds.auth import AuthConfigSpec
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.schedule import flows_of
from syncline.kinds.window import within
from syncline.manifests.demands.subscriptions import carriers
from syncline.manifests.flow import side_of
from syncline.manifests.timetable import suspended
from syncline.model.errors import SynclineError
from syncline.model.event import Action, EventOutcome, rfc3339
from syncline.model.key import ObjectKey
from syncline.model.pulse import resting, thread, working
from syncline.reconciler.conditions import CHECKED
from syncline.reconciler.rotation import rotation_of
from syncline.reconciler.status import after_check, secrets_error

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.manifests.flow import Side
    from syncline.planner.compiled import CompiledFlow
    from syncline.state.store import StateStore

#: Attempts at the same time.
AT_ONCE = 2
#: Seconds before an attempt that couldn't be made, as while somebody else runs the flow, is made again.
PUT_OFF = 5.0


class Attempts:
    """
    What is due to be tried again. Used by one thread; `tell` is called by any. `store` keeps what is found; `again`
    runs a flow, and gives False where it is under way.
    """

    def __init__(
        self, engine: Engine, store: StateStore, tell: Callable[[str], None], again: Callable[[ObjectKey], bool]
    ) -> None:
        self._engine = engine
        self._store = store
        self._tell = tell
        self._again = again
        self._busy: set[ObjectKey] = set()
        self._not_before: dict[ObjectKey, float] = {}
        self._closed = threading.Event()
        self._todo: SimpleQueue[ObjectKey | None] = SimpleQueue()
        for number in range(1, AT_ONCE + 1):
            # An attempt that is cut off when the process ends is made again by the next one.
            thread(f"attempt {number}", self._work).start()

    def tick(self, now: dt.datetime) -> None:
        """Begins everything that is due."""
        due = [key for key in self._store.due(rfc3339(now)) if key not in self._busy]
        if not due:
            return
        applied = self._engine.applied()
        scheduled = _scheduled(applied, now)
        for key in due:
            if key not in applied.objects or self._not_before.get(key, 0.0) > time.monotonic():
                continue
            if key.kind in CHECKED:
                self._busy.add(key)
                self._todo.put(key)
            elif key in scheduled:
                self._again(key)
                self._not_before[key] = time.monotonic() + PUT_OFF  # its end says when the next one is due

    def close(self) -> None:
        """Begins nothing more, not even what waits for its turn."""
        self._closed.set()
        for _ in range(AT_ONCE):
            self._todo.put(None)

    def _next(self) -> ObjectKey | None:
        with resting():
            return self._todo.get()

    def _work(self) -> None:
        while (key := self._next()) is not None and not self._closed.is_set():
            try:
                with working(f"looks again at {key}"):
                    self._attempt(key)
            except SynclineError:  # it is told by the status of the object, or the state couldn't be reached
                self._not_before[key] = time.monotonic() + PUT_OFF
            except Exception as error:  # a defect ends this attempt, and not whoever would make the next one
                self._not_before[key] = time.monotonic() + PUT_OFF
                self._tell(f"{key}: SYN999 {type(error).__name__}: a defect in Syncline, please report it")
            finally:
                self._busy.discard(key)

    def _attempt(self, key: ObjectKey) -> None:
        applied = self._engine.applied()
        if key not in applied.objects:
            return
        error = secrets_error(self._engine.facilities.settings, applied.desired.objects[key])
        if error is None and key.kind == "Integration":
            error = self._reached(applied, key)
        elif error is None and rotation_of(applied.desired.objects[key]) is not None:
            error = self._seen(applied, key)
        after_check(self._store, applied, key, error)

    def _reached(self, applied: Applied, key: ObjectKey) -> SynclineError | None:
        """Why a system doesn't answer; None where it does, and where nobody who may use it does."""
        side = side_of(applied.desired, applied.desired.objects[key], "")
        if side is None or not _tells(side) or not self._used(applied, key):
            return None
        engine, recorder = self._engine, self._engine.facilities.recorder
        inspector = Inspector(side, applied.desired, engine.facilities.settings, engine.resolve)
        error: SynclineError | None = None
        try:
            inspector.open()
            recorder.record(recorder.secret_uses(key, inspector.secrets.names))  # before they are
            inspector.check()
        except SynclineError as failure:
            error = failure
        outcome = EventOutcome.success if error is None else EventOutcome.failure
        code = "" if error is None else error.code
        recorder.record([recorder.event(Action.connector_check, outcome=outcome, key=key, code=code)])
        return error

    def _seen(self, applied: Applied, key: ObjectKey) -> SynclineError | None:
        """Notes what a credential is now, by its keyed digest; why it can't be read, where it can't."""
        spec = applied.desired.objects[key].spec
        assert isinstance(spec, AuthConfigSpec)
        facilities = self._engine.facilities
        uses = SecretUses(self._engine.resolve, key.tenant)
        try:
            found = secrets_of(spec.root, uses)
        except SynclineError as error:
            return error
        recorder = facilities.recorder
        recorder.record([recorder.event(Action.secret_use, key=key, secret=name) for name in uses.names])
        note_credential(facilities, key, found)
        return None

    def _used(self, applied: Applied, key: ObjectKey) -> bool:
        flows = (self._allowed(applied, item, key) for item in applied.flows.values())
        return any(flows) or key in carriers(applied.desired)

    def _allowed(self, applied: Applied, item: CompiledFlow, key: ObjectKey) -> bool:
        sides = {item.flow.source.integration.key, item.flow.target.integration.key}
        return key in sides and all(result.allowed for result in self._engine.decide(item, applied))


def _tells(side: Side) -> bool:
    """Whether a system can be asked how it is: an API that only takes messages has nothing to be asked for."""
    spec = side.connector.spec
    assert isinstance(spec, ConnectorSpec)
    return side.runtime != "rest" or spec.check is not None or bool(spec.streams)


def _scheduled(applied: Applied, now: dt.datetime) -> set[ObjectKey]:
    """The flows that schedules may start now."""
    found: set[ObjectKey] = set()
    for key, spec in schedules(applied.desired):
        if not suspended(spec.suspend, now) and within(spec.windows, now.astimezone(ZoneInfo(spec.time_zone))):
            found |= set(flows_of(key.tenant, spec.run))
    return found
