"""Systems that are waited for while a flow is looked at."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from syncline.executor.previews.waiting import reading
from syncline.model.errors import Again


class Opened:
    """A source that is open until it is closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


#: All that waiting asks of an opener: how long, and what was heard.
IMPATIENT: Any = SimpleNamespace(
    item=SimpleNamespace(flow=SimpleNamespace(spec=SimpleNamespace(progress_deadline="1s"))), metrics={"answers": 0}
)


def test_a_source_that_opens_too_late_is_closed():
    """A system that answers once nobody waits any more is left without a connection."""
    source, answers = Opened(), threading.Event()

    def opens() -> Any:
        answers.wait(60)
        return source

    with pytest.raises(Again, match="the source made no progress for 1 s"), reading(IMPATIENT, opens):
        pytest.fail("it isn't open")
    assert not source.closed.is_set()
    answers.set()
    assert source.closed.wait(60)


def test_a_source_is_open_for_the_block():
    """And closed after it."""
    source: Any = Opened()
    with reading(IMPATIENT, lambda: source):
        assert not source.closed.is_set()
    assert source.closed.is_set()
