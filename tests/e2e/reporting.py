"""A flow that reads a report quarter by quarter, whose rows carry no date, and that API."""

from __future__ import annotations

from tests.api_server import Asked, Reply
from tests.e2e.api import helpdesk

#: Rows of a quarter, in pages of two; every seventh one of all has a title that is too long: those are rejects.
ROWS = 3

_STREAM = """    tickets:
      get: /report
      records: data[]
      key: [quarter, number]
      page: {cursor: next, into: query.cursor}
      cursor:
        type: date
        start: "2023-01-01"
        into: {query.from: start, query.to: end}
        windows: {every: 3mo, columns: {quarter: start}}
      schema:
        required: [number]
        properties: {number: {type: integer}, title: {type: string}, hours: {type: number}}
"""


def repository(url: str, *, write: str) -> dict[str, str]:
    """The manifests: the helpdesk of `tests.e2e.api`, whose tickets are the rows of a report by quarter."""
    texts = helpdesk(url, write=write, read="incremental")
    before, _, _ = texts["connector.yaml"].partition("    tickets:\n")
    sync = texts["sync.yaml"].rstrip().removesuffix("}") + ", guards: {maxRejects: 50%}}\n"
    sync = sync.replace("  key: [id]", "  key: [quarter, id]")
    sync = sync.replace(
        "{to: id, from: id,", "{to: quarter, from: quarter, type: date, required: true}\n  - {to: id, from: number,"
    )
    return {**texts, "connector.yaml": before + _STREAM, "sync.yaml": sync}


def report(asked: Asked) -> Reply:
    """The rows of a quarter: its own figures, which repeat in no other one."""
    year, month, _ = map(int, asked.query["from"].split("-"))
    quarter = year * 4 + month // 3
    start = int(asked.query.get("cursor") or 0)
    rows = [
        {"number": n, "title": "x" * (120 if (quarter + n) % 7 == 0 else 60), "hours": quarter + n / 4}
        for n in range(ROWS)
    ]
    return Reply({"data": rows[start : start + 2], "next": None if start else "2"})
