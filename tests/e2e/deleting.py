"""A flow that deletes: a feed of changes, tombstones among them, into a table or into an API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.api_server import Reply
from tests.e2e.api import helpdesk

if TYPE_CHECKING:
    from tests.api_server import Asked

SIZE = 7
FIRST = 60

#: Ways to write and delete: by our key, by the API's ids, and by ids that a search gives.
WAYS = {
    "put": """
        upsert: {put: "/contacts/by-key/{{ record.id }}"}
        delete: {delete: "/contacts/{{ record.id }}"}
""",
    "ids": """
        id: body.ref
        create: {post: /contacts, headers: {Idempotency-Key: "{{ idempotency_key }}"}}
        update: {patch: "/contacts/{{ id }}"}
        delete: {delete: "/contacts/{{ id }}"}
""",
    "search": """
        id: body.ref
        create: {post: /contacts}
        update: {patch: "/contacts/{{ id }}"}
        delete: {delete: "/contacts/{{ id }}"}
        find: {get: /contacts, query: {id: "{{ record.id }}"}, id: "body.items[].ref"}
""",
}

_BOARD = """
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: board}
spec:
  version: 1.0.0
  config: {properties: {url: {type: string, format: uri}}, required: [url]}
  http:
    url: "{{ config.url }}"
    retry: {on: [5xx, timeout, connection], attempts: 2, backoff: {initial: 10ms, max: 20ms}}
  streams:
    tickets:
      get: /contacts
      records: items[]
      key: [id]
      write:WAY
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: board@^1, config: {url: "URL"}}
"""


def repository(url: str, deletes: str, sink: str = "", way: str = "") -> dict[str, str]:
    """The manifests: the helpdesk of `tests.e2e.api`, read as a feed, with what is deleted in it."""
    found = helpdesk(url, read="incremental")
    connector = (
        found["connector.yaml"]
        .replace("key: [id]", "key: [id]\n      deleted: \"state == 'gone'\"")
        .replace("cursor: {field: id,", "cursor: {field: seq,")
        .replace("          id: {type: integer}\n", "          id: {type: integer}\n          seq: {type: integer}\n")
    )
    sync = found["sync.yaml"].rstrip().removesuffix("}") + f", deletes: {deletes}}}\n"
    made = {**found, "connector.yaml": connector, "sync.yaml": sync}
    if sink:
        made["warehouse.yaml"] = _BOARD.replace("URL", sink).replace("WAY", WAYS[way].rstrip())
    return made


def changes() -> list[dict[str, Any]]:
    """
    Changes in their order: 60 tickets, of which two are rejects; then every third is deleted, every fifth changed, of
    those deleted some come back and some of these go again, some tombstones are of tickets that never were or are
    gone already, and one has no key. New tickets between them keep what is about one ticket in different batches.
    """
    found = [ticket(n, "x" * (120 if n in {20, 40} else 60)) for n in range(1, FIRST + 1)]
    for n in range(1, FIRST + 1):
        if n % 3 == 0:
            found.append(tombstone(n))
        elif n % 5 == 0:
            found.append(ticket(n, "changed"))
    found += [ticket(n, "new" * 20) for n in range(100, 120)]
    found += [tombstone(n) for n in (3, 6, 1001, 1002)]
    found += [ticket(n, "back") for n in range(9, FIRST, 9)]
    found += [{"id": None, "state": "gone"}, ticket(2000, "new"), ticket(2001, "y" * 200)]
    found += [ticket(n, "new" * 20) for n in range(120, 140)]
    found += [tombstone(n) for n in range(18, FIRST, 18)]
    return [{**change, "seq": number} for number, change in enumerate(found, 1)]


def ticket(number: int, title: str) -> dict[str, Any]:
    return {"id": number, "title": title, "hours": number / 4}


def tombstone(number: int) -> dict[str, Any]:
    return {"id": number, "state": "gone"}


def outcome() -> tuple[set[int], int]:
    """The tickets that are left in the end, and how many deletes there are after the first 60 changes."""
    there: set[int] = set()
    deleted = 0
    for change in changes():
        number = change["id"]
        if number is None or len(change.get("title", "")) > 100:
            continue
        if "state" not in change:
            there.add(number)
        elif number in there:
            there.discard(number)
            deleted += change["seq"] > FIRST
    return there, deleted


class Feed:
    """The feed as an API, in pages; `/__grow` has it give what comes after the first 60 changes, `/__reset` not."""

    def __init__(self) -> None:
        self._changes = changes()
        self._upto = FIRST

    def handle(self, asked: Asked) -> Reply:
        """Answers a request."""
        if asked.path.startswith("/__"):
            self._upto = len(self._changes) if asked.path == "/__grow" else FIRST
            return Reply({})
        after = int(asked.query.get("after") or 0)
        found = [change for change in self._changes[: self._upto] if change["seq"] > after]
        start = int(asked.query.get("cursor") or 0)
        following = str(start + SIZE) if start + SIZE < len(found) else None
        return Reply({"data": found[start : start + SIZE], "next": following})
