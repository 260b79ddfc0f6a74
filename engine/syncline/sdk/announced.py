"""What an API announces in the headers of its answers: its rate limits, and that it will be switched off.

Pure functions over headers with lower-case names. Rate limits come as the RateLimit fields (IETF
draft-ietf-httpapi-ratelimit-headers, all its revisions), as the `X-RateLimit-` ones that most vendors use, or under
names that a connector declares. The end of an API comes as Deprecation (RFC 9745) and Sunset (RFC 8594).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime

from msgspec import Struct

from syncline.sdk.paging import link
from syncline.sdk.retry import reset_after, server_time

_FAMILIES = (
    ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"),
)
_LEFT = tuple(remaining for _, remaining, _ in _FAMILIES)
_NONE_LEFT = re.compile(r"\b(?:r|remaining)\s*=\s*0\b")
_ITEM = re.compile(r'(?:"(?P<name>[^"]{0,80})"|(?P<bare>[A-Za-z*][\w.*/-]{0,80}))?(?P<parameters>[^,"]*)')
_PARAMETER = re.compile(r"\b([a-z]+)\s*=\s*(\d{1,15})")


class Quota(Struct, frozen=True):
    """A rate limit as announced: requests allowed, left, and seconds until there are more; None where it isn't said.

    >>> announced_quotas({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "97"}, now=0.0)
    (Quota(name='X-RateLimit', limit=100, remaining=97, seconds=None),)
    """

    name: str
    limit: int | None
    remaining: int | None
    seconds: float | None


class Ending(Struct, frozen=True):
    """That what answered is deprecated (since `deprecated`, a day or ''), and when it ends (`sunset`, a day or '').

    `link` tells more (relation deprecation, sunset or successor-version), if the API gives one.

    >>> announced_ending({"deprecation": "@1688169599", "sunset": "Sun, 30 Jun 2024 23:59:59 GMT"})
    Ending(deprecated='2023-06-30', sunset='2024-06-30', link='')
    """

    deprecated: str = ""
    sunset: str = ""
    link: str = ""

    def describe(self) -> str:
        """What it says, in words."""
        since = f" since {self.deprecated}" if self.deprecated else ""
        words = f"the API says that what answered is deprecated{since}"
        if self.sunset:
            words = f"{words}, and ends on {self.sunset}" if self.deprecated else f"the API ends on {self.sunset}"
        return words + (f": {self.link}" if self.link else "")


def announced_quotas(
    headers: Mapping[str, str], now: float, declared: Iterable[tuple[str, str]] = ()
) -> tuple[Quota, ...]:
    """
    The rate limits that headers tell of. `declared` are names of headers: (requests left, reset).

    >>> announced_quotas({"ratelimit-policy": '"hour";q=1000;w=3600', "ratelimit": '"hour";r=40;t=60'}, now=0.0)
    (Quota(name='hour', limit=1000, remaining=40, seconds=60.0),)
    """
    now = server_time(headers, now)
    found = [*_structured(headers), *_families(headers, now)]
    known = {name for family in _FAMILIES for name in family}
    for left, reset in declared:
        if left and left.lower() not in known and left.lower() in headers:
            seconds = reset_after(headers.get(reset.lower(), ""), now) if reset else None
            found.append(Quota(left, None, _number(headers[left.lower()]), seconds))
    return tuple(found)


def used_up(headers: Mapping[str, str], now: Callable[[], float]) -> float | None:
    """
    Seconds until there is more of a quota that headers say is used up; None where none is, or nobody says when.

    Of several it is the one that takes longest. Asked of every answer, so headers that tell of no such quota cost a few
    lookups.

    >>> used_up({"ratelimit": '"hour";r=0;t=60'}, now=lambda: 0.0)
    60.0
    """
    if not _runs_out(headers):
        return None
    found = announced_quotas(headers, now())
    return max((q.seconds for q in found if q.remaining == 0 and q.seconds is not None), default=None)


def _runs_out(headers: Mapping[str, str]) -> bool:
    """Whether a quota may be used up, which is then read with care."""
    for name in _LEFT:
        left = headers.get(name)
        if left is not None and left.lstrip().startswith("0"):
            return True
    fields = headers.get("ratelimit")
    return fields is not None and _NONE_LEFT.search(fields) is not None


def announced_ending(headers: Mapping[str, str]) -> Ending | None:
    """What headers tell of the end of an API; None when they tell nothing, or nothing that can be read.

    >>> announced_ending({"content-type": "application/json"}) is None
    True
    """
    if "deprecation" not in headers and "sunset" not in headers:
        return None
    said = headers.get("deprecation", "").strip()
    deprecated, sunset = _day(said), _day(headers.get("sunset", ""))
    if not deprecated and not sunset and said.lower() != "true":  # `true` was the form of the drafts before the RFC
        return None
    links = headers.get("link", "")
    relations = ("deprecation", "sunset", "successor-version")
    return Ending(deprecated, sunset, next((url for r in relations if (url := link(links, r))), ""))


def _structured(headers: Mapping[str, str]) -> list[Quota]:
    """RateLimit and RateLimit-Policy as structured fields, and as the one list that an earlier draft had."""
    policies = dict(_items(headers.get("ratelimit-policy", "")))
    found = []
    for name, parameters in _items(headers.get("ratelimit", "")):
        policy = policies.get(name, {})
        limit = parameters.get("limit", policy.get("q"))
        seconds = parameters.get("t", parameters.get("reset"))
        remaining = parameters.get("r", parameters.get("remaining"))
        if remaining is not None:
            found.append(Quota(name, limit, remaining, None if seconds is None else float(seconds)))
    return found


def _items(value: str) -> list[tuple[str, dict[str, int]]]:
    parts = [value] if re.match(r"\s*limit\s*=", value) else value.split(",")[:20]
    found = []
    for part in parts:
        match = _ITEM.match(part.strip()) if "=" in part else None
        name = (match["name"] or match["bare"] or "") if match else ""
        if "=" in part:
            found.append((name if name != "limit" else "RateLimit", {k: int(v) for k, v in _PARAMETER.findall(part)}))
    return found


def _families(headers: Mapping[str, str], now: float) -> list[Quota]:
    found = []
    for limit, remaining, reset in _FAMILIES:
        if remaining in headers or limit in headers:
            name = {"r": "RateLimit", "x": "X-RateLimit"}[limit[0]]
            seconds = reset_after(headers[reset], now) if reset in headers else None
            found.append(Quota(name, _number(headers.get(limit, "")), _number(headers.get(remaining, "")), seconds))
    return found


def _number(value: str) -> int | None:
    match = re.match(r"\s*(\d{1,15})\b", value)
    return int(match[1]) if match else None


def _day(value: str) -> str:
    """The UTC day of a structured date (`@1688169599`) or an HTTP date; '' for what is neither."""
    value = value.strip()
    try:
        if value.startswith("@"):
            moment = dt.datetime.fromtimestamp(int(value[1:]), dt.UTC)
        else:
            moment = parsedate_to_datetime(value)
        return moment.astimezone(dt.UTC).date().isoformat()
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return ""
