"""The daemon: brings what is applied to what Git declares, and starts what is scheduled, until it is told to stop.

One daemon on a state works, under a lease; others stand by and take over when it ends, dies, or is silent for longer
than its lease. What it writes to the state carries the lease's token, so that one that was only slow has no effect any
more. A commit that is refused changes nothing: the last good one keeps running, and the next commit is looked at again.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from syncline import workflow
from syncline.daemon.attempts import Attempts
from syncline.daemon.expiry import Expiry
from syncline.daemon.follower import Source, Standing
from syncline.daemon.followers import Followers
from syncline.daemon.git.declared import open_source
from syncline.daemon.leading import ELSEWHERE, LEADING, is_followed
from syncline.daemon.looks import Looks
from syncline.daemon.memory import few_pools, give_back
from syncline.daemon.notifier import notifying
from syncline.daemon.own_disk import WORK, own_disk
from syncline.daemon.processes.pool import running
from syncline.daemon.starts import Starter
from syncline.daemon.witnesses import witnessing
from syncline.executor.engine import unasked
from syncline.model.errors import Again, Followed, Stalled, Waiting
from syncline.model.pulse import Pulses, turned, working

if TYPE_CHECKING:
    from syncline.daemon.processes.runner import Runner
    from syncline.daemon.publish import Publisher
    from syncline.executor.engine import Engine
    from syncline.executor.services.facilities import Facilities
    from syncline.reconciler.approvals import Rule
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
#: Seconds before what keeps it from working is tried again: at first, and at most.
PAUSE = 1.0
MAX_PAUSE = 30.0
#: Seconds before a state that it has lost is tried again at most: twelve times a minute, and soon once it is back.
MAX_LOST = 5.0


@dataclass(slots=True)
class Status:
    """How a daemon stands, for probes: whether it works, what it waits for, and its sources by name ('': its own)."""

    leading: bool = False
    waits: str = ""
    sources: dict[str, Standing] = field(default_factory=dict)

    @property
    def first(self) -> Standing:
        """How the source stands that it was started with."""
        return self.sources.get("") or Standing()

    @property
    def problem(self) -> str:
        """Why it doesn't work, or the newest commit of a source isn't applied; '' when all is well."""
        others = (f"{name}: {s.problem}" for name, s in self.sources.items() if name and s.problem)
        return self.waits or self.first.problem or next(others, "")

    @property
    def ready(self) -> bool:
        """Whether it works: leads, and has looked at its source."""
        return self.leading and self.first.looked is not None

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        first = self.first
        found: dict[str, Any] = {"leading": self.leading, "commit": first.commit, "problem": self.problem}
        if others := {name: s for name, s in self.sources.items() if name}:
            found["sources"] = {name: {"commit": s.commit, "problem": s.problem} for name, s in others.items()}
        return found


#: Takes what a daemon is asked for, with its engine, during a block.
Requests = Callable[["Engine", threading.Event], AbstractContextManager[None]]


def _no_requests(engine: Engine, stop: threading.Event) -> AbstractContextManager[None]:
    """Nobody can ask."""
    del engine, stop
    return nullcontext()


class Daemon:
    """
    Serves a source, and those that are declared there, on one state.

    `poll` is in seconds between looks at a source, give or take a tenth; `lease` is how long it may be silent before
    another daemon takes over; so many `processes` do the runs of schedules, `at_once` at a time; 0: this one.
    `publisher` keeps the snapshot that pull requests are planned against.
    `requests(engine, stop)` takes what it is asked for, while it works. `approvals`: which changes wait for those.
    """

    def __init__(  # noqa: PLR0913 - what a daemon is made of, each by its name
        self,
        settings: Settings,
        source: Source,
        tell: Callable[[str], None],
        *,
        poll: float = 60.0,
        at_once: int = 4,
        processes: int = 0,
        lease: float = LEASE,
        publisher: Publisher | None = None,
        requests: Requests = _no_requests,
        approvals: Rule | None = None,
    ) -> None:
        self.status = Status()
        self.pulses = Pulses()
        self._settings = settings
        self._source = source
        self._tell = tell
        self._poll = poll
        self._at_once = at_once
        self._processes = processes
        self._lease = lease
        self._publisher = publisher
        self._requests = requests
        self._approvals = approvals
        # Since when this daemon has known without a gap how the state stands: as the one that works, or standing by.
        self._watched: dt.datetime | None = None
        self._followers: Followers | None = None
        self._engine: Engine | None = None
        self._leaving: Callable[[], None] = lambda: None
        self._awake = threading.Event()

    def look_soon(self) -> None:
        """Has all sources looked at before their next poll. Safe for threads, and not for handlers of signals."""
        if (followers := self._followers) is not None:
            followers.look_soon()
        self._awake.set()

    def pushed(self, ref: str) -> bool:
        """Has those sources looked at that follow a ref, before their next poll; whether there are any. Safe for
        threads, and not for handlers of signals.
        """
        followers = self._followers
        if followers is None:  # another daemon works, or none: there is nothing to be looked at before the first look
            return bool(ref) and ref == self._source.ref
        found = followers.look_soon(ref)
        self._awake.set()
        return found

    @property
    def engine(self) -> Engine | None:
        """What it works with, or would if it had the lease; None while the state is out of reach."""
        return self._engine

    def before_leaving(self, call: Callable[[], None]) -> None:
        """Has this called before an engine that it works with is closed."""
        self._leaving = call

    def wake(self) -> None:
        """Has it look at what is due now. Safe for threads, and not for handlers of signals."""
        self._awake.set()

    def serve(self, stop: threading.Event) -> None:
        """
        Works until `stop` is set, then lets runs end for a moment.

        A state that is out of reach or can't be used, and a disk that is full or fails, end nothing: it is told, and
        tried again after longer and longer waits, from the beginning. Raises what waiting doesn't mend.
        """
        few_pools()
        with self.pulses.loop("main"):
            self._serve(stop)

    def _serve(self, stop: threading.Event) -> None:
        pause = 0.0
        while not stop.is_set():
            turned()
            began = time.monotonic()
            try:
                with own_disk(WORK), _opened(self._settings) as engine:
                    self._engine = engine
                    try:
                        self._take_turns(engine, stop)
                    finally:
                        self._leaving()
                        self._engine = None
            except (Again, Stalled) as error:
                self._watched = None
                self._say(f"{error.code} {error.told}; it is tried again")
                pause = PAUSE if time.monotonic() - began > MAX_PAUSE else min(max(2 * pause, PAUSE), MAX_PAUSE)
                stop.wait(pause)

    def _take_turns(self, engine: Engine, stop: threading.Event) -> None:
        """Works while it has the lease, and stands by while another daemon has it."""
        pause = 0.0
        while not stop.is_set():
            turned()
            try:
                with (
                    engine.facilities.store.lease(LEADING, ttl=self._lease) as lease,
                    running(engine, lease, self._processes) as runner,
                ):
                    pause = 0.0
                    self._lead(engine, lease, runner, stop)
            except Waiting as error:
                self._watched = self._watched or _now()
                self._say(f"{error.on} works; this daemon stands by")
                pause = 0.0
                stop.wait(STAND_BY)
            except Followed as error:  # by what it wrote, before its next look whether it has the lease
                if is_followed(error):
                    self._tell(f"{ELSEWHERE}: it goes on with what this one was at")
                else:
                    self._tell(f"{error.code} {error.told}; this daemon begins anew")
            except Again as error:
                self._watched = None
                self._say(f"{error.code} {error.told}")
                pause = min(max(2 * pause, PAUSE), MAX_LOST)
                stop.wait(error.after or pause)

    def _lead(self, engine: Engine, lease: Lease, runner: Runner, stop: threading.Event) -> None:
        self.status.leading = True
        self.status.waits = ""
        self.pulses.forget_ended()
        self._tell("this daemon works from now on")
        store = engine.facilities.store
        facilities = replace(engine.facilities, store=store.fenced(lease))
        starter = Starter(engine, self._watched or _now(), self._at_once, self._tell, facilities.store, runner)
        attempts = Attempts(engine, facilities.store, self._tell, starter.again)
        expiry = Expiry(engine, partial(store.prove, lease), self._tell)
        self._watched = None
        self.status.sources.clear()  # somebody else may have led
        self._followers = followers = Followers(
            self._settings,
            self._source,
            partial(open_source, self._settings),
            self._tell,
            self.wake,
            self.status.sources,
            poll=self._poll,
            approvals=self._approvals,
        )
        looks = Looks(engine, facilities.store, self._tell, branches=followers.branches)
        engine.before = looks.before_run
        try:
            with (
                self._requests(engine, stop),
                notifying(engine, facilities.store, self._tell, stop),
                witnessing(self._settings, self._tell, stop),
            ):
                while not stop.is_set():
                    turned()
                    if not store.holds(lease):
                        self._tell("the lease ran out before it could be renewed: another daemon may work now")
                        return
                    if followers.look(facilities, engine.applied()):
                        self._looked(facilities)
                    starter.tick(_now())
                    attempts.tick(_now())
                    looks.tick()
                    expiry.tick()
                    self._rest()
                if not starter.drain(DRAIN):
                    self._tell("runs that had not ended go on from their last commit when they are started again")
        finally:
            self._followers = None
            followers.close()
            starter.close()
            attempts.close()
            expiry.close()
            engine.before = unasked
            looks.close()
            self.status.leading = False

    def _looked(self, facilities: Facilities) -> None:
        """After a look at a source: what it left behind is given back, and snapshots follow."""
        give_back()
        if self._publisher is not None:
            self._publisher.publish(facilities)

    def _rest(self) -> None:
        """Waits for the next tick, or for what comes before it."""
        self._awake.wait(TICK)
        self._awake.clear()

    def _say(self, problem: str) -> None:
        """Tells of a problem once, however often it comes again."""
        if problem != self.status.waits:
            self.status.waits = problem
            self._tell(problem)


@contextmanager
def _opened(settings: Settings) -> Iterator[Engine]:
    """An engine during the block; opening it may bring the state to a new version."""
    with ExitStack() as stack:
        with working("opens the state"):
            engine = stack.enter_context(workflow.engine(settings))
        yield engine


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
