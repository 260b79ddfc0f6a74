"""WireMock: connections that break, bodies that dribble or never end, answers that ask to wait."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from tests.peers.faults import gives_up, items, page, recovers

# What is answered to page 2 once, before it is given.
ONCE = {
    "the connection is reset": {"fault": "CONNECTION_RESET_BY_PEER"},
    "the connection is closed without an answer": {"fault": "EMPTY_RESPONSE"},
    "chunks are malformed": {"fault": "MALFORMED_RESPONSE_CHUNK"},
    "random bytes come": {"fault": "RANDOM_DATA_THEN_CLOSE"},
    "the body is cut": {"jsonBody": page(2), "headers": {"Content-Length": "400"}},
    "the answer comes too late": {"jsonBody": page(2), "fixedDelayMilliseconds": 10_000},
    "the body takes too long": {
        "jsonBody": page(2),
        "chunkedDribbleDelay": {"numberOfChunks": 20, "totalDuration": 60_000},
    },
    "the server is overloaded": {"status": 503, "body": "<html>busy</html>"},
    "a wait can't be read": {"status": 429, "headers": {"Retry-After": "soon"}},
    "a wait is negative": {"status": 429, "headers": {"Retry-After": "-5"}},
    "a wait is over": {"status": 429, "headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}},
}


@pytest.fixture
def api(wiremock):
    """The API of three pages; `fault(response)` is what page 2 is answered once, or `always`."""
    wiremock.reset()
    for number in (1, 2, 3):
        cursor = {"cursor": {"absent": True} if number == 1 else {"equalTo": str(number)}}
        wiremock.stub({"urlPath": "/items", "queryParameters": cursor}, {"status": 200, "jsonBody": page(number)})
    return wiremock


def fault(api, response, *, always=False):
    """Page 2 gets this answer once, or always."""
    request = {"urlPath": "/items", "queryParameters": {"cursor": {"equalTo": "2"}}}
    once = {} if always else {"scenarioName": "fault", "requiredScenarioState": "Started", "newScenarioState": "over"}
    api.stub(request, {"status": 200, **response}, priority=1, **once)


def asked(api, cursor):
    """How often a page was asked for."""
    return sum(f"cursor={cursor}" in request["url"] for request in api.requests())


@pytest.mark.parametrize("name", ONCE)
def test_a_run_gets_over_a_fault(tmp_path, api, name):
    """After one fault in the middle, every item is there once, and the page was asked for twice."""
    fault(api, ONCE[name])

    recovers(items(tmp_path, api.url))

    assert asked(api, 2) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_run_never_comes_back_earlier_than_asked(tmp_path, api, form):
    """Retry-After as seconds and as a date: the next request comes after it."""
    until = int(time.time()) + 2
    value = "2" if form == "seconds" else formatdate(until, usegmt=True)
    fault(api, {"status": 429, "headers": {"Retry-After": value}})

    recovers(items(tmp_path, api.url))

    times = [r["loggedDate"] for r in api.requests() if "cursor=2" in r["url"]]
    assert len(times) == 2
    if form == "seconds":
        assert times[1] - times[0] >= 1990
    else:
        assert times[1] / 1000 >= until


def test_a_run_that_is_asked_to_wait_for_a_year_ends(tmp_path, api):
    """Retry-After of a year: the run ends at once instead of waiting, and the page isn't asked for again."""
    fault(api, {"status": 429, "headers": {"Retry-After": "31536000"}}, always=True)

    gives_up(items(tmp_path, api.url))

    assert asked(api, 2) == 1


@pytest.mark.parametrize("name", ["the connection is reset", "chunks are malformed", "the body takes too long"])
def test_a_run_gives_up_within_its_limits_and_goes_on_later(tmp_path, api, name):
    """A fault that stays ends the run after its four attempts; once it is over, the next run brings every item once."""
    fault(api, ONCE[name], always=True)
    made = items(tmp_path, api.url)

    gives_up(made)
    # A request on a kept connection that breaks is sent again on a new one, once, before it counts as an attempt.
    assert asked(api, 2) in {4, 5}

    api.stub(
        {"urlPath": "/items", "queryParameters": {"cursor": {"equalTo": "2"}}},
        {"status": 200, "jsonBody": page(2)},
        priority=1,
    )
    recovers(made)


def test_a_slow_body_within_the_time_limit_is_read(tmp_path, api):
    """A body in twenty chunks over half a second is a body."""
    slowly = {"jsonBody": page(2), "chunkedDribbleDelay": {"numberOfChunks": 20, "totalDuration": 500}}
    fault(api, slowly)

    recovers(items(tmp_path, api.url))

    assert asked(api, 2) == 1


def test_a_body_that_is_too_large_is_refused(tmp_path, api):
    """A body over maxBody ends the run without being asked for again."""
    fault(api, {"body": '{"data": "' + "x" * 2_000_000 + '"}'}, always=True)

    said = gives_up(items(tmp_path, api.url))

    assert "SYN" in said
    assert asked(api, 2) == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"data": [{"id": 3',
        "<html><body>Sign in</body></html>",
        '{"data": [{"id": NaN}]}',
        '{"data": {"id": 3}, "next": null}',
        "",
    ],
)
def test_a_page_that_is_not_what_was_declared_is_refused_whole(tmp_path, api, body):
    """Cut JSON, HTML, NaN, an object for a list and nothing at all in a 200 end the run; the cursor stays."""
    fault(api, {"body": body, "headers": {"Content-Type": "application/json"}}, always=True)
    made = items(tmp_path, api.url)

    gives_up(made)

    assert made.position("items") is None
