"""Budgets of requests in Redis: for many processes on many machines, or a state that shouldn't be asked so often.

The same arithmetic as `budget_book.py`, as a script that Redis runs as one step, by its own clock. A test compares the
two. Keys begin with `syncline:budget:` and expire when nothing of them counts any more.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

from syncline.model.budget import Grant, Used
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.tls import Oldest, oldest

if TYPE_CHECKING:
    from redis import Redis

_PREFIX = "syncline:budget:"
_SECONDS = 5.0
_VERSIONS: Mapping[Oldest, ssl.TLSVersion] = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

# ARGV: now (0: Redis' own clock), count, seconds, want, lease, id of the new block, settled block, its count, its age.
# Numbers are given back as texts: Redis would cut them to integers.
_RESERVE = """
local book = cjson.decode(redis.call('GET', KEYS[1]) or '{"blocks":[],"blocked_until":0}')
local time = redis.call('TIME')
local now = tonumber(ARGV[1])
if now == 0 then now = tonumber(time[1]) + tonumber(time[2]) / 1000000 end
local count, seconds, want, lease = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local longest, taken, first = now + lease + seconds, 0, math.huge
local blocks = {}
for _, b in ipairs(book.blocks) do
  local granted, frees = b[2], b[3]
  if b[1] == ARGV[7] then
    granted = math.min(granted, tonumber(ARGV[8]))
    frees = math.min(frees, now - tonumber(ARGV[9]) + seconds)
  end
  frees = math.min(frees, longest)
  if granted > 0 and frees > now then
    blocks[#blocks + 1] = {b[1], granted, frees}
    taken = taken + granted
    first = math.min(first, frees)
  end
end
local granted, wait = 0, 0
if now < book.blocked_until and book.blocked_until <= now + 86400 then
  wait = book.blocked_until - now
elseif taken >= count then
  wait = first - now
else
  granted = math.min(want, count - taken)
  blocks[#blocks + 1] = {ARGV[6], granted, longest}
  if #blocks > 64 then
    table.sort(blocks, function(a, b) return a[3] < b[3] end)
    local merged = {'', blocks[1][2] + blocks[2][2], blocks[2][3]}
    table.remove(blocks, 1)
    blocks[1] = merged
  end
end
local kept = {}
for i, b in ipairs(blocks) do
  kept[i] = string.format('[%s,%d,%.6f]', cjson.encode(b[1]), b[2], b[3])
end
local text = string.format('{"blocks":[%s],"blocked_until":%.6f}', table.concat(kept, ','), book.blocked_until)
local until_ = math.max(longest, book.blocked_until) - now
redis.call('SET', KEYS[1], text, 'PX', math.ceil(until_ * 1000) + 1000)
return {granted, string.format('%.6f', wait)}
"""

# ARGV: now (0: Redis' own clock), seconds.
_BLOCK = """
local book = redis.call('GET', KEYS[1]) or '{"blocks":[],"blocked_until":0}'
local time = redis.call('TIME')
local now = tonumber(ARGV[1])
if now == 0 then now = tonumber(time[1]) + tonumber(time[2]) / 1000000 end
local seconds = math.min(tonumber(ARGV[2]), 86400)
local old = tonumber(string.match(book, '"blocked_until":([%d.]+)'))
local text = string.format('"blocked_until":%.6f', math.max(old, now + seconds))
book = string.gsub(book, '"blocked_until":[%d.]+', text)
redis.call('SET', KEYS[1], book, 'PX', math.max(redis.call('PTTL', KEYS[1]), math.ceil(seconds * 1000) + 1000))
"""


class RedisBudgets:
    """See `model.budget.Budgets`. `now` is a clock for tests; 0.0 means Redis' own."""

    def __init__(self, client: Redis, name: str) -> None:
        self._client = client
        self._name = name
        self._reserve: Any = client.register_script(_RESERVE)
        self._block: Any = client.register_script(_BLOCK)
        self.now = 0.0

    def reserve(
        self, name: str, count: int, seconds: float, *, want: int, lease: float, used: Used | None = None
    ) -> Grant:
        block = uuid4().hex[:16]
        settled = (used.block, used.count, used.ago) if used is not None else ("-", 0, 0)
        with self._translated():
            granted, wait = self._reserve(
                keys=[_PREFIX + name], args=[self.now, count, seconds, want, lease, block, *settled]
            )
        return Grant(block, int(granted)) if granted else Grant(wait=float(wait))

    def block(self, name: str, seconds: float) -> None:
        with self._translated():
            self._block(keys=[_PREFIX + name], args=[self.now, seconds])

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import redis

        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if isinstance(error.__context__, ssl.SSLError):
                raise Stalled(
                    f"the budgets in {self._name} can't be reached by TLS 1.3: {error.__context__.reason}",
                    code="SYN469",
                    help="Look at the server's certificate, which is verified. One that knows no TLS 1.3 needs "
                    "?tlsMin=1.2 in SYNCLINE_REDIS.",
                ) from error
            raise Again(
                f"the budgets in {self._name} can't be reached",
                code="SYN469",
                help="No request is sent that isn't counted. The next run continues where this one stopped.",
            ) from error
        except redis.RedisError as error:
            # Its text may hold what was sent; its type says enough.
            raise Stalled(
                f"the budgets in {self._name} can't be used: {type(error).__name__}",
                code="SYN469",
                help="Look at SYNCLINE_REDIS: its password, and whether its user may run scripts.",
            ) from error


def _tls_min(url: str) -> tuple[str, Oldest]:
    """A URL without what it says of TLS, and the oldest version that it takes."""
    parts = urlsplit(url)
    said = parse_qsl(parts.query, keep_blank_values=True)
    # `ssl_min_version` is the library's own word for it, which would win over the rule.
    kept = [(name, value) for name, value in said if name not in {"tlsMin", "ssl_min_version"}]
    return urlunsplit(parts._replace(query=urlencode(kept))), oldest(dict(said).get("tlsMin"))


def open_redis(url: str) -> RedisBudgets:
    """
    Opens budgets at `redis://`, `rediss://` (TLS 1.3, or 1.2 with `?tlsMin=1.2`) or `unix://`; nothing is asked yet.
    `Invalid` for another URL.
    """
    scheme = urlsplit(url).scheme
    if scheme not in {"redis", "rediss", "unix"}:
        raise Invalid(
            "SYNCLINE_REDIS is not the URL of a Redis server", code="SYN469", help="Write redis://HOST:6379/0."
        )
    try:
        import redis
    except ImportError as error:
        raise Invalid(
            "SYNCLINE_REDIS is set, and the library for Redis isn't installed",
            code="SYN469",
            help="Install syncline with it: pip install 'syncline[redis]'.",
        ) from error
    secured: dict[str, Any] = {}
    given = url
    if scheme == "rediss":
        given, least = _tls_min(url)
        secured = {"ssl_min_version": _VERSIONS[least]}
    client = redis.Redis.from_url(given, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, **secured)
    return RedisBudgets(client, f"{scheme}://{urlsplit(url).hostname or ''}")
