"""Processes of a daemon that do its runs: small syncs are mostly Python, of which a process does one thing at a time.

They are started when there is a run for them, as many as are allowed at most, and stay, with an engine that has read
what is applied; a run goes to the one with the fewest. What a run may do is as in the daemon itself: its flow is taken
under the daemon's lease, it waits for systems as the daemon says, and is stopped by it. One that dies takes its runs
along, which is noted as what ended them; the next run has another process. None outlives the daemon (`child.py`).
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from syncline.daemon.processes.channel import (
    Answer,
    Begin,
    Broke,
    Channel,
    Ended,
    MayWait,
    Stop,
    ToDaemon,
    ToProcess,
    Unable,
)
from syncline.daemon.processes.child import DAEMONS
from syncline.daemon.processes.runner import Here, Ran, Runner
from syncline.daemon.wire import error_data, error_of
from syncline.executor.ending import died
from syncline.executor.work import Work
from syncline.model.errors import Again, Bug, SynclineError
from syncline.model.pulse import resting, thread

if TYPE_CHECKING:
    from syncline.executor.batches.halt import Halt
    from syncline.executor.engine import Engine
    from syncline.settings import Settings
    from syncline.state.store import Lease

#: Seconds between looks whether a run is to end.
LOOK_EVERY: Final = 0.1
#: The code of a run whose process died.
DIED: Final = "SYN922"
_HELP: Final = (
    "Nothing is half-written: the next attempt goes on after the last commit. One that nobody killed has mostly had "
    "more memory than there is: look at the system's log, and give less to do at once (--at-once)."
)


@contextmanager
def running(engine: Engine, lease: Lease, processes: int) -> Iterator[Runner]:
    """Who does runs during the block, for the daemon with this lease: so many processes, or (0) this one."""
    if not processes:
        yield Here(engine)
        return
    runner = Processes(engine, lease, processes)
    try:
        yield runner
    finally:
        runner.close()


class Processes:
    """Up to `most` of them. `engine` is the daemon's, which is asked before a run, and told of one that was cut off."""

    def __init__(self, engine: Engine, lease: Lease, most: int) -> None:
        self._engine = engine
        self._lease = lease
        self._numbers = range(1, most + 1)
        self._lock = threading.Lock()
        self._processes: dict[int, _Process] = {}
        self._closed = False

    def run(self, work: Work) -> Ran:
        """Runs it to its end, in the process that has the least to do."""
        if work != Work(work.key, work.trigger):
            raise Bug(f"{work.key}: only a run as schedules start it is done by another process")
        self._engine.before(work)
        try:
            return self._run(work)
        except _LostError as lost:
            if work.halt.interrupted or self._closed:
                raise KeyboardInterrupt from lost
            self._note(work, lost.error)
            raise lost.error from None

    def _run(self, work: Work) -> Ran:
        process, run = self._joined()
        try:
            return process.follow(run, work, self._lease)
        finally:
            with self._lock:
                process.leave(run)
                if self._closed and not process.busy:
                    process.close()

    def close(self) -> None:
        """Begins nothing more. Processes end with the last run that they are at."""
        with self._lock:
            self._closed = True
            for process in self._processes.values():
                if not process.busy:
                    process.close()

    def _joined(self) -> tuple[_Process, _Run]:
        """A process, and a place for a run in it."""
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            self._processes = {number: each for number, each in self._processes.items() if not each.ended}
            process = min(self._processes.values(), key=lambda each: each.busy, default=None)
            free = next((number for number in self._numbers if number not in self._processes), None)
            if process is None or (process.busy and free is not None):
                assert free is not None
                process = self._processes[free] = _Process(self._engine.facilities.settings, free)
            return process, process.join()

    def _note(self, work: Work, error: SynclineError) -> None:
        """Notes in the state what ended a run, as the run would have; not where somebody else goes on with it."""
        engine = self._engine
        store = work.store or engine.facilities.store
        with suppress(SynclineError), store.lease(f"run/{work.key}", "") as lease:
            applied = engine.applied(lease.serial)
            if work.key in applied.flows:
                facilities = replace(engine.facilities, store=store.fenced(lease))
                engine.ended(facilities.store, applied, died(facilities, work, error), error)


