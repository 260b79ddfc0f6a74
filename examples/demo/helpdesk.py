"""The demo's helpdesk: a small paginated, rate-limited API over tickets in memory, a bearer token an account.

It answers as such APIs do: 100 tickets a page, a cursor for the next, 429 with Retry-After when it is asked too fast.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

START = dt.datetime(2026, 1, 5, 8, 0, tzinfo=dt.UTC)
SUBJECTS = ("Printer on fire", "Can't log in", "Invoice is wrong", "Where is my order?", "Please delete my account")
STATES = ("open", "pending", "solved")


def _stamp(minutes: int) -> str:
    return f"{START + dt.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def _ticket(account: str, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "subject": f"{SUBJECTS[number % len(SUBJECTS)]} (#{number})",
        "status": STATES[number % 3],
        "priority": 1 + number % 4,
        "requester": {"name": f"Person {number % 97}", "email": f"person{number % 97}@{account}.example"},
        "hours": round(number % 40 / 4, 2),
        "created_at": _stamp(number),
        "updated_at": _stamp(number),
    }


class Helpdesk:
    """The service: `port` once started; every `limited`-th request of tickets is answered 429."""

    def __init__(self, tokens: dict[str, str], tickets: int, limited: int = 9) -> None:
        self.tokens = tokens
        self.limited = limited
        self.requests = 0
        self.throttled = 0
        self.tickets = {account: [_ticket(account, n) for n in range(1, tickets + 1)] for account in tokens}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]

    def start(self) -> None:
        """Serves in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()

    def work(self, account: str, changed: int, new: int) -> None:
        """A day at the helpdesk: some tickets are solved, some are opened."""
        tickets = self.tickets[account]
        later = len(tickets) + 600
        for index in range(changed):
            tickets[index * 7].update(status="solved", updated_at=_stamp(later + index))
        for index in range(new):
            ticket = _ticket(account, len(tickets) + 1)
            ticket.update(created_at=_stamp(later + changed + index), updated_at=_stamp(later + changed + index))
            tickets.append(ticket)

    def page(self, account: str, query: dict[str, list[str]]) -> dict[str, Any]:
        """One page of tickets that changed since a moment, oldest first."""
        since, limit = query.get("since", [""])[0], int(query.get("limit", ["100"])[0])
        offset = int(query.get("cursor", ["0"])[0])
        since = since.replace("+00:00", "Z").replace(".000000", "")
        found = sorted((t for t in self.tickets[account] if t["updated_at"] >= since), key=lambda t: t["updated_at"])
        end = offset + limit
        return {"data": found[offset:end], "meta": {"next": str(end) if end < len(found) else None}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                _, account, *path = url.path.split("/")
                if self.headers.get("Authorization") != f"Bearer {service.tokens.get(account, '')}":
                    self.answer(401, {"error": "who are you?"})
                elif path == ["me"]:
                    self.answer(200, {"account": account})
                elif path == ["tickets"]:
                    service.requests += 1
                    if service.requests % service.limited == 0:
                        service.throttled += 1
                        self.answer(429, {"error": "slow down"}, {"Retry-After": "0"})
                    else:
                        self.answer(200, service.page(account, parse_qs(url.query)))
                else:
                    self.answer(404, {"error": "no such thing"})

            def answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler
