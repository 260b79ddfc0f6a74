"""Takes the runs that `syncline run` asks for over a Unix socket, so that they need no start of an engine.

Whoever may read the home folder's keys may ask: the socket is in that folder, with mode 0600, and the kernel says whose
process is at the other end. A request runs what is applied, as the command itself would, under the same leases and
with the same evidence, which names who asked; it can change nothing else. One whose other end is gone is stopped after
its last commit.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from syncline import workflow
from syncline.daemon import wire
from syncline.executor.access.admission import tenant_spec
from syncline.executor.access.roles import Person, Right, refuse
from syncline.executor.batches.halt import Halt
from syncline.executor.work import Work
from syncline.model.errors import Bug, SynclineError
from syncline.model.key import ObjectKey
from syncline.model.pulse import carried, resting, thread

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.progress import RunInfo
    from syncline.executor.work import RunResult
    from syncline.model.run import Counts
    from syncline.settings import Settings

#: Runs at once that are taken; who asks for more runs by itself.
AT_ONCE = 16
#: Seconds that the other end may take to send its request, or to read an answer.
PATIENCE = 5.0
#: Seconds between looks whether the other end is still there.
WATCH_EVERY = 0.1
#: Seconds between signs of life, so that who asked can tell a long run from a daemon that hangs.
ALIVE_EVERY = 2.0
#: Seconds that runs which were stopped get to end.
STOPPED = 0.5

#: Which object is meant by a name, among those that are applied, in a tenant or ('') in all; `Invalid` for none.
Find = Callable[[str, Iterable[ObjectKey], str], ObjectKey]


class RunRequests:
    """The socket of one home folder."""

    def __init__(self, settings: Settings, find: Find, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._find = find
        self._tell = tell
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._here = wire.Request.here(settings.root, settings.state_url, "")

    @contextmanager
    def taking(self, engine: Engine, stop: threading.Event) -> Iterator[None]:
        """Takes requests while the block runs. Runs under way are stopped at its end, or once `stop` is set."""
        try:
            with wire.socket_path(self._settings.home) as path:
                listener, mine = _bind(path)
        except (OSError, AttributeError) as error:  # no such sockets here, or no room for one
            self._tell(f"`syncline run` isn't taken over here: {getattr(error, 'strerror', None) or error}")
            yield
            return
        ended = threading.Event()
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    with resting():
                        connection, _ = listener.accept()
                    asked = _Asked(connection, lambda: stop.is_set() or ended.is_set())
                    served = threading.Thread(target=carried(partial(self._serve, engine, asked)), daemon=True)
                    served.start()
                    threads[:] = [*(t for t in threads if t.is_alive()), served]

        accepting = thread("requests", accept)
        accepting.start()
        try:
            yield
        finally:
            ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            listener.close()
            self._unlink(mine)
            end = time.monotonic() + STOPPED
            for served in threads:
                served.join(max(end - time.monotonic(), 0.0))

    def _unlink(self, mine: int) -> None:
        """Removes the socket, unless it is another daemon's by now."""
        path = self._settings.home / wire.SOCKET
        with suppress(OSError):
            if path.stat().st_ino == mine:
                path.unlink()

    def _serve(self, engine: Engine, asked: _Asked) -> None:
        with asked.connection:
            if not self._free.acquire(blocking=False):
                asked.say({"refused": "busy"})
                return
            try:
                asked.say(self._answer(engine, asked))
            finally:
                self._free.release()

    def _answer(self, engine: Engine, asked: _Asked) -> dict[str, Any]:
        process, uid = asked.peer()
        request = asked.request()
        if uid not in {os.geteuid(), 0} or request is None or not request.same_place(self._here):
            return {"refused": "not this daemon's"}
        try:
            with asked.watched() as halt:
                desired, person = engine.applied().desired, Person.of_peer(process, uid, request.actor)
                seen = [key for key in engine.applied().objects if person.sees(desired, key)]
                key = self._find(request.name, seen, request.tenant)
                spec = tenant_spec(desired, key.tenant)
                refuse(engine.facilities.recorder, person, key.tenant, spec.access, Right.run)
                work = Work(key, full_refresh=request.full_refresh, asked=f"uid {uid}", halt=halt)
                return self._receipt(engine.run(work, asked))
        except SynclineError as error:
            return {"failed": wire.error_data(error)}
        except KeyboardInterrupt:
            return {"stopped": True}
        except Exception as error:  # a defect ends this run, and not the daemon; its text isn't shown, as nowhere
            return {"failed": wire.error_data(Bug(f"{type(error).__name__} in the daemon"))}

    def _receipt(self, result: RunResult) -> dict[str, Any]:
        receipt = result.receipt
        if receipt is None:
            return {"ended": str(result.record.state)}
        rules = workflow.reject_rules(self._settings, receipt.run) if receipt.counts.rejected else {}
        return {"receipt": receipt.to_json(), "rules": rules}