class _LostError(Exception):
    """No process does a run, which therefore told nobody how it ended; `error` says why."""

    def __init__(self, error: SynclineError) -> None:
        super().__init__(error.told)
        self.error = error


class _Run:
    """The place of a run in a process: its number there, and what is heard of it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.heard: SimpleQueue[MayWait | Ended | Broke | Unable] = SimpleQueue()


class _Process:
    """One of them. `join` and `leave` are called under the lock of all."""

    def __init__(self, settings: Settings, number: int) -> None:
        ours, theirs = socket.socketpair()
        command = (sys.executable, "-P", "-m", "syncline.daemon.processes.child")  # -P: nothing of this folder
        arguments = (str(theirs.fileno()), str(settings.root), settings.environment)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, DAEMONS)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [*command, *arguments],
                    env=dict(settings.environ),
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # Ctrl-C is for the daemon
                )
        except OSError as error:
            ours.close()
            why = f"no process for a run could be started: {error.strerror}"
            raise _LostError(Again(why, code=DIED, help=_HELP)) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._socket = ours
        self._channel = Channel[ToDaemon](ours, ToDaemon)
        self._numbers = count(1)
        self._runs: dict[int, _Run] = {}
        self._ending = threading.Lock()
        self._end: Mapping[str, Any] | None = None  # the error of runs that it has from then on
        thread(f"process {number}", self._listen).start()

    @property
    def ended(self) -> bool:
        """Whether it can do nothing any more."""
        return self._end is not None

    @property
    def busy(self) -> int:
        """How many runs it has."""
        return len(self._runs)

    def join(self) -> _Run:
        """A place for one more run."""
        run = _Run(next(self._numbers))
        with self._ending:
            self._runs[run.number] = run
            if self._end is not None:
                run.heard.put(Unable(self._end))
        return run

    def leave(self, run: _Run) -> None:
        """A run is over."""
        with self._ending:
            del self._runs[run.number]

    def close(self) -> None:
        """Has it end."""
        self._channel.close()

    def follow(self, run: _Run, work: Work, lease: Lease) -> Ran:
        """Has a run done, and waits for its end."""
        self._say(Begin(run.number, work.key, work.trigger, lease))
        said: set[str | None] = set()
        while True:
            try:
                message = run.heard.get(timeout=LOOK_EVERY)
            except Empty:
                for why in _stops(work.halt) - said:
                    said.add(why)
                    self._say(Stop(run.number, why))
                continue
            match message:
                case MayWait():
                    self._say(Answer(run.number, yes=work.patience()))
                case Ended():
                    return Ran(message.run, message.counts)
                case Broke():
                    if message.error is None:
                        raise KeyboardInterrupt
                    raise error_of(message.error)
                case Unable():
                    raise _LostError(error_of(message.error))

    def _say(self, message: ToProcess) -> None:
        with suppress(OSError):  # it is gone, of which we hear
            self._channel.say(message)

    def _listen(self) -> None:
        end: Mapping[str, Any] | None = None
        while (message := self._heard()) is not None:
            if isinstance(message, Unable):
                end = message.error
            elif (run := self._runs.get(message.number)) is not None:
                run.heard.put(message)
        self._process.kill()  # where it said what nobody understands
        code = self._process.wait()
        by = _signal(-code) if code < 0 else f"itself with code {code}"
        end = end or error_data(Again(f"the process of the run was ended by {by}", code=DIED, help=_HELP))
        with self._ending:
            self._end = end
            for run in self._runs.values():
                run.heard.put(Unable(end))
        self._socket.close()

    def _heard(self) -> ToDaemon | None:
        with resting():
            return self._channel.hear()


def _signal(number: int) -> str:
    """Its name; those of real time have none, but for the first and the last."""
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, f"signal {number}")


def _stops(halt: Halt) -> set[str | None]:
    """Why a run is to end, as `Stop` has it."""
    asked = {halt.why} if halt.asked else set()
    return {*asked, None} if halt.interrupted else {*asked}
