"""The daemon: brings what is applied to what Git declares, and starts what is scheduled, until it is told to stop.

One daemon on a state works, under a lease; others stand by and take over when it ends, dies, or is silent for longer
than its lease. What it writes to the state carries the lease's token, so that one that was only slow has no effect any
more. A commit that is refused changes nothing: the last good one keeps running, and the next commit is looked at again.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from syncline import workflow
from syncline.daemon.attempts import Attempts
from syncline.daemon.fetching import Fetching
from syncline.daemon.gitcommand import Stop
from syncline.daemon.looks import Looks
from syncline.daemon.notifier import notifying
from syncline.daemon.starts import Starter
from syncline.executor.facilities import Facilities
from syncline.manifests.repository import Revision
from syncline.model.errors import Again, Bug, Denied, Invalid, Stalled, SynclineError, Waiting
from syncline.planner.known import Known
from syncline.reconciler.apply import apply_plan
from syncline.reconciler.status import next_attempt, source_failed, source_well
from syncline.state.store import Author

if TYPE_CHECKING:
    from syncline.daemon.publish import Publisher
    from syncline.executor.engine import Engine
    from syncline.settings import Settings
    from syncline.state.store import Lease

#: Seconds between looks at what is due.
TICK = 0.5
#: Seconds that runs under way get to end when the daemon is told to stop.
DRAIN = 4.0
#: Seconds of silence after which another daemon takes over. Of one whose process died it hears at once.
LEASE = 3.0
#: Seconds between looks of one that stands by.
STAND_BY = 0.2
#: Longest wait, in seconds, before a commit that couldn't be applied for the moment is tried again.
MAX_BACKOFF = 300.0
#: Fewest seconds between looks that somebody asks for.
APART = 1.0


class Tree(Protocol):
    """The tree of a commit, as files in a folder."""

    @property
    def commit(self) -> str:
        """Its id."""

    @property
    def root(self) -> Path:
        """The folder."""


class Source(Protocol):
    """Where desired state comes from; `daemon/source.py` is Git."""

    @property
    def shown(self) -> str:
        """Where it is, as people may see it."""

    def head(self, stop: Stop) -> str:
        """The newest commit; called by a thread of its own. `stop` ends it early."""

    def check_history(self, applied: str, new: str) -> None:
        """`Stalled` where the new commit doesn't come after the one that is applied."""

    def back_to(self, applied: str, commit: str) -> str:
        """The commit whose positions are gone back to by what came after the applied one; '' for none."""

    def author(self, commit: str) -> tuple[str, str]:
        """Whose commit it is, and its first line."""

    def snapshot(self, commit: str) -> Tree:
        """The tree of a commit."""


@dataclass(slots=True)
class Status:
    """How a daemon stands, for probes. `problem` is why the newest commit isn't applied; '' when it is."""

    leading: bool = False
    commit: str = ""
    problem: str = ""
    looked: dt.datetime | None = None

    @property
    def ready(self) -> bool:
        """Whether it works: leads, and has looked at its source."""
        return self.leading and self.looked is not None


#: Takes what a daemon is asked for, with its engine, during a block.
Requests = Callable[["Engine", threading.Event], AbstractContextManager[None]]


def _no_requests(engine: Engine, stop: threading.Event) -> AbstractContextManager[None]:
    """Nobody can ask."""
    del engine, stop
    return nullcontext()


