"""Django REST framework: pages by number, the page after the last an error, and a size that the server cuts."""

from __future__ import annotations

import pytest

from tests.peers.house import Flow, house
from tests.peers.web import ask

FIELDS = ("to: id, from: id, type: integer, required: true", "to: name, from: name")


@pytest.mark.parametrize("stream", ["items", "capped", "ended"])
def test_all_records_come_over_numbered_pages(tmp_path, rest_framework, stream):
    """Each item comes once over pages of three: by the count, where the server gives fewer than asked, by the last page."""
    made = house(tmp_path, "rest-framework", {"url": rest_framework.url}, Flow(stream, FIELDS), quick=True)

    counts = made.run(stream)

    assert (counts["read"], counts["inserted"]) == (rest_framework.rows, rest_framework.rows)
    wanted = [(n, f"item {n}") for n in range(1, rest_framework.rows + 1)]
    assert made.rows(f"SELECT id, name FROM {stream} ORDER BY id") == wanted
    made.proved()


def test_a_page_beyond_the_last_is_an_error_and_no_end(tmp_path, rest_framework):
    """The server answers 404 for the page after its last: who isn't told where the end is fails, and says at which page."""
    last = ask("GET", f"{rest_framework.url}/items/?page_size=3&page=4")
    assert (last.status, last.json) == (404, {"detail": "Invalid page."})
    made = house(tmp_path, "rest-framework", {"url": rest_framework.url}, Flow("unknown", FIELDS), quick=True)

    failed = made.command("run", "acme/Sync/unknown")

    assert failed.returncode != 0
    assert "404" in failed.stderr
    made.proved()
