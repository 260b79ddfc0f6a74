"""Quotas that an API announces in its answers hold back what is sent next, whether a limit is declared or not."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from syncline.model.errors import Again
from syncline.sdk.clock import SystemClock
from tests.api_server import Asked, Reply, api_server
from tests.rest_streams import FakeClock, instance, read, rows, source

TEXT = """
http: {retry: {attempts: 3}}
streams:
  items: {get: /items, records: data, key: [id], page: {page: query.page}, schema: {properties: {id: {type: integer}}}}
"""


def answers(**told: str):
    """A handler of three pages, of which the first has these headers (`_` for `-`) and the second says that some is left."""
    named = {name.replace("_", "-"): value for name, value in told.items()}

    def handler(asked: Asked) -> Reply:
        page = int(asked.query["page"])
        data = [{"id": page}] if page < 3 else []
        return Reply({"data": data}, headers=named if page == 1 else {"X-RateLimit-Remaining": "9"})

    return handler


def slept(text: str = TEXT, **told: str) -> tuple[list[float], Counter[str]]:
    """What a read of the three pages waited by its clock, and what it counted."""
    clock, counted = FakeClock(), Counter[str]()
    with api_server(answers(**told)) as api:
        made = instance(text, url=api.url, count=lambda name, value: counted.update({name: value}))
        assert [row["id"] for row in rows(read(source(made, clock=clock)))] == [1, 2]
        assert len(api.asked) == 3
    return clock.slept, counted


@pytest.mark.parametrize(
    "told",
    [
        {"RateLimit": '"hour";r=0;t=40'},
        {"RateLimit": "limit=10, remaining=0, reset=40"},
        {"RateLimit": '"burst";r=0;t=3, "hour";r=0;t=40, "day";r=7;t=4000'},
        {"RateLimit_Remaining": "0", "RateLimit_Reset": "40"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "40"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1700000040"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1700000040000"},
        {"X_Rate_Limit_Remaining": "0", "X_Rate_Limit_Reset": "40"},
    ],
)
def test_an_announced_quota_is_waited_for(told):
    """Nothing is left, by headers that no connector declares: the next request waits until the reset, and counts as throttled."""
    waits, counted = slept(**told)
    assert len(waits) == 1
    assert 40 <= waits[0] <= 41
    assert (counted["throttled"], counted["throttled/127.0.0.1"], counted["retries"]) == (1, 1, 0)


@pytest.mark.parametrize(
    "told",
    [
        {"RateLimit": '"hour";r=1;t=40'},
        {"RateLimit": '"hour";r=0'},
        {"X_RateLimit_Remaining": "0"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "soon"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "0"},
        {"X_RateLimit_Remaining": "-1", "X_RateLimit_Reset": "40"},
        {"X_RateLimit_Limit": "0", "X_RateLimit_Reset": "40"},
    ],
)
def test_nothing_is_waited_for_without_a_reset(told):
    """Where some is left, or nobody can tell from the headers until when none is, the next request goes at once."""
    waits, counted = slept(**told)
    assert waits == []
    assert counted["throttled"] == 0


def test_declared_headers_win_over_the_usual_ones():
    """A limit that says which headers tell of it is believed by these; the usual ones mean something else there."""
    text = TEXT.replace("http: {", "http: {limits: [{rate: 100/s, remaining: X-Left, reset: X-Reset}], ")
    usual = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "200"}
    assert slept(text, **usual, X_Left="5")[0] == []
    assert slept(text, **usual, X_Left="0", X_Reset="40")[0] == [40.0]


def test_a_limit_without_headers_learns_from_the_usual_ones():
    """A declared rate alone says nothing about headers: the usual ones hold besides it."""
    text = TEXT.replace("http: {", "http: {limits: [{rate: 100/s}], ")
    assert 40 <= slept(text, X_RateLimit_Remaining="0", X_RateLimit_Reset="40")[0][0] <= 41


def test_a_reset_far_away_ends_the_run():
    """A reset that is further than a run waits ends it, due again after it, and nothing more is asked."""
    clock = FakeClock()
    with api_server(answers(RateLimit='"day";r=0;t=3600')) as api:
        with pytest.raises(Again) as caught:
            read(source(instance(TEXT, url=api.url), clock=clock))
        assert (caught.value.code, caught.value.after) == ("SYN404", 3600.0)
        assert len(api.asked) == 1
    assert clock.slept == []


def test_requests_come_after_the_reset_by_the_clock_on_the_wall():
    """A second that a server asks for passes between its two answers."""
    came: list[float] = []
    handler = answers(RateLimit='"second";r=0;t=1')

    def timed(asked: Asked) -> Reply:
        came.append(time.monotonic())
        return handler(asked)

    with api_server(timed) as api:
        read(source(instance(TEXT, url=api.url), clock=SystemClock()))
    assert came[1] - came[0] >= 1.0
    assert came[2] - came[1] < 1.0