class _Asked:
    """One connection, and the progress that is told over it."""

    def __init__(self, connection: socket.socket, stopping: Callable[[], bool]) -> None:
        self.connection = connection
        self._stopping = stopping
        self._silent = False
        self._saying = threading.Lock()
        connection.settimeout(PATIENCE)

    def peer(self) -> tuple[int, int]:
        """Which process asks, and whose it is, as the kernel says."""
        size = struct.calcsize("3i")
        process, uid, _ = struct.unpack("3i", self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return int(process), int(uid)

    def request(self) -> wire.Request | None:
        """What is asked for; None for what is none, too long or too slow."""
        text, end = b"", time.monotonic() + PATIENCE
        with suppress(OSError, ValueError):
            while not text.endswith(b"\n") and len(text) <= wire.MAX_REQUEST and time.monotonic() < end:
                part = self.connection.recv(4096)
                if not part:
                    return None
                text += part
            return wire.Request.loads(text)
        return None

    @contextmanager
    def watched(self) -> Iterator[Halt]:
        """Interrupts a run, by what it gives, once nobody waits for its end any more."""
        halt, ended = Halt(), threading.Event()

        def watch() -> None:
            said = time.monotonic()
            while not self._gone():
                if ended.wait(WATCH_EVERY):
                    return
                if time.monotonic() - said >= ALIVE_EVERY:
                    self.say({"alive": True})
                    said = time.monotonic()
            halt.interrupt()

        if self._gone():
            halt.interrupt()
        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield halt
        finally:
            ended.set()
            watching.join()

    def _gone(self) -> bool:
        """Whether the daemon stops, or the other end, which has nothing more to say, hung up."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        return self._stopping() or self._silent or bool(poll.poll(0))

    def say(self, document: dict[str, Any]) -> None:
        """Sends a document; to nobody, once the other end is gone or doesn't read."""
        with self._saying:
            if not self._silent:
                try:
                    self.connection.sendall(wire.line(document))
                except OSError:
                    self._silent = True

    def started(self, info: RunInfo) -> None:
        """Tells that a run starts."""
        self.say({"started": [info.run, info.object, info.source, info.target, info.resumed]})

    def phase(self, name: str) -> None:
        """Tells what begins."""
        self.say({"phase": name})

    def advanced(self, counts: Counts, done: float | None) -> None:
        """Tells how far it is."""
        self.say({"advanced": counts.to_json(), "done": done})

    def waiting(self, seconds: float, why: str) -> None:
        """Tells that it waits."""
        self.say({"waiting": seconds, "why": why})

    def finished(self, counts: Counts, seconds: float) -> None:
        """Tells that it ended."""
        self.say({"finished": counts.to_json(), "seconds": seconds})


def _bind(path: str) -> tuple[socket.socket, int]:
    """A socket that listens at a path, for its owner only, in place of what a daemon before left there; its inode."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _ = socket.SO_PEERCRED  # AttributeError where nobody says who asks: then nobody may
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - through the open folder
        os.fchmod(listener.fileno(), 0o600)  # the file gets it when it is made; there is no moment before
        listener.bind(path)
        listener.listen(AT_ONCE)
        return listener, os.stat(path).st_ino  # noqa: PTH116 - as above
    except BaseException:
        listener.close()
        raise
