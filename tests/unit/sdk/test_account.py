"""What holds back requests to an account: rates, places, and what the server said to any of its clients."""

from __future__ import annotations

import threading
import time

import pytest

from syncline.model.errors import Again
from syncline.sdk.clients import Clients
from syncline.sdk.clock import SystemClock
from syncline.sdk.limits import Account, Limiter, Rule
from tests.rest_streams import FakeClock


def account(*rules, clock=None, **how):
    clock = clock or FakeClock()
    return Account([Limiter(rule, clock) for rule in rules], clock, chance=lambda: 0.0, **how), clock


def test_what_one_is_told_all_hear():
    """After "wait for 20 s", nobody sends for 20 s."""
    subject, clock = account()
    assert subject.unlimited
    subject.hold("/x", 20.0)
    assert not subject.unlimited
    began = clock.time
    with subject.turn("/y") as waited:
        assert waited == clock.time - began == 20.0


def test_the_narrowest_limit_waits():
    """A refusal of a path with a limit of its own holds up that path only."""
    subject, _ = account(Rule(10, 60.0), Rule(10, 60.0, match="/search"))
    subject.hold("/search/x", 20.0)
    with subject.turn("/me") as waited:
        assert waited == 0
    with subject.turn("/search/y") as waited:
        assert waited == 20.0


def test_what_takes_too_long_ends_the_run():
    """A wait that is longer than a run waits is told at once, with the time after which it is worth it."""
    subject, clock = account()
    subject.hold("/", 3600.0)
    with pytest.raises(Again) as caught, subject.turn("/"):
        pass
    assert caught.value.code == "SYN404"
    assert caught.value.after == 3600.0
    assert clock.slept == []


def test_no_more_are_under_way_than_declared():
    """`concurrency` bounds what is under way at the same moment; the others wait for a place."""
    subject = Account([], SystemClock(), concurrency=3)
    lock, now, most = threading.Lock(), [0], [0]
    together = threading.Barrier(3, timeout=120)

    def ask():
        with subject.turn("/"):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            together.wait()
            with lock:
                now[0] -= 1

    threads = [threading.Thread(target=ask) for _ in range(21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 3


def test_threads_of_an_account_stay_under_its_rate():
    """
    Fifty threads that want to send at once send no more than one would: ten in each half second.

    A thread may be held up after its turn has come, so that the n-th comes no earlier than the rate allows for an n-th.
    """
    subject = Account([Limiter(Rule(10, 0.5), SystemClock())], SystemClock())
    sent: list[float] = []
    began = time.monotonic()

    def ask():
        with subject.turn("/"):
            sent.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.sort()
    assert len(sent) == 50
    assert [n for n, moment in enumerate(sent) if moment - began < n // 10 * 0.5 - 0.001] == []


def test_accounts_quotas_and_breakers_are_shared_by_name():
    """All clients of an account share its limits, and those of a tenant its quota over accounts."""
    clock = FakeClock()
    with Clients(clock) as clients:
        quota = Rule(3, 60.0)
        one = clients.account("acme/a", [Rule(2, 60.0)], tenant="acme", quota=quota)
        assert clients.account("acme/a", [Rule(2, 60.0)], tenant="acme", quota=quota) is one
        other = clients.account("acme/b", [], tenant="acme", quota=quota)
        for subject in (one, one, other):
            with subject.turn("/") as waited:
                assert waited == 0
        with other.turn("/") as waited:
            assert waited == pytest.approx(60.0)
        globex = clients.account("globex/a", [], tenant="globex", quota=quota)
        with globex.turn("/") as waited:
            assert waited == 0
