"""A flow that reads what jobs of an API prepare, and that API, which counts jobs and looks at the table when it deletes one."""

from __future__ import annotations

import json
import sqlite3
import threading
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.api_server import Asked, Reply
from tests.e2e.api import helpdesk

SIZE = 7
#: Tickets of each shop, of which every ninth has a title that is too long: those are rejects.
TICKETS = 40

_STREAM = """    tickets:
      records: data[]
      key: [id]
      page: {cursor: next, into: query.cursor}
      job:
        create: {post: /exports, headers: {Idempotency-Key: "{{ job.key }}"}}
        poll: {get: "/exports/{{ job.id }}", every: 1ms, done: body.done}
        download: {get: "/exports/{{ job.id }}/rows"}
        delete: {delete: "/exports/{{ job.id }}"}
      schema:
        required: [id]
        properties: {id: {type: integer}, title: {type: string}, hours: {type: number}}
"""


#: The same for each of two shops, whose jobs are where the API says.
_EACH = (
    _STREAM.replace("      key: [id]\n", "      key: [id]\n      for: {in: [a, b], as: shop}\n")
    .replace("{post: /exports, ", '{post: "/exports?shop={{ shop }}", ')
    .replace("        poll:", "        url: headers.location\n        poll:")
    .replace("/exports/{{ job.id }}", "{{ job.url }}")
)


def repository(url: str, jobs: str, *, write: str) -> dict[str, str]:
    """
    The manifests: the helpdesk of `tests.e2e.api`, whose tickets a job prepares (`one`), or one for each of two shops
    (`each`). By its guard, batches would be held until the end of a run that is this small.
    """
    texts = helpdesk(url, write=write)
    before, _, _ = texts["connector.yaml"].partition("    tickets:\n")
    stream = _EACH if jobs == "each" else _STREAM
    sync = texts["sync.yaml"].rstrip().removesuffix("}") + ", guards: {maxRejects: 50%}}\n"
    return {**texts, "connector.yaml": before + stream, "sync.yaml": sync}


class Exports:
    """
    Jobs that are done at their second poll. What creates one under a key that is known gives the same one.

    `/__tally` says how many were created and deleted, and how many of these while their tickets weren't all in `table`.
    """

    def __init__(self, table: Path) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._keys: dict[str, str] = {}
        self._polls: dict[str, int] = {}
        self._deleted: list[str] = []
        self._early: list[str] = []

    def handle(self, asked: Asked) -> Reply:
        """Answers a request."""
        with self._lock:
            return self._answer(asked, *asked.path.split("/")[2:])

    def _answer(self, asked: Asked, job: str = "", rows: str = "") -> Reply:
        if asked.path == "/__reset":
            self._begin()
            return Reply({})
        if asked.path == "/__tally":
            return Reply({"created": len(self._polls), "deleted": len(self._deleted), "early": len(self._early)})
        if asked.method == "POST":
            shop = asked.query.get("shop", "")
            job = self._keys.setdefault(asked.headers["idempotency-key"], f"e{len(self._keys) + 1}{shop}")
            self._polls.setdefault(job, 0)
            return Reply({"id": job}, status=202, headers={"Location": f"/exports/{job}"})
        if job not in self._polls or job in self._deleted:
            return Reply({"error": "no such job"}, status=404)
        if asked.method == "DELETE":
            self._deleted.append(job)
            if not self._kept(job):
                self._early.append(job)
            return Reply(b"", status=204)
        if not rows:
            self._polls[job] += 1
            return Reply({"done": self._polls[job] > 1})
        start = int(asked.query.get("cursor") or 0)
        following = str(start + SIZE) if start + SIZE < TICKETS else None
        return Reply({"data": [ticket(n) for n in _tickets(job)][start : start + SIZE], "next": following})

    def _kept(self, job: str) -> bool:
        with closing(sqlite3.connect(self._table)) as connection:
            found = {number for (number,) in connection.execute("SELECT id FROM tickets")}
        return found >= {n for n in _tickets(job) if n % 9}


def _tickets(job: str) -> range:
    """The numbers of a job's tickets: those of shop b come after the others."""
    return range(901, 901 + TICKETS) if job.endswith("b") else range(1, TICKETS + 1)


def ticket(number: int) -> dict[str, Any]:
    return {"id": number, "title": "x" * (120 if number % 9 == 0 else 60), "hours": number / 4}


def tally(url: str) -> dict[str, int]:
    """What became of the API's jobs."""
    with urllib.request.urlopen(f"{url}/__tally", timeout=120) as answer:  # noqa: S310 - a server of the test
        return json.loads(answer.read())