class Daemon:
    """
    Serves one source on one state. `poll` is in seconds between looks at the source, give or take a tenth; `lease` is
    how long it may be silent before another daemon takes over; `publisher` keeps the snapshot that pull requests are
    planned against.
    `requests(engine, stop)` takes what it is asked for, while it works.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        tell: Callable[[str], None],
        *,
        poll: float = 60.0,
        at_once: int = 4,
        lease: float = LEASE,
        publisher: Publisher | None = None,
        requests: Requests = _no_requests,
    ) -> None:
        self.status = Status()
        self._settings = settings
        self._source = source
        self._tell = tell
        self._poll = poll
        self._at_once = at_once
        self._lease = lease
        self._publisher = publisher
        self._requests = requests
        # Since when this daemon has known without a gap how the state stands: as the one that works, or standing by.
        self._watched: dt.datetime | None = None
        self._backoff = 0.0
        self._looked = self._next_look = 0.0  # monotonic clock: the wall's may be set back by hours
        self._settled = ""  # the commit that is applied, and needs no other look
        self._known = Known()
        self._asked = threading.Event()  # for a look before the next poll
        self._awake = threading.Event()

    def look_soon(self) -> None:
        """Asks for a look at the source before the next poll. Safe for threads, and not for handlers of signals."""
        self._asked.set()
        self._awake.set()

    def wake(self) -> None:
        """Has it look at what is due now. Safe for threads, and not for handlers of signals."""
        self._awake.set()

    def serve(self, stop: threading.Event) -> None:
        """Works until `stop` is set, then lets runs end for a moment."""
        with workflow.engine(self._settings) as engine:
            while not stop.is_set():
                try:
                    with engine.facilities.store.lease("daemon", ttl=self._lease) as lease:
                        self._lead(engine, lease, stop)
                except Waiting as error:
                    self._watched = self._watched or _now()
                    self._say(f"{error.on} works; this daemon stands by")
                    stop.wait(STAND_BY)
                except Again as error:
                    self._watched = None
                    self._say(f"{error.code} {error.message}")
                    stop.wait(error.after or 1.0)

    def _lead(self, engine: Engine, lease: Lease, stop: threading.Event) -> None:
        self.status.leading = True
        self.status.problem = ""
        self._tell("this daemon works from now on")
        store = engine.facilities.store
        facilities = replace(engine.facilities, store=store.fenced(lease))
        starter = Starter(engine, self._watched or _now(), self._at_once, self._tell, facilities.store)
        attempts = Attempts(engine, facilities.store, self._tell)
        looks = Looks(engine, facilities.store, self._tell)
        self._watched = None
        fetching = Fetching(self._source, self.wake)
        try:
            self._settled = ""  # somebody else may have led
            self._next_look = 0.0
            self._asked.clear()  # what was asked for until now is met by the first look
            with self._requests(engine, stop), notifying(engine, facilities.store, self._tell):
                while not stop.is_set():
                    if not store.holds(lease):
                        self._tell("the lease ran out before it could be renewed: another daemon may work now")
                        return
                    if self._look(facilities, fetching) and self._publisher is not None:
                        self._publisher.publish(facilities)
                    starter.tick(_now())
                    attempts.tick(_now())
                    looks.tick()
                    self._rest()
                if not starter.drain(DRAIN):
                    self._tell("runs that had not ended go on from their last commit when they are started again")
        finally:
            fetching.close()  # the mirror may be another daemon's from now on
            starter.close()
            attempts.close()
            looks.close()
            self.status.leading = False

    def _rest(self) -> None:
        """Waits for the next tick, or for what comes before it."""
        self._awake.wait(TICK)
        self._awake.clear()

    def _look(self, facilities: Facilities, fetching: Fetching) -> bool:
        """Goes on with looking at the source, without waiting for it; whether a look has ended."""
        if not fetching.under_way:
            if self._asked.is_set():
                self._asked.clear()
                self._next_look = min(self._next_look, self._looked + APART)
            if time.monotonic() >= self._next_look:
                self.status.looked, self._looked = _now(), time.monotonic()
                fetching.begin()
            return False
        if not self.status.problem and (slow := fetching.slow) is not None:
            self._problem(facilities, "", slow, self._poll)
        try:
            found: str | SynclineError | None = fetching.take()
        except SynclineError as error:
            found = error
        if found is None:
            return False
        self._next_look = time.monotonic() + self._fetched(facilities, found)
        return True

    def _fetched(self, facilities: Facilities, found: str | SynclineError) -> float:
        """Goes on with what a fetch found; the seconds until the next look."""
        pause = self._poll * random.uniform(0.9, 1.1)  # noqa: S311 - so that daemons don't ask all at once
        commit = ""
        try:
            if isinstance(found, SynclineError):
                raise found
            commit = found
            held = 0.0
            if commit != self._settled:
                held = self._bring(facilities, commit)
            elif self.status.problem:
                self.status.problem = ""
                source_well(facilities.store, commit)
            self._backoff = 0.0
            return min(pause, held or pause)
        except (Waiting, Again) as error:
            self._backoff = min(max(2 * self._backoff, 1.0), MAX_BACKOFF)
            self._problem(facilities, commit, error, self._backoff)
            return min(self._backoff, pause)
        except (Invalid, Denied, Stalled) as error:
            self._problem(facilities, commit, error)  # a person has to act, or the day of an exception to come
            return pause

    def _bring(self, facilities: Facilities, commit: str) -> float:
        """Plans a commit and applies the plan; where some of it has to wait, the seconds until that is tried again."""
        before, _ = facilities.store.applied_under()
        if before and before != commit:
            self._source.check_history(before, commit)
        tree = self._source.snapshot(commit)
        settings = replace(self._settings, root=tree.root)
        validation = workflow.validate(settings, known=self._known)
        back_to = self._source.back_to(facilities.store.applied_before(commit), commit)
        head = Revision(commit, dirty=False, back_to=back_to)
        plan = workflow.plan(settings, head=head, validation=validation)
        author = Author(*self._source.author(commit))
        applied = apply_plan(
            facilities, plan, lambda line: self._tell(f"{commit[:12]}: {line}"), patient=True, author=author
        )
        if applied.held:
            names = ", ".join(map(str, list(applied.held)[:5]))
            first = next(iter(applied.held.values()))
            self._say(f"{commit[:12]} is applied but for {names}, which has to wait: {first.message}")
            return next_attempt(facilities.store, applied.held, _now())
        self._settled, self.status.commit = commit, commit
        self.status.problem = ""
        self._tell(f"{commit[:12]} is applied: {applied.steps} steps, serial {applied.serial}")
        return 0.0

    def _problem(self, facilities: Facilities, commit: str, error: SynclineError, after: float | None = None) -> None:
        if isinstance(error, Bug):
            raise error
        found = [f"{d.code} {d.place}: {d.message}" for d in getattr(error, "diagnostics", ()) if d.severity == "error"]
        text = "; ".join([f"{error.code} {error.message}", *found[:10]])
        self._say(f"{commit[:12]} isn't applied: {text}" if commit else text)
        with suppress(SynclineError):  # the state may be what is out of reach
            source_failed(facilities.store, commit, error, after=after)

    def _say(self, problem: str) -> None:
        """Tells of a problem once, however often it comes again."""
        if problem != self.status.problem:
            self.status.problem = problem
            self._tell(problem)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
