"""Sends what is in the outbox: of each subscription one message after another, of several at the same time.

An attempt is counted before it is made and its outcome kept after it, so that a message is sent at least once: again,
under the same id, only where the process died in between or the answer was lost. What fails is tried again with longer
and longer waits, for three days; a message that is refused for good isn't. Nothing here waits in the daemon's loop.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from syncline.kinds.subscription import SubscriptionSpec
from syncline.model.errors import Again, Bug, Followed, Invalid, SynclineError, Waiting
from syncline.model.event import Action, EventOutcome
from syncline.model.pulse import resting, thread, working
from syncline.notify.channels import notice_of, open_channel
from syncline.notify.events import time_of
from syncline.reconciler.status import after_delivery
from syncline.sdk.notice import PartlyArrived
from syncline.sdk.retry import RetryPolicy

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.model.outbox import Message, Outbox
    from syncline.state.store import StateStore

#: Messages on their way at the same time, and of one tenant.
AT_ONCE: Final = 8
OF_A_TENANT: Final = 3
#: Subscriptions whose next message is looked at: far more than are sent at once, so that none keeps others waiting.
LOOKED_AT: Final = 1_000
#: Seconds after which an attempt whose outcome isn't known is made again: longer than any attempt takes.
CLAIMED: Final = 90.0
#: Waits between attempts, in seconds.
BACKOFF: Final = RetryPolicy(initial=4.0, max=900.0)
#: Seconds after which a message is given up; one that is refused, so that those after it aren't kept for long.
GIVEN_UP: Final = 3 * 86_400.0
GIVEN_UP_REFUSED: Final = 3_600.0
_REFUSED: Final = "SYN738"
#: Attempts that may fail by something passing before the subscription is said not to be ready.
TOLD_AFTER: Final = 3


class Sender:
    """Threads that send. `tick` and `close` are for one thread. `tell` is called by any; `now` is Unix time."""

    def __init__(
        self, engine: Engine, store: StateStore, tell: Callable[[str], None], now: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._store = store
        self._outbox: Outbox = store.outbox()
        self._tell = tell
        self._now = now
        self._lock = threading.Lock()
        self._busy: dict[object, str] = {}  # subscriptions that a message of is on its way, and their tenants
        self._todo: SimpleQueue[Message | None] = SimpleQueue()
        self._closed = False
        self._threads = [thread(f"sender {number}", self._work) for number in range(1, AT_ONCE + 1)]
        self._begun = False

    def tick(self) -> None:
        """Begins to send what is due."""
        with self._lock:
            room = AT_ONCE - len(self._busy)
        if room <= 0:
            return
        for message in self._outbox.due(time_of(self._now()), LOOKED_AT):
            with self._lock:
                tenants = Counter(self._busy.values())
                full = len(self._busy) >= AT_ONCE or tenants[message.key.tenant] >= OF_A_TENANT
                if message.key in self._busy or full:
                    continue
                self._busy[message.key] = message.key.tenant
            self._begin()
            self._todo.put(message)

    def close(self, seconds: float = 2.0) -> None:
        """Begins nothing more, and waits a moment for what is on its way, so that it needn't be sent again."""
        self._closed = True
        for _ in self._threads:
            self._todo.put(None)
        if self._begun:
            end = self._now() + seconds
            for sending in self._threads:
                sending.join(max(0.0, end - self._now()))

    def _begin(self) -> None:
        """Threads are started when there is something to send for the first time."""
        if not self._begun:
            self._begun = True
            for sending in self._threads:
                sending.start()

    def _next(self) -> Message | None:
        with resting():
            return self._todo.get()

    def _work(self) -> None:
        while (message := self._next()) is not None and not self._closed:
            try:
                with working(f"sends a message of {message.key}"):
                    self._deliver(message)
            except Followed:  # another daemon has taken over
                return
            except SynclineError as error:  # the state is out of reach: it is claimed, and comes again
                self._tell(f"{message.key}: {error.code} {error.message}")
            except Exception as error:  # a defect ends this attempt, and not whoever would make the next one
                self._tell(f"{message.key}: SYN999 {type(error).__name__}: a defect in Syncline, please report it")
            finally:
                with self._lock:
                    self._busy.pop(message.key, None)

    def _deliver(self, message: Message) -> None:
        applied = self._engine.applied()
        manifest = applied.desired.objects.get(message.key)
        if manifest is None or not isinstance(manifest.spec, SubscriptionSpec):
            return  # it was retired a moment ago
        if not self._outbox.claim(message.id, time_of(self._now() + CLAIMED)):
            return
        try:
            ref = self._sent(message, manifest.spec, applied)
        except SynclineError as error:
            self._failed(message, applied, error)
            return
        except Exception as error:  # a defect: kept like any failure, so that what comes after it needn't wait for good
            self._failed(message, applied, Bug(f"{type(error).__name__}: a defect in Syncline, please report it"))
            return
        self._outbox.sent(message.id, ref)
        after_delivery(self._store, applied, message.key, None)

    def _sent(self, message: Message, spec: SubscriptionSpec, applied: Applied) -> str:
        """Sends it, with evidence of the secrets that are used before they are, and of what became of it."""
        facilities = self._engine.facilities
        recorder, key = facilities.recorder, message.key
        known = self._outbox.ref(key, message.thread) if message.thread else ""
        code, outcome = "SYN999", EventOutcome.failure
        try:
            channel = open_channel(
                key, spec, applied.desired, facilities.settings, self._engine.resolve, facilities.keep
            )
            recorder.record([recorder.event(Action.secret_use, key=key, secret=name) for name in channel.secrets])
            with closing(channel.notifier) as notifier:
                ref = notifier.send(notice_of(message, spec, known, notifier.escape))
            code, outcome = "", EventOutcome.success
        except SynclineError as error:
            code = error.code
            raise
        finally:
            about = {"message": message.id, "thread": message.thread, "phase": str(message.phase), "code": code}
            recorder.record([recorder.event(Action.notification_send, outcome=outcome, key=key, **about)])
        return ref or known

    def _failed(self, message: Message, applied: Applied, error: SynclineError) -> None:
        attempt, now = message.attempts + 1, self._now()
        again = ""
        patience = GIVEN_UP_REFUSED if error.code == _REFUSED else GIVEN_UP
        old = now - dt.datetime.fromisoformat(message.created).timestamp() > patience
        if not isinstance(error, Invalid) and not old:
            asked = error.after if isinstance(error, Again) else None
            again = time_of(now + max(1.0, BACKOFF.backoff(attempt, random.random(), asked)))  # noqa: S311 - a wait
        # Where it came to some, what follows goes on in their thread.
        ref = error.ref if isinstance(error, PartlyArrived) else ""
        self._outbox.failed(message.id, error.message, error.code, again, ref)
        passing = isinstance(error, Again | Waiting)
        if not passing or attempt >= TOLD_AFTER or not again:
            after_delivery(self._store, applied, message.key, error)
        if attempt == 1 or not again:
            given_up = "" if again else "; it isn't sent again"
            self._tell(f"{message.key}: a message couldn't be sent: {error.code} {error.message}{given_up}")
