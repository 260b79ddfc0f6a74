"""
A configuration repository that syncs from a system into SQLite or PostgreSQL, driven through the command line as people do.

`tests/peers/connectors/*.yaml` are the connectors. A `Flow` is a mapping and a sync of one stream. Whatever a command
printed is kept, so that `House.proved` can say at the end that the audit log verifies and that no secret got out.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psycopg
import yaml
from click.testing import CliRunner

from syncline.cli.main import main
from syncline.connectors.sql.ledger import CHECKPOINTS
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.model.key import ObjectKey
from tests import repository
from tests.e2e.api import syncline
from tests.e2e.house import TENANT, settings_of, warehouse
from tests.look import copy_of

#: The password of a PostgreSQL warehouse, which is no secret.
LOGIN = {"WAREHOUSE_PASSWORD": "postgres"}
CONNECTORS = Path(__file__).with_name("connectors")


@dataclass(frozen=True)
class Flow:
    """
    A sync of a stream into a table of the same name, or, `to_api`, of `House.give`'s rows into the stream.

    `fields` are a mapping's fields, as YAML in one line each.
    """

    stream: str
    fields: Sequence[str]
    key: str = "id"
    read: str = "full"
    write: str = "upsert"
    extra: str = ""
    to_api: bool = False

    @property
    def manifests(self) -> str:
        """The mapping and the sync."""
        name = self.stream.replace("_", "-")
        source, target = ("api", "warehouse") if not self.to_api else ("files", "api")
        read = self.stream if not self.to_api else "rows"
        fields = "".join(f"  - {{{line}}}\n" for line in self.fields)
        return (
            f"apiVersion: syncline/v1\nkind: Mapping\nmetadata: {{name: {name}, tenant: acme}}\n"
            f"spec:\n  key: [{self.key}]\n  fields:\n{fields}---\n"
            f"apiVersion: syncline/v1\nkind: Sync\nmetadata: {{name: {name}, tenant: acme}}\n"
            f"spec: {{from: {source}/{read}, mapping: {name}, to: {target}/{self.stream}, "
            f"read: {self.read}, write: {self.write}{self.extra}}}\n"
        )


@dataclass(frozen=True)
class Warehouse:
    """Where a house writes to: a file of SQLite, or a schema of a PostgreSQL database."""

    url: str = ""
    schema: str = ""

    @property
    def manifests(self) -> str:
        """The integration, and its login."""
        return warehouse(self.url or "sqlite", self.schema)

    def rows(self, root: Path, select: str) -> list[Any]:
        """What a query gives."""
        if self.url:
            with psycopg.connect(self.url, options=f"-c search_path={self.schema}") as connection:
                return connection.execute(select.encode()).fetchall()
        with closing(sqlite3.connect(root / "warehouse.db")) as connection:
            return connection.execute(select).fetchall()

    def has(self, root: Path, name: str) -> bool:
        """Whether there is a table of that name."""
        if self.url:
            return self.rows(root, f"SELECT to_regclass('{name}')") != [(None,)]
        found = f"SELECT 1 FROM sqlite_schema WHERE name = '{name}'"
        return (root / "warehouse.db").exists() and bool(self.rows(root, found))


@dataclass
class House:
    """
    A repository on disk; `secrets` are variables of its commands, and nowhere else.

    Commands are processes, or `quick` calls of the command line in this process.
    """

    root: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False
    warehouse: Warehouse = Warehouse()
    printed: list[str] = field(default_factory=list)

    def command(self, *args: str) -> CompletedProcess[str]:
        """Runs a command to its end, however it ends."""
        done = self._inside(*args) if self.quick else syncline(self.root, *args, extra={**LOGIN, **self.secrets})
        self.printed += [done.stdout, done.stderr]
        return done

    def _inside(self, *args: str) -> CompletedProcess[str]:
        with CliRunner(env={"SYNCLINE_ACTOR": "tests", **LOGIN, **self.secrets}).isolation() as (out, err, _):
            code = main(["--root", str(self.root), *args])
            return CompletedProcess(args, code, out.getvalue().decode(), err.getvalue().decode())

    def ok(self, *args: str) -> str:
        """The output of a command that has to succeed."""
        done = self.command(*args)
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, stream: str, *args: str) -> dict[str, int]:
        """What a run of a sync counted: read, inserted, updated, unchanged, rejected."""
        name = stream.replace("_", "-")
        return dict(json.loads(self.ok("run", f"acme/Sync/{name}", "--output", "json", *args))["counts"])

    def give(self, *rows: Mapping[str, Any]) -> None:
        """The rows that a flow to the API reads from now on; all of the same columns."""
        (self.root / "data").mkdir(exist_ok=True)
        with (self.root / "data" / "rows.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def fails(self, stream: str) -> str:
        """The error text of a run that has to fail."""
        done = self.command("run", f"acme/Sync/{stream.replace('_', '-')}")
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    def rows(self, select: str) -> list[Any]:
        """Rows of the warehouse."""
        return self.warehouse.rows(self.root, select)

    def position(self, stream: str) -> Any:
        """The position that the last run left, or None."""
        known = self.known(stream)
        return known.position if known else None

    def known(self, stream: str) -> Checkpoint | None:
        """The checkpoint that the state has a copy of."""
        cursor = copy_of(settings_of(self.root), ObjectKey("acme", "Sync", stream.replace("_", "-")))
        return Checkpoint.loads(cursor) if cursor else None

    def committed(self, stream: str) -> Checkpoint | None:
        """The checkpoint that is committed in the warehouse, together with the rows that it speaks of."""
        if not self.tables(CHECKPOINTS):
            return None
        flow = f"acme/Sync/{stream.replace('_', '-')}"
        found = [row for row in self.rows(f"SELECT flow, checkpoint FROM {CHECKPOINTS}") if row[0] == flow]
        return Checkpoint.loads(found[0][1]) if found else None

    def tables(self, name: str) -> bool:
        """Whether the warehouse has a table of that name."""
        return self.warehouse.has(self.root, name)

    def proved(self) -> None:
        """The audit log verifies, and no secret is in what was printed or in any file."""
        self.ok("audit", "verify")
        canaries = [value for value in self.secrets.values() if len(value) > 7]
        found = [text for text in self.printed if any(canary in text for canary in canaries)]
        files = [path for path in self.root.rglob("*") if path.is_file()]
        found += [str(path) for path in files if any(canary.encode() in path.read_bytes() for canary in canaries)]
        assert not found


def house(
    root: Path,
    connector: str,
    config: Mapping[str, Any],
    *flows: Flow,
    auth: str = "",
    secrets: Mapping[str, str] | None = None,
    limits: str = "{}",
    more: str = "",
    quick: bool = False,
    warehouse: Warehouse = Warehouse(),
) -> House:
    """
    A house whose flows are applied.

    `connector` is a file of `connectors/`, or the text of one. `auth` is the spec of an AuthConfig, in YAML; its
    secrets are in `secrets`, by the names that it asks of the environment. `more` are fields of the Integration.
    """
    text = connector if "\n" in connector else (CONNECTORS / f"{connector}.yaml").read_text()
    name = yaml.safe_load(text)["metadata"]["name"]
    spec = f"{{connector: {name}@^1, config: {json.dumps(dict(config))}, limits: {limits}"
    spec += f"{', auth: api' if auth else ''}{f', {more}' if more else ''}}}"
    integration = f"apiVersion: syncline/v1\nkind: Integration\nmetadata: {{name: api, tenant: acme}}\nspec: {spec}\n"
    files = (
        "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: files, tenant: acme}\n"
        f"spec: {{connector: file@^1, config: {{root: data}}, streams: {{rows: {{files: rows.csv, key: [{flows[0].key}]}}}}}}\n"
    )
    texts = {
        "files.yaml": files,
        "tenant.yaml": TENANT,
        "connector.yaml": text,
        "integration.yaml": integration,
        "warehouse.yaml": warehouse.manifests,
        "flows.yaml": "---\n".join(flow.manifests for flow in flows),
    }
    if auth:
        head = "apiVersion: syncline/v1\nkind: AuthConfig\nmetadata: {name: api, tenant: acme}\n"
        texts["auth.yaml"] = f"{head}spec: {auth}\n"
    repository.write(root, texts)
    made = House(root, dict(secrets or {}), quick, warehouse)
    made.ok("apply", "--yes")
    return made
