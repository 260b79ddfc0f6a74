"""Request Tracker: pages that name the next one, a query language as the filter, ETags."""

from __future__ import annotations

import pytest

from tests.peers.house import Flow, house

FIELDS = (
    "to: id, from: id, type: integer, required: true",
    "to: subject, from: Subject",
    "to: status, from: Status",
    "to: updated, from: LastUpdated, type: timestamp",
)
AUTH = "{type: basic, username: root, password: {secretRef: {provider: env, key: RT_PASSWORD}}}"


@pytest.fixture
def made(tmp_path, request_tracker, warehouse):
    """A house that reads the tickets of Request Tracker incrementally."""
    flow = Flow("tickets", FIELDS, read="incremental")
    secrets = {"RT_PASSWORD": request_tracker.password}
    config = {"url": request_tracker.url}
    return house(tmp_path, "request-tracker", config, flow, auth=AUTH, secrets=secrets, warehouse=warehouse)


def test_stale_changes_are_refused(request_tracker):
    """A change with the ETag of another version gets a 412."""
    number = request_tracker.ticket("Printer on fire")
    stale = request_tracker.ask("PUT", f"/ticket/{number}", {"Subject": "x"}, {"If-Match": '"other"'})

    assert stale.status == 412
    assert request_tracker.ask("GET", f"/ticket/{number}").ok()["Subject"] == "Printer on fire"


def test_all_tickets_are_read_over_pages_and_then_only_what_changed(made, request_tracker):
    """Tickets come over pages of two; a second run, whose filter is in TicketSQL, moves the one that was changed."""
    numbers = [request_tracker.ticket(f"Ticket {n}") for n in range(5)]
    total = request_tracker.ask("GET", "/tickets?query=id%3E0").ok()["total"]

    first = made.run("tickets")
    request_tracker.ask("PUT", f"/ticket/{numbers[1]}", {"Status": "open"}).ok()
    second = made.run("tickets")

    assert (first["read"], first["inserted"]) == (total, total)
    assert second["updated"] == 1
    assert second["read"] < total
    assert made.rows(f"SELECT subject, status FROM tickets WHERE id = {numbers[1]}") == [("Ticket 1", "open")]
    assert made.rows("SELECT count(*), count(DISTINCT id) FROM tickets") == [(total, total)]
    made.proved()
