"""Threads of a run: what is read is handed on in order, and the first error ends everything."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.batches.halt import Halt
from syncline.executor.batches.in_order import Turn
from syncline.executor.batches.patience import Patience
from syncline.executor.batches.pipeline import load
from syncline.executor.batches.prepare import Prepared
from syncline.executor.batches.read_ahead import READ_AHEAD, STOP_SECONDS, read_ahead
from syncline.executor.batches.serial import Serial
from syncline.executor.services.in_flight import InFlight
from syncline.kinds.sync import Guards
from syncline.model.errors import Again, Stalled
from syncline.model.latency import Timing
from syncline.model.run import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator


class Number(int):
    """What passes for a batch here."""

    settle = False


class Settling(Number):
    settle = True


def test_batches_arrive_in_order_and_completely():
    """As they were yielded, whatever the queue's length."""
    with read_ahead(map(Number, range(50))) as incoming:  # type: ignore[arg-type]  # anything passes through
        assert [*map(str, incoming)] == [*map(str, range(50))]


def test_no_more_than_is_needed_is_read_ahead():
    """A source of many batches is never far in front of whoever writes them."""
    read = []

    def source():
        for n in range(100):
            read.append(n)
            yield Number(n)

    with read_ahead(source()) as incoming:
        assert next(iter(incoming)) == 0  # type: ignore[comparison-overlap]  # likewise
        time.sleep(0.05)
        assert len(read) <= 2 + READ_AHEAD


def test_an_error_of_the_source_comes_after_what_it_gave():
    """Batches before it are not lost."""

    def source():
        yield Number(1)
        raise Again("down")

    taken: list[object] = []
    with read_ahead(source()) as incoming, pytest.raises(Again, match="down"):
        taken.extend(incoming)
    assert taken == [1]


def test_leaving_early_does_not_wait_for_a_source_that_waits(monkeypatch):
    """A source that hangs is left behind after the time for stopping: long before it would end."""
    monkeypatch.setattr("syncline.executor.batches.read_ahead.STOP_SECONDS", 0.05)
    release = threading.Event()

    def source():
        yield Number(1)
        release.wait(300)

    before = time.monotonic()
    with read_ahead(source()) as incoming:
        next(iter(incoming))
    assert time.monotonic() - before < 100
    release.set()


def test_a_serial_does_things_one_after_another_in_one_thread():
    """Later things start when earlier ones have ended, and an error is whoever's who asked."""
    serial = Serial()
    order: list[tuple[int, str]] = []

    def note(number: int, seconds: float) -> None:
        time.sleep(seconds)
        order.append((number, threading.current_thread().name))

    first = serial.start(lambda: note(1, 0.02))
    serial.call(lambda: note(2, 0))
    first.result()
    with pytest.raises(ZeroDivisionError):
        serial.call(lambda: 1 / 0)
    serial.close()
    assert [n for n, _ in order] == [1, 2]
    assert len({name for _, name in order}) == 1


def test_a_source_without_progress_ends_the_run():
    """A source that hangs is given up after the time that is allowed, without waiting for it to end."""
    release = threading.Event()

    def source():
        yield Number(1)
        release.wait(300)

    began = time.monotonic()
    with read_ahead(source(), Patience(0.2, lambda: 0)) as incoming, pytest.raises(Again) as caught:
        list(incoming)
    release.set()
    assert caught.value.code == "SYN467"
    assert time.monotonic() - began < 100


def test_what_a_source_is_heard_of_is_progress():
    """A source whose API answers, but that has no batch yet, such as while a job is polled, isn't given up."""
    heard, long_enough = itertools.count(), threading.Event()

    def source():
        long_enough.wait(120)
        yield Number(1)

    def more() -> int:
        number = next(heard)
        if number == 30:  # it is looked at eight times within the patience
            long_enough.set()
        return number

    with read_ahead(source(), Patience(0.1, more)) as incoming:
        assert len(list(incoming)) == 1


def test_a_destination_without_progress_is_cut_off():
    """What hangs in the destination's thread is cut off after the time that is allowed, and the thread can be used again."""
    cut = threading.Event()
    serial = Serial(Patience(0.2, lambda: 0))
    serial.cut = cut.set

    def hangs() -> None:
        assert cut.wait(300)
        raise Again("the connection is closed")

    with pytest.raises(Again) as caught:
        serial.call(hangs)
    assert (caught.value.code, "destination" in str(caught.value)) == ("SYN467", True)
    assert serial.call(lambda: 7) == 7
    serial.close()


def test_a_destination_that_cannot_be_cut_off_is_waited_for():
    """What goes on all the same, and ends well, counts; and an error of its own is told as it is."""
    serial = Serial(Patience(0.05, lambda: 0))
    slow = threading.Event()
    serial.cut = slow.set
    assert serial.call(lambda: slow.wait(300)) is True
    with pytest.raises(ZeroDivisionError):
        serial.call(lambda: 1 / 0)
    serial.close()


