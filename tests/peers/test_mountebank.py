"""mountebank: answers in turn, of which some are faults: resets, errors, 429."""

from __future__ import annotations

import json

from tests.peers.faults import TOTAL, items, page, recovers
from tests.peers.web import ask


def right(number):
    """The answer with a page."""
    body = json.dumps(page(number))
    return {"is": {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}}


def test_answers_come_in_turn(mountebank):
    """The first answer is given first."""
    with mountebank.imposter({"is": {"statusCode": 429}}, {"is": {"statusCode": 200, "body": "{}"}}) as url:
        assert [ask("GET", url).status for _ in range(2)] == [429, 200]


def test_a_run_gets_over_faults_on_every_page(tmp_path, mountebank):
    """A reset, a 429 and a 500 before the pages: each is asked for until it comes, in order."""
    reset, busy = {"fault": "CONNECTION_RESET_BY_PEER"}, {"is": {"statusCode": 429}}
    with mountebank.imposter(reset, right(1), busy, {"is": {"statusCode": 500}}, right(2), reset, right(3)) as url:
        made = items(tmp_path, url)
        recovers(made)

        cursors = [request["query"].get("cursor") for request in mountebank.requests(url)]
    assert [cursor for cursor in cursors if cursor is None] != []
    assert cursors[-1] == "3"
    assert made.rows("SELECT max(id) FROM items") == [(TOTAL,)]
