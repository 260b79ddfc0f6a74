"""Waits of a run are told once, whoever waits, and noted beside."""

from __future__ import annotations

from syncline.executor.progress import Silent
from syncline.executor.waits import Waits
from syncline.model.errors import Again


class Heard(Silent):
    """Progress that remembers its waits."""

    def __init__(self) -> None:
        self.waits: list[tuple[float, str]] = []

    def waiting(self, seconds, why):
        self.waits.append((seconds, why))


def test_of_those_who_wait_for_the_same_moment_one_is_told():
    """Threads that wait for the same end, spread over a second, are one wait; a later end is another, and so is the next wait."""
    now, heard, noted = [0.0], Heard(), []
    subject = Waits(heard, lambda seconds, why: noted.append((seconds, why)), lambda: now[0])
    for seconds in (40.0, 40.9, 12.0, 60.0):
        subject(seconds, "x")
    now[0] = 61.0
    subject(40.0, "y")

    assert heard.waits == noted == [(40.0, "x"), (60.0, "x"), (40.0, "y")]


def test_a_state_that_is_away_ends_no_run_that_waits():
    """What can't be noted is told all the same."""

    def away(seconds, why):
        raise Again("the state is away", code="SYN615")

    heard = Heard()
    Waits(heard, away)(40.0, "x")

    assert heard.waits == [(40.0, "x")]
