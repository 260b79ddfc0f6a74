"""Hosts that fail and APIs that say "too many": how often they are asked, by one client and by a thousand."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial

import pytest

from syncline.model.errors import Again
from syncline.sdk.clients import Clients, Network
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, TransportError
from syncline.sdk.keep import Keep
from tests.api_server import Reply, api_server
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

TEXT = """
http: {retry: {attempts: 4, backoff: {initial: 1s, max: 10s}}, breaker: {failures: 3 of 5, open: 60s}}
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: {page: query.page}
    schema: {properties: {id: {type: integer}}}
"""


def test_the_breaker_spares_a_host_that_is_down():
    """After three failures nothing is sent for a minute, then one request tries; its success goes on with the read."""
    clock, sent = FakeClock(), []
    counted: Counter[str] = Counter()

    def send(request):
        sent.append(clock.time)
        if len(sent) <= 3:
            raise TransportError("lost", "connection")
        return answer({"data": [{"id": 1}]} if "page=1" in request.url else {"data": []})

    made = instance(TEXT.replace("attempts: 4", "attempts: 6"), count=lambda n, v: counted.update({n: v}))
    assert len(rows(read(source(made, transport=FunctionTransport(send), clock=clock)))) == 1
    assert sent[3] - sent[2] >= 60
    assert counted["breaker_opens"] == counted["breaker_opens/api.example"] == 1
    assert counted["failures"] == 3


def test_all_clients_of_a_host_see_its_breaker():
    """What failed for one client isn't tried by the next: it is told at once, with its own code."""
    clock = FakeClock()

    def send(_):
        raise TransportError("lost", "connection")

    with Keep() as keep:
        keep.share(Clients(clock))
        made = replace(instance(TEXT.replace("attempts: 4", "attempts: 1")), keep=keep)
        transports = [FunctionTransport(send) for _ in range(5)]
        codes = []
        for transport in transports:
            with pytest.raises(Again) as caught:
                read(source(made, transport=transport, clock=clock))
            codes.append(caught.value.code)
    assert codes == ["SYN402"] * 3 + ["SYN465"] * 2
    assert [len(t.sent) for t in transports] == [1, 1, 1, 0, 0]


def test_refusals_open_no_breaker():
    """Too many requests and wrong ones are answers of a host that works."""
    clock, left = FakeClock(), [3]

    def send(request):
        left[0] -= 1
        if left[0] >= 0:
            return answer({}, 429)
        return answer({"data": [{"id": 1}]} if "page=1" in request.url else {"data": []})

    assert len(rows(read(source(instance(TEXT), transport=FunctionTransport(send), clock=clock)))) == 1
    assert sum(clock.slept) < 60


def _always(said, request):
    del request
    return said


def test_whoever_lacks_the_patience_waits_for_no_host_that_fails():
    """An error of the host is raised at once, and one that its breaker holds back; what only slows us down is waited for."""
    for status, asked in ((503, 1), (429, 4)):
        clock, said = FakeClock(), answer({}, status)
        transport = FunctionTransport(partial(_always, said))
        made = replace(instance(TEXT), patience=lambda: False)
        with pytest.raises(Again):
            read(source(made, transport=transport, clock=clock))
        assert len(transport.sent) == asked

    clock = FakeClock()
    with Keep() as keep:
        keep.share(Clients(clock))
        made = replace(instance(TEXT), keep=keep, patience=lambda: False)
        for code in ("SYN403", "SYN403", "SYN403", "SYN465"):
            transport = FunctionTransport(lambda _: answer({}, 503))
            with pytest.raises(Again) as caught:
                read(source(made, transport=transport, clock=clock))
            assert caught.value.code == code
    assert clock.slept == []


FORMS = {
    "seconds": lambda: "1",
    "fraction": lambda: "1.5",
    "date": lambda: format_datetime(datetime.fromtimestamp(time.time() + 2, UTC), usegmt=True),
    "garbage": lambda: "soon",
    "absent": lambda: None,
}


def test_a_storm_of_refusals_is_weathered():
    """
    Clients that are all refused at once, with every form of Retry-After: none comes back early, none is lost, no more is
    sent than is needed, and they don't come back together.
    """
    clients, wrong = 240, []
    refused_at: dict[int, tuple[str, float]] = {}
    forms, lock, came = list(FORMS), threading.Lock(), []

    def handler(asked):
        now = time.monotonic()
        number = int(asked.headers["x-client"])
        if asked.query["page"] != "1":
            return Reply({"data": []})
        with lock:
            before = refused_at.get(number)
            if before is not None:
                came.append(now)
                form, earliest = before
                if now < earliest - 0.02:
                    wrong.append((form, earliest - now))
                return Reply({"data": [{"id": number}]})
            form = forms[number % len(forms)]
            value = FORMS[form]()
            least = {"seconds": 1.0, "fraction": 1.5, "date": 0.9}.get(form, 0.0)
            refused_at[number] = (form, now + least)
        return Reply({}, status=429, headers={} if value is None else {"Retry-After": value})

    found: list[int] = []
    with api_server(handler) as api, Keep() as keep:
        keep.share(Clients())

        def one(number):
            text = TEXT.replace("http: {", f'http: {{headers: {{X-Client: "{number}"}}, ')
            made = replace(
                instance(text, url=api.url),
                keep=keep,
                network=Network(account=f"acme/{number}", egress=Egress(private=("127.0.0.1",))),
            )
            opened = source(made, clock=SystemClock(), chance=random.Random(number).random)
            found.extend(row["id"] for row in rows(read(opened)))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert sorted(found) == list(range(clients))
    assert len(api.asked) == 3 * clients  # refused, answered, and the page after it


def test_a_thousand_clients_do_not_come_back_together():
    """A thousand that are told "in 30 s" at the same moment come spread over time: no tenth of a second gets three times its share."""
    chance = random.Random(7)
    came: list[float] = []
    for _ in range(1000):
        clock, left = FakeClock(), [1]

        def send(request, clock=clock, left=left):
            if left[0]:
                left[0] = 0
                return answer({}, 429, retry_after="30")
            if "page=1" in request.url:
                came.append(clock.time)
            return answer({"data": []})

        read(source(instance(TEXT), transport=FunctionTransport(send), clock=clock, chance=chance.random))
    first = 1_700_000_000.0 + 30
    assert min(came) >= first
    buckets = Counter(int((moment - first) * 10) for moment in came)
    assert max(buckets.values()) < 3 * (sum(buckets.values()) / (max(buckets) + 1))


def test_an_account_is_asked_within_its_budget():
    """Many clients of one account, told once to wait, all wait; together they stay under its rate."""
    clock = FakeClock()
    sent: list[float] = []

    def send(request):
        sent.append(clock.time)
        if len(sent) == 1:
            return answer({}, 429, retry_after="20")
        return answer({"data": []})

    with Keep() as keep:
        keep.share(Clients(clock))
        text = TEXT.replace("http: {", "http: {limits: [{rate: 5/s}], ")
        for _ in range(20):
            read(source(replace(instance(text), keep=keep), transport=FunctionTransport(send), clock=clock))
    assert sent[1] - sent[0] >= 20
    assert all(sent[i + 5] - sent[i] >= 1.0 - 1e-6 for i in range(1, len(sent) - 5))
