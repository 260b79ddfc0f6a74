"""Batches are prepared side by side, and come in the order in which they were read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from syncline.executor.batches.in_order import InOrder
from syncline.executor.batches.read_ahead import read_ahead
from syncline.executor.services.in_flight import InFlight
from syncline.model.errors import Again

if TYPE_CHECKING:
    from collections.abc import Iterator


class Number(int):
    """What passes for a batch here."""

    settle = False


class Settling(Number):
    settle = True


class Slow:
    """Prepares even numbers slowly, and can't prepare some at all."""

    def __init__(self, *bad: int) -> None:
        self._bad = bad
        self.at_once = self.most = 0

    def prepare(self, batch: Any) -> str:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        time.sleep(0.02 if batch % 2 == 0 else 0.001)
        self.at_once -= 1
        if batch in self._bad:
            raise Again(f"bad {batch}")
        return f"<{batch}>"


def taken(source: Iterator[Any], slow: Any, workers: int) -> list[str]:
    """What comes, with the error that ends it."""
    found: list[str] = []
    with read_ahead(source) as incoming:
        ready = InOrder(incoming, slow, workers)
        try:
            for batch, prepared in ready:
                found.append(str(prepared))
                if batch.settle:
                    ready.settled()
        except Again as error:
            found.append(error.message)
    return found


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_as_they_were_read(workers: int):
    """Whichever is ready first."""
    slow = Slow()
    assert taken(map(Number, range(20)), slow, workers) == [f"<{n}>" for n in range(20)]
    assert slow.most == 1 if workers == 1 else slow.most > 1


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_in_its_turn(workers: int):
    """What was read before it comes first, and nothing that was read after it."""
    assert taken(map(Number, range(9)), Slow(4), workers) == ["<0>", "<1>", "<2>", "<3>", "bad 4"]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_the_source_comes_after_what_it_gave(workers: int):
    """Batches before it are not lost."""

    def source() -> Iterator[Number]:
        yield from map(Number, range(3))
        raise Again("down")

    assert taken(source(), Slow(), workers) == ["<0>", "<1>", "<2>", "down"]


@pytest.mark.parametrize("workers", [1, 3])
def test_nothing_is_read_past_a_batch_that_settles(workers: int):
    """Before it was given, with all before it."""
    given: list[str] = []
    known: list[int] = []

    def source() -> Iterator[Number]:
        yield from (Number(0), Number(1), Settling(2))
        known.append(len(given))
        yield Number(3)

    with read_ahead(source()) as incoming:  # type: ignore[arg-type]  # numbers pass for batches
        ready = InOrder(incoming, Slow(), workers)  # type: ignore[arg-type]  # likewise
        for batch, prepared in ready:
            given.append(str(prepared))
            if batch.settle:
                ready.settled()
    assert given == ["<0>", "<1>", "<2>", "<3>"]
    assert known == [3]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_last_one_is_known(workers: int):
    """Where nothing comes any more, that is known when the last one is given, at the latest after it."""
    with read_ahead(map(Number, range(5))) as incoming:  # type: ignore[arg-type]  # numbers pass for batches
        ready = InOrder(incoming, Slow(), workers)  # type: ignore[arg-type]  # likewise
        ends = []
        for _ in ready:
            time.sleep(0.02)
            ends.append(ready.ended())
    assert ends == [False, False, False, False, True]


@pytest.mark.parametrize("most", [1, 2, 3, 9])
@pytest.mark.parametrize("workers", [1, 3])
def test_with_less_room_than_threads_all_comes_in_order(workers: int, most: int):
    """Where there is no room for more, what is there is given, so that it can be committed and make room."""
    found: list[str] = []
    with read_ahead(map(Number, range(12)), seat=InFlight(9).join(most)) as incoming:  # type: ignore[arg-type]  # likewise
        ready = InOrder(incoming, Slow(), workers)  # type: ignore[arg-type]  # likewise
        for _, prepared in ready:
            found.append(str(prepared))
            ready.committed()
    assert found == [f"<{n}>" for n in range(12)]


def test_a_source_that_fails_has_not_ended():
    """Whoever commits the batch before the failure isn't told that it is the last."""

    def source() -> Iterator[Number]:
        yield Number(1)
        raise Again("down")

    with read_ahead(source()) as incoming:  # type: ignore[arg-type]  # likewise
        ready = InOrder(incoming, Slow(), 2)  # type: ignore[arg-type]  # likewise
        batches = iter(ready)
        next(batches)
        assert not ready.ended()
        with pytest.raises(Again):
            next(batches)
