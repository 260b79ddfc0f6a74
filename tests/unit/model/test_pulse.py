"""Which loops of a daemon are taken for stuck, and which for working."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import pytest

from syncline.model.pulse import Pulse, Pulses, carried, problem, resting, thread, turned, working


@dataclass
class Clock:
    """A monotonic clock that a test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("pulse", "expected"),
    [
        (Pulse("main", 100.0), ""),
        (Pulse("main", 99.0), "the loop main has been silent for 301 s"),
        (Pulse("main", 0.0, step="applies 85cf81f00c21"), ""),
        (Pulse("worker 1", 0.0, rests=True), ""),
        (Pulse("worker 1", 400.0, ended="TypeError"), "the loop worker 1 has ended: TypeError"),
        (Pulse("worker 1", 0.0, step="runs it", ended="TypeError"), "the loop worker 1 has ended: TypeError"),
    ],
)
def test_only_silence_and_an_end_are_a_problem(pulse, expected):
    """A loop may be silent up to the bound; in a step and while it rests for ever; one that an error ended isn't there."""
    assert problem([Pulse("well", 400.0), pulse], 400.0, 300.0) == expected


def test_a_step_counts_as_alive_for_as_long_as_it_takes():
    """It is told with its seconds, the innermost of several; after it, silence counts from its end."""
    clock = Clock()
    pulses = Pulses(clock)
    with pulses.loop("main"):
        with working("applies it"):
            clock.now += 10
            with working("drops the table of it"):
                clock.now += 10_000
                assert pulses.problem() == ""
                told = {"loop": "main", "step": "drops the table of it", "seconds": 10_000}
                assert pulses.working() == pulses.silent() == [told]
            assert [step["step"] for step in pulses.working()] == ["applies it"]
        assert pulses.working() == []
        clock.now += 300
        assert pulses.problem() == ""
        clock.now += 1
        assert pulses.problem() == "the loop main has been silent for 301 s"
        turned()
        assert pulses.problem() == ""
        with resting():
            clock.now += 10_000
            assert pulses.problem() == ""
        assert pulses.problem() == ""


def test_a_step_that_fails_is_left():
    """What goes on after an error in a step is silent from there on."""
    clock = Clock()
    pulses = Pulses(clock)
    with pulses.loop("main"):
        for block in (working("applies it"), resting()):
            with pytest.raises(ValueError, match="no"), block:
                raise ValueError("no")
        clock.now += 301
        assert pulses.problem() == "the loop main has been silent for 301 s"


def test_a_loop_that_an_error_ends_is_told_until_others_take_its_place():
    """One that ends well is forgotten, also on another thread; one that doesn't stays until it is forgotten."""
    pulses = Pulses()

    def loop(name: str, error: BaseException | None) -> None:
        with suppress(SystemExit), pulses.loop(name):
            if error is not None:
                raise error

    for name, error in (("ends", None), ("breaks", SystemExit())):
        thread = threading.Thread(target=loop, args=(name, error))
        thread.start()
        thread.join()
    assert pulses.problem() == "the loop breaks has ended: SystemExit"
    pulses.forget_ended()
    assert pulses.problem() == ""


def test_what_is_no_loop_says_nothing():
    """Steps are taken without a daemon too, such as by `syncline apply`: nobody is told."""
    pulses = Pulses()
    with working("applies it"), resting():
        turned()
    assert pulses.working() == []


def test_a_thread_is_a_loop_of_whoever_began_it():
    """However far below: a loop begins a thread, which begins another by a borrowed one that is in no loop itself."""
    pulses, go, begun = Pulses(), threading.Event(), threading.Barrier(4)

    def wait() -> None:
        begun.wait(10)
        go.wait(10)

    def outer() -> None:
        borrowed = threading.Thread(target=carried(lambda: thread("innermost", wait).start()))
        borrowed.start()
        borrowed.join()
        wait()

    with pulses.loop("main"):
        thread("inner", outer).start()
    with pulses.watching():
        thread("beside", wait).start()
    thread("of nobody", lambda: None).start()
    begun.wait(10)
    assert set(pulses.ages()) == {"inner", "innermost", "beside"}
    go.set()
    end = time.monotonic() + 10
    while pulses.ages() and time.monotonic() < end:
        time.sleep(0.01)
    assert pulses.ages() == {}


def test_how_long_each_loop_has_been_silent():
    """By name, whatever it is in; none of those that rest is silent, and of several of one name the longest is told."""
    clock = Clock()
    pulses = Pulses(clock)
    go, begun = threading.Event(), threading.Barrier(4)

    def rests() -> None:
        with resting():
            begun.wait(10)
            go.wait(10)

    def sends() -> None:
        with working("sends it"):
            begun.wait(10)
            go.wait(10)

    with pulses.watching():
        threads = [thread("notifications", rests), thread("sender", rests), thread("sender", sends)]
    for each in threads:
        each.start()
    begun.wait(10)
    clock.now += 400
    assert pulses.ages() == {"notifications": 0.0, "sender": 400.0}
    assert pulses.silent() == [{"loop": "sender", "step": "sends it", "seconds": 400}]
    assert pulses.silent(400.0) == []
    go.set()
    for each in threads:
        each.join(10)
