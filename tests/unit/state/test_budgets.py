"""Budgets that processes share: no span sees more than the rate, wherever they are kept and however processes behave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.budget import Used
from syncline.model.errors import Again, Invalid
from syncline.sdk.budget import Share
from syncline.sdk.clock import SystemClock
from syncline.sdk.limits import Limiter, Rule
from syncline.state.budget_book import Book
from syncline.state.redis_budgets import _PREFIX, RedisBudgets, open_redis
from tests import warm
from tests.rest_streams import FakeClock
from tests.servers import unavailable
from tests.unit.state.budget_sender import opened

REDIS = os.environ.get("SYNCLINE_TEST_REDIS", "redis://127.0.0.1:6379/0")


@pytest.fixture
def redis_budgets():
    """Budgets in a real Redis."""
    made = open_redis(REDIS)
    try:
        made._client.ping()
    except Exception as error:
        made.close()
        unavailable("redis", str(error))
    yield made
    made.close()


class Kept:
    """Budgets in a book of this process, by a clock for all."""

    def __init__(self, clock):
        self.clock, self.book, self.asked = clock, Book(), 0

    def reserve(self, name, count, seconds, **how):
        self.asked += 1
        self.book = Book.loads(self.book.dumps())
        return self.book.reserve(self.clock.time, count, seconds, **how)

    def block(self, name, seconds):
        self.book.block(self.clock.time, seconds)

    def close(self):
        pass


def most_in_a_span(times, seconds):
    """The largest number of times in any half-open span."""
    times = sorted(times)
    return max((sum(1 for t in times if first <= t < first + seconds - 1e-9) for first in times), default=0)


STEPS = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 3), st.booleans()), max_size=60)


@given(count=st.integers(1, 40), steps=STEPS)
def test_no_span_sees_more_than_the_rate(count, steps):
    """Processes that send when they like, stop, and are replaced: never more than the rate in any span of ten seconds."""
    clock = FakeClock()
    kept = Kept(clock)

    def process():
        return Share(kept, "x", Rule(count, 10.0), clock)

    processes, sent = [process() for _ in range(4)], []
    for who, pause, dies in steps:
        clock.time += pause
        while processes[who].take() == 0.0:
            sent.append(clock.time)
            if dies:
                break
        if dies:
            processes[who] = process()
    assert most_in_a_span(sent, 10.0) <= count


def test_one_process_gets_the_whole_rate_for_few_transactions():
    """A process alone sends at the full rate, and asks for it about ten times in a span."""
    clock = FakeClock()
    kept = Kept(clock)
    limiter = Limiter(Rule(600, 60.0), clock, Share(kept, "x", Rule(600, 60.0), clock))
    began = clock.time
    for _ in range(3000):
        limiter.wait()
    assert clock.time - began < 245  # 240 at the best
    assert kept.asked < 120


def test_a_dead_process_costs_its_rest_of_one_span():
    """A block that nobody settles counts until it can't have been sent in the span any more, and then no longer."""
    clock = FakeClock()
    book = Book()
    assert book.reserve(clock.time, 10, 60.0, want=10, lease=5.0).count == 10
    refused = book.reserve(clock.time + 30, 10, 60.0, want=1, lease=5.0)
    assert (refused.count, refused.wait) == (0, 35.0)
    assert book.reserve(clock.time + 65, 10, 60.0, want=1, lease=5.0).count == 1


def test_a_clock_that_was_set_back_blocks_nothing_for_long():
    """What was granted by a clock far ahead counts for one span and a lease at most."""
    book = Book()
    book.reserve(1_000_000.0, 1, 60.0, want=1, lease=5.0)
    book.block(1_000_000.0, 300.0)
    assert book.reserve(0.0, 1, 60.0, want=1, lease=5.0).wait == 65.0


def test_what_one_is_told_holds_for_all():
    """A server that says "no more for 20 s" to one process is heard by the others with their next block."""
    clock = FakeClock()
    kept = Kept(clock)
    one, other = (Limiter(Rule(100, 10.0), clock, Share(kept, "x", Rule(100, 10.0), clock)) for _ in range(2))
    one.wait()
    one.block(20.0)
    assert other.wait() == pytest.approx(20.0)


