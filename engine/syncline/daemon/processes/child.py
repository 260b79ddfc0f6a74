"""A process that does runs for a daemon, of `pool.py`: `python -m syncline.daemon.processes.child FD ROOT ENVIRONMENT`.

It has an engine of its own over the same home and state, and does what it is told over the socket FD, several runs at
once. Once that is closed the daemon is gone, or wants no more: it ends, in the middle of a run too. That is as if it
was killed: the next run goes on from the last commit.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NoReturn

from syncline import workflow
from syncline.daemon.memory import few_pools, give_back
from syncline.daemon.own_disk import WORK, own_disk
from syncline.daemon.processes.channel import Answer, Begin, Broke, Channel, Ended, MayWait, Stop, ToProcess, Unable
from syncline.daemon.processes.runner import Here
from syncline.daemon.wire import error_data
from syncline.executor.batches.halt import Halt
from syncline.executor.batches.threads import borrow
from syncline.executor.work import Work
from syncline.model.errors import Bug, SynclineError
from syncline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType
    from typing import Any

    from syncline.executor.engine import Engine

#: The daemon's signals, which says what is to end: whoever sends them to all processes of a service means it.
DAEMONS: Final = frozenset({signal.SIGINT, signal.SIGTERM})
#: Seconds without a word after which free memory goes back to the system, where nothing is under way.
QUIET: Final = 2.0


def main() -> NoReturn:
    """Does runs until nobody wants them any more. Begun with these signals blocked, so that none comes too early."""
    for number in DAEMONS:
        signal.signal(number, _unheard)  # not ignored: programs that a run starts would ignore them as well
    signal.pthread_sigmask(signal.SIG_UNBLOCK, DAEMONS)
    descriptor, root, environment = sys.argv[1:]
    connection = socket.socket(fileno=int(descriptor))
    connection.set_inheritable(False)
    few_pools()
    channel = Channel[ToProcess](connection, ToProcess)
    try:
        with own_disk(WORK), workflow.engine(read_settings(Path(root), os.environ, environment)) as engine:
            _Runs(engine, channel).serve()
    except Exception as error:
        with suppress(OSError):  # the daemon is gone
            channel.say(Unable(_told(error)))
    os._exit(0)  # what has to be closed is closed


class _Runs:
    """The runs that are under way in this process."""

    def __init__(self, engine: Engine, channel: Channel[ToProcess]) -> None:
        self._runner = Here(engine)
        self._store = engine.facilities.store
        self._channel = channel
        self._going: dict[int, _Going] = {}
        self._rested = False

    def serve(self) -> None:
        """Does what it is told until there is nobody any more who would; what is under way then is cut off."""
        while (message := self._heard()) is not None:
            match message:
                case Begin():
                    self._rested = False
                    self._going[message.number] = _Going()
                    thread = borrow("syncline-run")
                    thread.submit(partial(self._do, message, self._going[message.number]))
                    thread.give_back()
                case Stop() if (going := self._going.get(message.number)) is not None:
                    going.stop(message.why)
                case Answer() if (going := self._going.get(message.number)) is not None:
                    going.answers.put(message.yes)
        if self._going:
            os._exit(1)

    def _heard(self) -> ToProcess | None:
        """What it is told next. While it is told nothing and does nothing, it has no more memory than it needs."""
        while not self._channel.waits(QUIET):
            if not self._going and not self._rested:
                self._rested = True
                give_back()
        return self._channel.hear()

    def _do(self, begin: Begin, going: _Going) -> None:
        said: Ended | Broke
        try:
            ran = self._runner.run(
                Work(
                    begin.key,
                    begin.trigger,
                    store=self._store.fenced(begin.lease),
                    halt=going.halt,
                    patience=partial(self._may_wait, begin.number, going),
                )
            )
            said = Ended(begin.number, ran.run, ran.counts)
        except KeyboardInterrupt:
            said = Broke(begin.number)
        except BaseException as error:  # as a panic of a library is one
            said = Broke(begin.number, _told(error))
        del self._going[begin.number]
        try:
            self._channel.say(said)
        except OSError:
            return  # the daemon is gone
        except Exception as error:  # what can't be written as a message: else the daemon would wait for ever
            self._channel.say(Broke(begin.number, _told(error)))

    def _may_wait(self, number: int, going: _Going) -> bool:
        """Whether a run may wait for a system that fails, as the daemon says, which knows of all others."""
        with going.asking:
            self._channel.say(MayWait(number))
            return going.answers.get()


@dataclass(slots=True)
class _Going:
    """A run: how it is ended, and what it is answered when it asks, one thread of it after the other."""

    halt: Halt = field(default_factory=Halt)
    answers: SimpleQueue[bool] = field(default_factory=SimpleQueue)
    asking: threading.Lock = field(default_factory=threading.Lock)

    def stop(self, why: str | None) -> None:
        """Has it end at its next commit; interrupted, where nobody says why."""
        if why is None:
            self.halt.interrupt()
        else:
            self.halt.ask(why)


def _told(error: BaseException) -> Mapping[str, Any]:
    """An error as it is told; of one that nobody raised on purpose only the type, as its text may hold anything."""
    if not isinstance(error, SynclineError):
        error = Bug(f"{type(error).__name__}: a defect in Syncline, please report it")
    return error_data(error)


def _unheard(number: int, frame: FrameType | None) -> None:
    del number, frame


if __name__ == "__main__":
    main()
