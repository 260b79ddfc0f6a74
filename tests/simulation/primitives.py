"""What the program imports of `threading`, `queue` and `concurrent.futures`, over the simulated kernel."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.simulation.kernel import Killed, When

if TYPE_CHECKING:
    from tests.simulation.kernel import Kernel, Thread


class Lock:
    """`threading.Lock`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._held and not blocking:
            return False
        if self._held and not self._kernel.wait(When(lambda: not self._held), None if timeout < 0 else timeout):
            return False
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def locked(self) -> bool:
        return self._held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Event:
    """`threading.Event`: it is set while there is something in its list."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._set: list[bool] = []

    def is_set(self) -> bool:
        return bool(self._set)

    def set(self) -> None:
        self._set[:] = [True]

    def clear(self) -> None:
        self._set.clear()

    def wait(self, timeout: float | None = None) -> bool:
        return self._kernel.wait(self._set, timeout)


class Condition:
    """`threading.Condition`."""

    def __init__(self, kernel: Kernel, lock: Lock | None = None) -> None:
        self._kernel = kernel
        self._lock = lock or Lock(kernel)
        self._waiting: list[list[bool]] = []  # of each, a list in which there is something once it was told

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        told: list[bool] = []
        self._waiting.append(told)
        self._lock.release()
        try:
            self._kernel.wait(told, timeout)
        finally:
            self._waiting = [other for other in self._waiting if other is not told]
        self._lock.acquire()
        return bool(told)

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        end = None if timeout is None else self._kernel.now + timeout
        while not (found := predicate()):
            left = None if end is None else end - self._kernel.now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return found

    def notify(self, n: int = 1) -> None:
        for told in self._waiting[:n]:
            told.append(True)
        del self._waiting[:n]

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class SimThread:
    """`threading.Thread`, of the process that starts it."""

    def __init__(
        self,
        kernel: Kernel,
        target: Callable[..., object],
        name: str = "thread",
        args: tuple[Any, ...] = (),
        daemon: bool | None = None,
    ) -> None:
        self._kernel = kernel
        self._target = lambda: target(*args)
        self._thread: Thread | None = None
        self.name = name
        self.daemon = daemon

    def start(self) -> None:
        process = self._kernel.process
        assert process is not None
        self._thread = self._kernel.spawn(process, self._target, self.name)

    def is_alive(self) -> bool:
        return self._thread is not None and not self._thread.done

    def join(self, timeout: float | None = None) -> None:
        self._kernel.wait(When(lambda: not self.is_alive()), timeout)


class Queue:
    """`queue.Queue` and `queue.SimpleQueue`."""

    def __init__(self, kernel: Kernel, maxsize: int = 0) -> None:
        self._kernel = kernel
        self._most = maxsize or float("inf")
        self.queue: deque[Any] = deque()

    def put(self, item: Any, timeout: float | None = None) -> None:
        if not self._kernel.wait(When(lambda: len(self.queue) < self._most), timeout):
            raise queue.Full
        self.queue.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not block:
            timeout = 0.0
        if not self._kernel.wait(self.queue, timeout):
            raise queue.Empty
        return self.queue.popleft()

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def empty(self) -> bool:
        return not self.queue

    def qsize(self) -> int:
        return len(self.queue)


class Future:
    """`concurrent.futures.Future`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._value: Any = None
        self._error: BaseException | None = None
        self._over = False

    def done(self) -> bool:
        return self._over

    def settle(self, work: Callable[[], Any]) -> None:
        """Does the work and keeps what it gave."""
        try:
            self._value = work()
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._over = True

    def exception(self, timeout: float | None = None) -> BaseException | None:
        if not self._kernel.wait(When(lambda: self._over), timeout):
            raise TimeoutError
        return self._error

    def result(self, timeout: float | None = None) -> Any:
        if (error := self.exception(timeout)) is not None:
            raise error
        return self._value


class Borrowed:
    """`executor.threads.Thread`: one of its own for each that borrows."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self._todo = Queue(kernel)
        self._thread = SimThread(kernel, self._work, name)
        self._started = False

    def submit(self, function: Callable[[], Any]) -> Future:
        future = Future(self._kernel)
        self._todo.put((future, function))
        if not self._started:
            self._started = True
            self._thread.start()
        return future

    def give_back(self) -> Future:
        future = self.submit(lambda: None)
        self._todo.put(None)
        return future

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            future, work = item
            try:
                future.settle(work)
            except Killed:
                raise
            except BaseException:  # noqa: S112 - whoever asks for the result gets it
                continue


def namespaces(kernel: Kernel) -> dict[str, Any]:
    """The stand-ins, by the name of what they stand for."""

    def bound(of: Any) -> Any:
        return lambda *args, **named: of(kernel, *args, **named)

    def wait(futures: Iterable[Future], timeout: float | None = None) -> Any:
        every = list(futures)
        kernel.wait(When(lambda: all(future.done() for future in every)), timeout)
        return SimpleNamespace(done={f for f in every if f.done()}, not_done={f for f in every if not f.done()})

    return {
        "threading": SimpleNamespace(
            Lock=bound(Lock), Event=bound(Event), Condition=bound(Condition), Thread=bound(SimThread)
        ),
        "queue": SimpleNamespace(Queue=bound(Queue), SimpleQueue=bound(Queue), Empty=queue.Empty, Full=queue.Full),
        "Queue": bound(Queue),
        "Lock": bound(Lock),
        "Event": bound(Event),
        "borrow": bound(Borrowed),
        "wait": wait,
    }