@given(
    st.lists(
        st.tuples(st.floats(0.001, 8), st.sampled_from(["take", "settle", "none", "block"]), st.integers(1, 5)),
        max_size=40,
    )
)
def test_redis_does_the_same_arithmetic(steps):
    """The script grants, settles, blocks and waits exactly as the book does."""
    script, book, name, now = open_redis(REDIS), Book(), f"test/{uuid4().hex}", 1_700_000_000.0
    try:
        script._client.ping()
    except Exception as error:
        script.close()
        unavailable("redis", str(error))
    with closing(script):
        held: list[tuple[str, str]] = []
        for pause, what, number in steps:
            now = round(now + pause, 3)
            script.now = now
            if what == "block":
                script.block(name, number)
                book.block(now, number)
                continue
            used = None
            if what != "take" and held:
                block = held.pop(0)
                used = [Used(b, number if what == "settle" else 0, 0.5) for b in block]
            one, other = used or (None, None)
            grants = (
                script.reserve(name, 7, 10.0, want=number, lease=1.0, used=one),
                book.reserve(now, 7, 10.0, want=number, lease=1.0, used=other),
            )
            assert grants[0].count == grants[1].count
            assert grants[0].wait == pytest.approx(grants[1].wait, abs=0.001)
            if grants[0].count:
                held.append((grants[0].block, grants[1].block))
        script._client.delete(_PREFIX + name)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["sqlite", "postgresql", "redis"])
def test_processes_share_a_rate(where, tmp_path, request):
    """
    Three real processes that send as fast as they may stay under one rate together, and go on sending.

    A process may be held up after it was let through, so that a moment is at the earliest that of its grant: the n-th
    of all comes no earlier than the rate allows for an n-th.
    """
    match where:
        case "sqlite":
            url = f"sqlite:///{tmp_path / 'state.db'}"
        case "postgresql":
            url = request.getfixturevalue("postgres_url")
        case _:
            request.getfixturevalue("redis_budgets")
            url = REDIS
    opened(url)[1]()
    command = [sys.executable, "-m", "tests.unit.state.budget_sender", url, f"test/{uuid4().hex}"]
    processes = [warm.Popen(command, cwd=warm.ROOT, stdout=subprocess.PIPE) for _ in range(3)]
    told = [json.loads(process.communicate(timeout=300)[0]) for process in processes]
    began, sent = min(times[0] for times in told), sorted(moment for times in told for moment in times[1:])
    assert [n for n, moment in enumerate(sent) if moment - began < n // 30 * 1.0 - 0.02] == []
    assert len(sent) > 30


def test_redis_out_of_reach_sends_nothing():
    """Without its budget no request is sent: the run may try again later."""
    away = open_redis("redis://:canary@127.0.0.1:1/0")
    limiter = Limiter(Rule(1, 1.0), SystemClock(), Share(away, "x", Rule(1, 1.0), SystemClock()))
    with pytest.raises(Again) as caught:
        limiter.wait()
    assert caught.value.code == "SYN469"
    assert "canary" not in str(caught.value)
    away.close()


def test_no_url_of_redis():
    """Another URL is refused when it is opened, without showing it."""
    with pytest.raises(Invalid) as caught:
        open_redis("http://:canary@example.com")
    assert "canary" not in str(caught.value)


def test_a_script_that_is_refused_is_no_reason_to_go_on():
    """A key of another type, a missing permission: the run stops, and a person has to look."""
    from syncline.model.errors import Stalled

    class Refusing:
        def register_script(self, _):
            import redis

            def run(**_):
                raise redis.ResponseError("NOPERM canary")

            return run

    refused = RedisBudgets(Refusing(), "redis://x")  # type: ignore[arg-type]  # all that is called
    with pytest.raises(Stalled) as caught:
        refused.block("x", 1.0)
    assert "canary" not in str(caught.value)
