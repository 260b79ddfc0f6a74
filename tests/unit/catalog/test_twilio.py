"""Twilio's lists as its documentation describes them, in memory: only what is new is read, and what became of what isn't old."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from syncline.connectors.rest.reading.source import RestSource
from syncline.kinds.record import logical_schema
from syncline.sdk.source import SourceRequest
from tests.rest_streams import FakeClock, FunctionTransport, answer, read, rows
from tests.unit.catalog.test_vendors import instance, validate

if TYPE_CHECKING:
    from syncline.sdk.batch import Batch, Position
    from syncline.sdk.http import Request, Response

STREAMS = {"messages": ("DateSent>", "date_sent"), "calls": ("StartTime>", "start_time")}
FIRST = dt.datetime(2023, 10, 1, 12, tzinfo=dt.UTC)


@dataclass
class Account:
    """Records by their SIDs, newest first on pages of two; a bound is taken as the day that it begins (`on or after midnight`)."""

    stream: str
    at: dict[str, dt.datetime | None] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    asked: list[str | None] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        bound, name = STREAMS[self.stream]
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query))
        since = dt.datetime.fromisoformat(query[bound]).replace(hour=0, minute=0, second=0) if bound in query else None
        found = sorted(
            (sid for sid, at in self.at.items() if since is None or (at is not None and at >= since)),
            key=lambda sid: self.at[sid] or FIRST,
            reverse=True,
        )
        start = 2 * int(query.get("Page", "0"))
        if not start:
            self.asked.append(query.get(bound))
        following = urlencode({**query, "Page": start // 2 + 1, "PageToken": "PA1"}) if found[start + 2 :] else None
        return answer(
            {
                self.stream: [self._record(sid, name) for sid in found[start : start + 2]],
                "next_page_uri": following and f"{parts.path}?{following}",
            }
        )

    def _record(self, sid: str, name: str) -> dict[str, Any]:
        at = self.at[sid]
        return {"sid": sid, name: at and format_datetime(at), "status": self.status.get(sid, "queued")}


def pull(account: Account, position: Position | None = None, **config: str) -> tuple[list[Batch], FunctionTransport]:
    """An incremental read of the account's stream."""
    made = instance("twilio")
    made = replace(made, config={**made.config, **config})
    declared = made.connector.streams[account.stream]  # type: ignore[attr-defined]  # a rest connector
    schema = logical_schema(declared.record_schema, declared.key)
    request = SourceRequest(account.stream, schema, (), incremental=True)
    transport = FunctionTransport(account)
    return read(RestSource(made, request, transport=transport, clock=FakeClock()), position), transport


def sids(batches: list[Batch]) -> list[str]:
    return sorted(row["sid"] for row in rows(batches))


@pytest.mark.parametrize("stream", STREAMS)
def test_only_what_is_new_is_read(stream: str):
    """The first read has everything; the next asks from the day three days before the newest, whose changes come, too."""
    account = Account(stream, {f"S{day:02}": FIRST + dt.timedelta(days=day) for day in range(20)})
    first, transport = pull(account)
    validate("twilio", transport.sent)

    account.at["S20"] = FIRST + dt.timedelta(days=19, hours=1)
    account.status["S17"] = "delivered"
    second, transport = pull(account, first[-1].position)

    validate("twilio", transport.sent)
    assert sids(first) == [f"S{day:02}" for day in range(20)]
    assert sids(second) == ["S16", "S17", "S18", "S19", "S20"]
    assert {row["sid"]: row["status"] for row in rows(second)}["S17"] == "delivered"
    assert account.asked == [None, "2023-10-17T00:00:00Z"]


@pytest.mark.parametrize("stream", STREAMS)
def test_what_waits_comes_once_it_was_sent(stream: str):
    """What wasn't sent or dialled yet has no time: the first read has it, it moves no cursor, and its time brings it again."""
    account = Account(stream, {"S1": FIRST, "S2": None})
    first, _ = pull(account)

    account.at["S2"] = FIRST + dt.timedelta(days=30)
    account.status["S2"] = "sent"
    second, _ = pull(account, first[-1].position)
    account.at["S3"] = FIRST + dt.timedelta(days=30, hours=2)
    third, _ = pull(account, second[-1].position)

    assert sids(first) == ["S1", "S2"]
    assert {row["sid"]: row["status"] for row in rows(second)} == {"S1": "queued", "S2": "sent"}
    assert sids(third) == ["S2", "S3"]


def test_a_first_read_may_begin_later():
    """`since` of an integration bounds the first read."""
    account = Account("messages", {f"S{day:02}": FIRST + dt.timedelta(days=day) for day in range(20)})

    batches, _ = pull(account, since="2023-10-15T00:00:00Z")

    assert sids(batches) == [f"S{day:02}" for day in range(14, 20)]
    assert account.asked == ["2023-10-15T00:00:00Z"]
