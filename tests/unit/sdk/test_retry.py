"""Waiting: Retry-After, resets and backoff, as numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.sdk.limits import Limiter, Rule
from syncline.sdk.retry import MAX_BELIEVED, RetryPolicy, reset_after, retry_after
from tests.rest_streams import FakeClock

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 3 ", 3.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("31536000", MAX_BELIEVED),
        ("9" * 400, MAX_BELIEVED),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Tue, 99 Nov 2023 99:99:99 GMT", None),
    ],
)
def test_retry_after(value, expected):
    """Seconds and dates are read, at most a day; everything else is as if it weren't there."""
    assert retry_after({"retry-after": value}, ("Retry-After",), NOW) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"date": "Tue, 14 Nov 2023 22:03:20 GMT"}, 630.0),  # our clock is ten minutes ahead: not at once
        ({"date": "Tue, 14 Nov 2023 22:13:40 GMT"}, 10.0),  # it is behind: no longer than was asked
        ({"date": "Tue, 14 Nov 2023 22:20:00 GMT"}, 0.0),
        ({"date": "Tue, 14 Nov 2023 22:03:20 GMT", "age": "600"}, 30.0),  # of a copy that a cache kept
        ({"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, 30.0),
        ({"date": "yesterday"}, 30.0),
    ],
)
def test_a_date_is_of_the_servers_clock(headers, expected):
    """A date to wait for is measured from the Date of the same answer, whatever our clock says, where it can be believed."""
    headers |= {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}
    assert retry_after(headers, ("Retry-After",), NOW) == expected
    assert retry_after(headers | {"retry-after": "120"}, ("Retry-After",), NOW) == 120.0


@given(st.text(max_size=40))
def test_no_header_breaks_it(value):
    """Whatever a header holds, the wait is None or between nothing and a day."""
    headers = {"retry-after": value, "date": value}
    for wait in (retry_after(headers, ("Retry-After",), NOW), reset_after(value, NOW)):
        assert wait is None or 0 <= wait <= MAX_BELIEVED


@pytest.mark.parametrize(
    ("value", "expected"),
    [("30", 30.0), (str(int(NOW) + 30), 30.0), (str((int(NOW) + 30) * 1000), 30.0), ("1", 1.0), ("nan", None)],
)
def test_resets_in_every_unit(value, expected):
    """A reset is seconds from now, or a Unix time in seconds or milliseconds."""
    assert reset_after(value, NOW) == expected


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_backoff_is_bounded(attempt, chance):
    """A backoff is between nothing and the bound, and grows with attempts."""
    policy = RetryPolicy(initial=1.0, max=60.0)
    wait = policy.backoff(attempt, chance)
    assert 0 <= wait < 60
    assert wait <= policy.backoff(attempt + 1, chance)


def test_statuses_that_are_retried():
    """`5xx` covers all server errors, and numbers only themselves."""
    policy = RetryPolicy(on=frozenset({429, "5xx"}))
    assert [s for s in (200, 404, 408, 429, 500, 599) if policy.retries_status(s)] == [429, 500, 599]


@given(count=st.integers(1, 5), gaps=st.lists(st.floats(0, 3), max_size=30))
def test_no_span_has_more_than_the_rate(count, gaps):
    """However requests come, no span of the rate's length has more than its count."""
    clock = FakeClock()
    limiter = Limiter(Rule(count, 10.0), clock)
    sent = []
    for gap in gaps:
        clock.time += gap
        limiter.wait()
        sent.append(clock.time)
    for index in range(len(sent) - count):
        assert sent[index + count] - sent[index] >= 10.0 - 1e-6
