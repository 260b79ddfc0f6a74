"""faulty: a real system behind a TCP proxy that delays, drops, throttles and corrupts."""

from __future__ import annotations

import time

import pytest

from tests.peers.faults import items, page, recovers
from tests.peers.web import ask


@pytest.fixture
def url(wiremock):
    """The API of three pages, without faults of its own."""
    wiremock.reset()
    for number in (1, 2, 3):
        cursor = {"cursor": {"absent": True} if number == 1 else {"equalTo": str(number)}}
        wiremock.stub({"urlPath": "/items", "queryParameters": cursor}, {"status": 200, "jsonBody": page(number)})
    return wiremock.url


def test_the_proxy_delays(url, faulty):
    """A request through the proxy takes as long as it is told to."""
    with faulty(url, "--delay", "200") as slow:
        start = time.monotonic()
        assert ask("GET", f"{slow}/items").status == 200
        assert time.monotonic() - start >= 0.4


@pytest.mark.parametrize("faults", [("--delay", "50-150"), ("--throttle", "16kb")])
def test_a_slow_line_changes_nothing(tmp_path, url, faulty, faults):
    """Latency and little bandwidth: every item is there once."""
    with faulty(url, *faults) as slow:
        recovers(items(tmp_path, slow))


@pytest.mark.parametrize("faults", [("--corrupt-down", "0.003"), ("--drop-down", "0.2")])
def test_a_broken_line_brings_every_item_or_none(tmp_path, url, faulty, faults):
    """Corrupted bytes and dropped packets: runs fail or succeed; what is in the table is right, and in the end it is all."""
    with faulty(url, *faults) as broken:
        made = items(tmp_path, broken)
        for _ in range(3):
            made.command("run", "acme/Sync/items")
            made.proved()
    for path in made.root.glob("integration.yaml"):
        path.write_text(path.read_text().replace(broken, url))
    made.ok("apply", "--yes")

    made.run("items", "--full-refresh")

    assert made.rows("SELECT count(*), count(DISTINCT id) FROM items WHERE id BETWEEN 1 AND 6") == [(6, 6)]
    made.proved()
