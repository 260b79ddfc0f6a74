"""Answers that are used in part because their connector accepts that: the run's receipt says which, whatever came between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Again
from syncline.model.key import ObjectKey
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk, syncline
from tests.e2e.house import audit_ok, build

if TYPE_CHECKING:
    from pathlib import Path

TICKETS = ObjectKey("acme", "Sync", "tickets")
GRAPHQL = """\
post: /graphql
      graphql:
        query: "query Q($after: String) { tickets(after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }"
        partial: accept
        connection: data.tickets
"""


class Server:
    """A GraphQL server of pages of 100 records, whose first answers lack a field; fails at a page until it is mended."""

    def __init__(self, partial: int) -> None:
        self.partial = partial
        self.fails_at: int | None = None

    def __call__(self, asked: Asked) -> Reply:
        number = int(json.loads(asked.body)["variables"].get("after") or 1)
        if number == self.fails_at:
            return Reply({}, status=500)
        nodes = [{"id": 100 * number + n} for n in range(100)]
        page = {"nodes": nodes, "pageInfo": {"hasNextPage": number < 3, "endCursor": str(number + 1)}}
        found: dict[str, Any] = {"data": {"tickets": page}}
        if number <= self.partial:
            found["errors"] = [{"message": f"no titles on page {number}", "path": ["tickets"]}]
        return Reply(found)


def texts(url: str) -> dict[str, str]:
    """The helpdesk, read by GraphQL."""
    made = helpdesk(url)
    before, _, rest = made["connector.yaml"].partition("get: /tickets\n")
    rest = rest.partition("      key:")[2].replace("      page: {cursor: next, into: query.cursor}\n", "")
    rest = rest.replace("      cursor: {field: id, type: integer, into: {query.after: start}}\n", "")
    return {**made, "connector.yaml": f"{before}{GRAPHQL}      key:{rest}"}


def test_a_receipt_tells_of_what_was_accepted_in_part(tmp_path: Path):
    """The receipt has a note for each such answer, with its page and the server's reason; `runs show` shows it."""
    with api_server(Server(2)) as api:
        settings = build(tmp_path, texts(api.url))
        workflow.apply(settings)
        receipt = workflow.run(settings, TICKETS, progress=Silent()).receipt
    said = "partial data was accepted: no titles on page"
    notes = (f"POST /graphql: {said} 1 (at tickets)", f"POST /graphql, cursor '2': {said} 2 (at tickets)")
    assert receipt.notes == notes
    shown = syncline(tmp_path, "runs", "show", receipt.run)
    assert shown.returncode == 0, shown.stderr
    assert all(note in shown.stdout for note in notes)
    assert audit_ok(settings)


def test_it_is_told_even_if_the_run_was_stopped_in_between(tmp_path: Path):
    """What an interrupted run had accepted and committed is on the receipt of the run that goes on with it."""
    server = Server(1)
    with api_server(server) as api:
        settings = build(tmp_path, texts(api.url))
        workflow.apply(settings)
        server.fails_at = 3
        with pytest.raises(Again):
            workflow.run(settings, TICKETS, progress=Silent())
        server.fails_at, server.partial = None, 0
        receipt = workflow.run(settings, TICKETS, progress=Silent()).receipt
    assert (receipt.resumed, receipt.counts.read) == (1, 300)
    assert receipt.notes[-1] == "POST /graphql: partial data was accepted: no titles on page 1 (at tickets)"
