"""A repository whose destination is an HTTP API: customers from a CSV file become its contacts."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.e2e.house import MAPPING, SOURCE, TENANT

#: Ways to write, from the safest to one that can promise nothing.
WAYS = {
    "keys": """
        id: body.ref
        version: headers.etag
        create: {post: /contacts, headers: {Idempotency-Key: "{{ idempotency_key }}"}}
        update: {patch: "/contacts/{{ id }}", headers: {If-Match: "{{ version }}"}}
        read: {get: "/contacts/{{ id }}"}
""",
    "search": """
        id: body.ref
        create: {post: /contacts}
        update: {patch: "/contacts/{{ id }}"}
        find: {get: /contacts, query: {id: "{{ record.id }}"}, id: "body.items[].ref"}
""",
    "put": """
        upsert: {put: "/contacts/by-key/{{ record.id }}"}
""",
    "batch": """
        create:
          post: /contacts/batch
          headers: {Idempotency-Key: "{{ idempotency_key }}"}
          batch: {size: 5, into: body.inputs, results: "body.results", id: ref, failed: error, message: error}
        update: {patch: "/contacts/{{ id }}"}
        find: {get: /contacts, query: {id: "{{ record.id }}"}, id: "body.items[].ref"}
""",
    "plain": """
        id: body.ref
        create: {post: /contacts}
        update: {patch: "/contacts/{{ id }}"}
""",
}

_CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: crm-api}
spec:
  version: 1.0.0
  title: A CRM that is written to
  config: {properties: {url: {type: string, format: uri}}, required: [url]}
  http:
    url: "{{ config.url }}"
    retry: {on: [5xx, timeout, connection], attempts: 2, backoff: {initial: 10ms, max: 20ms}}
  check: {get: /contacts}
  streams:
    contacts:
      get: /contacts
      records: items[]
      key: [id]
      write:WAY
      schema:
        properties:
          id: {type: integer}
          name: {type: string}
          email: {type: string, x-class: pii.email}
          balance: {type: number}
          born: {type: string, format: date}
"""

_SYNC = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: sales, tenant: acme}
spec: {connector: crm-api@^1, config: {url: "URL"}}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: customers, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: sales/contacts, read: full, write: MODE}
"""


def repository(url: str, way: str, *, write: str = "upsert") -> dict[str, str]:
    """The manifests."""
    return {
        "tenant.yaml": TENANT,
        "source.yaml": SOURCE,
        "mapping.yaml": MAPPING,
        "connector.yaml": _CONNECTOR.replace("WAY", WAYS[way].rstrip()),
        "sync.yaml": _SYNC.replace("URL", url).replace("MODE", write),
    }


def contacts(url: str) -> list[Any]:
    """What the API holds, in the order of our ids; a record that is there twice shows twice."""
    with urllib.request.urlopen(f"{url}/contacts", timeout=120) as answer:  # noqa: S310 - a server of the test
        items = json.loads(answer.read())["items"]
    return sorted(({k: v for k, v in item.items() if k != "ref"} for item in items), key=json.dumps)


def control(url: str, what: str) -> None:
    """Tells the API to forget everything (`reset`), to remember how it is (`keep`) or to be so again (`back`)."""
    request = urllib.request.Request(f"{url}/__{what}", data=b"", method="POST")  # noqa: S310 - likewise
    urllib.request.urlopen(request, timeout=120).close()  # noqa: S310 - likewise