def test_a_halt_ends_reading_at_a_batch_even_while_the_source_is_silent():
    """Once it is asked, no other batch is given, and a source that says nothing isn't waited for."""
    silent = threading.Event()
    halt = Halt()

    def source():
        yield Number(1)
        silent.wait(60)
        yield Number(2)

    given: list[object] = []

    def take() -> None:
        for batch in incoming:
            given.append(batch)
            halt.ask("of a test")

    with read_ahead(source(), Patience(60.0, lambda: 0), halt) as incoming:
        with pytest.raises(Stalled, match="of a test") as caught:
            take()
        silent.set()
    assert given == [1]
    assert caught.value.code == "SYN698"


def test_after_a_batch_that_is_to_be_settled_nothing_is_read_until_it_is():
    """The source is asked for the next one when it is told so, and not before; others are read ahead."""
    asked: list[int] = []

    def source():
        for number in (Number(1), Settling(2), Number(3), Number(4)):
            asked.append(number)
            yield number

    with read_ahead(source()) as incoming:
        batches: Iterator[object] = iter(incoming)
        assert [next(batches), next(batches)] == [1, 2]
        time.sleep(0.05)
        assert asked == [1, 2]
        incoming.settled()
        assert list(batches) == [3, 4]


def test_a_source_that_waits_for_a_commit_can_be_stopped():
    """Leaving without a commit ends the thread at once, and the source is not asked on."""
    asked: list[int] = []

    def source():
        for number in (Settling(1), Number(2)):
            asked.append(number)
            yield number

    began = time.monotonic()
    with read_ahead(source()) as incoming:
        next(iter(incoming))
    assert time.monotonic() - began < STOP_SECONDS
    assert asked == [1]


def test_nothing_is_read_without_room():
    """A batch is read when one before it is committed; until then whoever takes batches hears that there is no room."""
    asked: list[int] = []

    def source():
        for number in map(Number, range(4)):
            asked.append(number)
            yield number

    room = InFlight(2)
    with read_ahead(source(), seat=room.join(2)) as incoming:
        batches: Iterator[object] = iter(incoming)
        assert [next(batches), next(batches)] == [0, 1]
        assert next(batches) is None
        assert asked == [0, 1]
        incoming.committed()
        assert next(number for number in batches if number is not None) == 2
        assert asked == [0, 1, 2]
    assert room.join(2).take(0)


def test_a_source_that_waits_for_room_can_be_stopped():
    """Leaving without a commit ends the thread at once, and gives all of its room back."""
    room = InFlight(1)
    began = time.monotonic()
    with read_ahead(map(Number, range(4)), seat=room.join(1)) as incoming:  # type: ignore[arg-type]  # likewise
        next(iter(incoming))
    assert time.monotonic() - began < STOP_SECONDS
    one = room.join(1)
    assert one.take(0)


class Slow:
    """A sink whose commits take a while."""

    def __init__(self) -> None:
        self.committed: list[int] = []

    def commit(self, prepared: Any, before: Checkpoint, *, last: bool) -> Checkpoint:
        time.sleep(0.02)
        after = before.advance(position=None, counts=prepared.counts, read=b"", written=b"")
        self.committed.append(after.sequence)
        return after

    def foresee(self, prepared: Any) -> None: ...

    def set_aside(self, prepared: Any, before: Checkpoint) -> None: ...


class Ready(list[tuple[Turn, Prepared]]):
    """Batches that are ready."""

    def __init__(self, count: int) -> None:
        prepared = Prepared(pl.DataFrame(), (), Counts(1, 1), {}, b"", b"", size=1)
        super().__init__((Turn(False, Timing(0.0, 0.0)), prepared) for _ in range(count))

    def ended(self) -> bool:
        return False

    def committed(self) -> None: ...


def test_where_hearing_of_a_commit_ends_the_run_nothing_is_under_way_after_it():
    """A quota, which refuses each commit from one on, is raised after all that was started is committed."""
    sink, serial = Slow(), Serial()

    def advanced(counts: Counts, size: int) -> None:
        if counts.written >= 2:
            raise Again("enough")

    with pytest.raises(Again, match="enough"):
        load(Ready(20), sink, serial, Checkpoint("f", "r", "b"), Guards(), advanced, 4)  # type: ignore[arg-type]  # likewise
    then = list(sink.committed)
    serial.close()
    assert then == sink.committed == [1, 2, 3, 4, 5]


def test_an_interrupt_comes_after_the_commits_that_are_under_way():
    """Ctrl-C while a commit is waited for: it, and those that were started after it, are over when it is raised."""
    serial, before = Serial(), signal.signal(signal.SIGINT, signal.default_int_handler)

    class Interrupted(Slow):
        def commit(self, prepared: Any, before: Checkpoint, *, last: bool) -> Checkpoint:
            if before.sequence == 1:
                time.sleep(0.1)  # by now it is waited for
                signal.raise_signal(signal.SIGINT)
                time.sleep(0.1)
            return super().commit(prepared, before, last=last)

    sink = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        load(Ready(20), sink, serial, Checkpoint("f", "r", "b"), Guards(), lambda *_: None, 4)  # type: ignore[arg-type]  # likewise
    signal.signal(signal.SIGINT, before)
    then = list(sink.committed)
    serial.close()
    assert then == sink.committed == [1, 2, 3, 4, 5]
