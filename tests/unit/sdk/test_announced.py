"""What headers of answers announce: rate limits in the forms that vendors use, and the end of an API."""

from __future__ import annotations

import pytest

from syncline.sdk.announced import Ending, Quota, announced_ending, announced_quotas, used_up


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ()),
        (
            {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "97", "x-ratelimit-reset": "52"},
            (Quota("X-RateLimit", 100, 97, 52.0),),
        ),
        ({"x-rate-limit-limit": "600", "x-rate-limit-remaining": "0"}, (Quota("X-RateLimit", 600, 0, None),)),
        ({"ratelimit": "limit=10, remaining=4, reset=30"}, (Quota("RateLimit", 10, 4, 30.0),)),
        (
            {"ratelimit-policy": '"burst";q=10;w=1, "day";q=5000;w=86400', "ratelimit": '"day";r=4999;t=3600'},
            (Quota("day", 5000, 4999, 3600.0),),
        ),
        ({"ratelimit": "default;r=50;t=30"}, (Quota("default", None, 50, 30.0),)),
        ({"x-ratelimit-remaining": "lots"}, (Quota("X-RateLimit", None, None, None),)),
        ({"ratelimit": "\x00=;;;,,,=" * 50}, ()),
    ],
)
def test_quotas(headers, expected):
    """Each form gives what is allowed, what is left and when there is more; what can't be read gives nothing."""
    assert announced_quotas(headers, now=0.0) == expected


def test_declared_headers_are_read_too():
    """A connector's own names of headers count, once."""
    headers = {"x-calls-left": "7", "x-calls-reset": "1767603660", "x-ratelimit-remaining": "1"}
    declared = [("X-Calls-Left", "X-Calls-Reset"), ("X-RateLimit-Remaining", "")]

    assert announced_quotas(headers, now=1767603600.0, declared=declared) == (
        Quota("X-RateLimit", None, 1, None),
        Quota("X-Calls-Left", None, 7, 60.0),
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "52"}, 52.0),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "97", "x-ratelimit-reset": "52"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767603660"}, 60.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "Mon, 05 Jan 2026 09:01:00 GMT"}, 60.0),
        ({"x-rate-limit-limit": "600", "x-rate-limit-remaining": "0"}, None),
        ({"ratelimit-limit": "10", "ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7.0),
        ({"ratelimit": "limit=10, remaining=0, reset=30"}, 30.0),
        ({"ratelimit": "limit=10, remaining=4, reset=30"}, None),
        ({"ratelimit-policy": '"burst";q=10;w=1, "day";q=50;w=86400', "ratelimit": '"day";r=0;t=3600'}, 3600.0),
        ({"ratelimit": '"burst";r=0;t=1, "day";r=0;t=3600'}, 3600.0),
        ({"ratelimit": '"burst";r=10;t=1'}, None),
        ({"ratelimit": "default;r=0"}, None),
        ({"x-ratelimit-remaining": "0x", "x-ratelimit-reset": "nan"}, None),
        ({"ratelimit": "r=0\x00=;;;,,,=" * 50}, None),
    ],
)
def test_used_up(headers, expected):
    """Each form tells for how long nothing is left; what leaves something, or can't be read, tells nothing."""
    assert used_up(headers, lambda: 1767603600.0) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"deprecation": "soon"}, None),
        ({"deprecation": "true"}, Ending()),
        ({"deprecation": "@1688169599"}, Ending("2023-06-30")),
        ({"deprecation": "@99999999999999999999"}, None),
        ({"deprecation": "Sun, 11 Nov 2018 23:59:59 GMT"}, Ending("2018-11-11")),
        ({"sunset": "Sat, 31 Dec 2029 23:59:59 GMT"}, Ending("", "2029-12-31")),
        (
            {"deprecation": "@1688169599", "link": '<https://a.example/old>; rel="deprecation"; type="text/html"'},
            Ending("2023-06-30", "", "https://a.example/old"),
        ),
    ],
)
def test_endings(headers, expected):
    """RFC 9745 and the drafts before it, RFC 8594, and the link that tells more."""
    assert announced_ending(headers) == expected
