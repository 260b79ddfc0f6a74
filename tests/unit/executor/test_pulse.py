"""Which loops of a daemon are taken for stuck, and which for working."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

import pytest

from syncline.executor.pulse import Pulse, Pulses, problem, resting, turned, working


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
                assert pulses.working() == [{"loop": "main", "step": "drops the table of it", "seconds": 10_000}]
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
