"""A repository whose source is an HTTP API, and the command line as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests import warm
from tests.e2e.house import SQLITE, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec:
  version: 1.0.0
  title: Helpdesk
  auth: [none, bearer, basic, api_key]
  config: {properties: {url: {type: string, format: uri}}, required: [url]}
  http:
    url: "{{ config.url }}"
    retry: {on: [5xx, timeout, connection], attempts: 2, backoff: {initial: 10ms, max: 20ms}}
  check: {get: /me}
  streams:
    tickets:
      get: /tickets
      records: data[]
      key: [id]
      page: {cursor: next, into: query.cursor}
      cursor: {field: id, type: integer, into: {query.after: start}}
      schema:
        required: [id]
        properties:
          id: {type: integer}
          title: {type: string}
          hours: {type: number}
"""

SYNC = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: helpdesk, tenant: acme}
spec: {connector: helpdesk@^1, AUTHconfig: {url: "URL"}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: ticket, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: title, from: title, check: {maxLength: 100}}
  - {to: hours, from: hours, type: "decimal(8,2)"}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: tickets, tenant: acme}
spec: {from: helpdesk/tickets, mapping: ticket, to: warehouse/tickets, read: READ, write: WRITE}
"""

WAREHOUSE = (
    f"apiVersion: syncline/v1\nkind: Integration\nmetadata: {{name: warehouse, tenant: acme}}\nspec:\n  {SQLITE}\n"
)

TICKETS = "acme/Sync/tickets"


def helpdesk(url: str, *, write: str = "upsert", read: str = "full", auth: str = "") -> dict[str, str]:
    """A repository that syncs tickets into SQLite. `auth` is the spec of an AuthConfig."""
    sync = (
        SYNC.replace("URL", url)
        .replace("WRITE", write)
        .replace("READ", read)
        .replace("AUTH", "auth: helpdesk, " if auth else "")
    )
    texts = {"tenant.yaml": TENANT, "connector.yaml": CONNECTOR, "sync.yaml": sync, "warehouse.yaml": WAREHOUSE}
    if auth:
        texts["auth.yaml"] = (
            f"apiVersion: syncline/v1\nkind: AuthConfig\nmetadata: {{name: helpdesk, tenant: acme}}\nspec: {auth}\n"
        )
    return texts


def environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command, without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLINE_")}
    return {**kept, "SYNCLINE_ACTOR": "tests", "PYTHONPATH": str(Path(__file__).parents[2]), **(extra or {})}


def syncline(root: Path, *args: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command line to its end."""
    command = [sys.executable, "-m", "syncline", *args]
    return warm.run(command, cwd=root, env=environ(extra), capture_output=True, text=True, timeout=300, check=False)


@contextmanager
def started(root: Path, *args: str, extra: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command line that goes on; killed at the end of the block if it is still there."""
    command = [sys.executable, "-m", "syncline", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with warm.Popen(command, cwd=root, env=environ(extra), **pipes) as process:
        try:
            yield process
        finally:
            process.kill()
