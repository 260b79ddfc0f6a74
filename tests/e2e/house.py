"""A small house for end-to-end tests: a configuration repository, its data, and what is seen of it from outside.

The flow is `acme/Sync/customers`, or the import of that name; scenarios differ in where it writes to and how. `outcome` is what must be the
same however often a run was killed: no run ids, no times.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import load_signer, log_verifier
from syncline.audit.verify import verify
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.services.facilities import audit_origin
from syncline.model.key import ObjectKey
from syncline.settings import Settings, read_settings
from tests import repository
from tests.look import Look, copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLOW = ObjectKey("acme", "Sync", "customers")
TABLE = "customers"

MAPPING = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: name, from: name}
  - {to: email, from: email, check: {format: email}}
  - {to: balance, from: balance, type: "decimal(12,2)"}
  - {to: born, from: born, type: date}
"""

TENANT = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {egress: {private: [127.0.0.1]}}
"""

SOURCE = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm, tenant: acme}
spec:
  connector: file@^1
  config: {root: data}
  streams: {customers: {files: "customers*.csv", key: [id]}}
"""

#: Another flow that writes the same table, to be put after a manifest.
COPIES = """\
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: copies, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: warehouse/customers, read: full, write: upsert}
"""

SQLITE = "connector: sqlite@^1\n  config: {path: warehouse.db}"
DUCKDB = "connector: duckdb@^1\n  config: {path: warehouse.duckdb}"

POSTGRES_LOGIN = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: warehouse, tenant: acme}
spec: {type: basic, username: USER, password: {secretRef: {provider: env, key: WAREHOUSE_PASSWORD}}}
---
"""


@dataclass(frozen=True)
class Scenario:
    """Where the flow writes to (`sqlite`, `parquet`, `jsonl`, or a PostgreSQL URL with a schema) and how. With `api`, it reads from there;
    with `sink`, it writes to that API, in a `way` of `tests.e2e.writing`. With `deletes`, it reads the feed of
    `tests.e2e.deleting` at `api`, which has tombstones; with `jobs`, what jobs of `tests.e2e.exporting` prepare there. With `absent`,
    it deletes what a read lacks. With `windows`, it reads the report of `tests.e2e.reporting` at `api`, quarter by quarter.
    With a `rule`, a table that has it is there before, in PostgreSQL.
    """

    write: str
    destination: str = "sqlite"
    schema: str = ""
    kind: str = "Sync"
    api: str = ""
    sink: str = ""
    way: str = ""
    deletes: str = ""
    jobs: str = ""
    windows: str = ""
    absent: str = ""
    rule: str = ""

    @property
    def table(self) -> str:
        """The table or folder that it writes to."""
        return "tickets" if self.api else TABLE

    @property
    def key(self) -> ObjectKey:
        """The flow."""
        return ObjectKey("acme", self.kind, self.table)

    @property
    def texts(self) -> dict[str, str]:
        """The manifests."""
        if self.deletes:
            from tests.e2e.deleting import repository as deleting

            return deleting(self.api, self.deletes, self.sink, self.way) | (
                {} if self.sink else {"warehouse.yaml": self._warehouse()}
            )
        if self.jobs:
            from tests.e2e.exporting import repository as exporting

            return exporting(self.api, self.jobs, write=self.write)
        if self.windows:
            from tests.e2e.reporting import repository as reporting

            return reporting(self.api, write=self.write)
        if self.api:
            from tests.e2e.api import helpdesk

            return helpdesk(self.api, write=self.write, read="incremental")
        if self.sink:
            from tests.e2e.writing import repository as writing

            return writing(self.sink, self.way, write=self.write)
        how = "read: full" if self.kind == "Sync" else "validate: before-commit"
        how += ", absent: delete, guards: {maxDeletes: 60%}" if self.absent else ""
        spec = f"{{from: crm/customers, mapping: customer, to: warehouse/{TABLE}, {how}, write: {self.write}}}"
        head = f"apiVersion: syncline/v1\nkind: {self.kind}\nmetadata: {{name: customers, tenant: acme}}\n"
        return {
            "tenant.yaml": TENANT,
            "source.yaml": SOURCE,
            "mapping.yaml": MAPPING,
            "warehouse.yaml": self._warehouse(),
            "sync.yaml": f"{head}spec: {spec}\n",
        }

    def _warehouse(self) -> str:
        return warehouse(self.destination, self.schema)


def warehouse(destination: str, schema: str = "") -> str:
    """
    The manifests of an integration to write to: `sqlite`, `duckdb`, `parquet`, `jsonl`, the URL of a MariaDB database, or a
    PostgreSQL URL with a schema.
    """
    head = "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: warehouse, tenant: acme}\nspec:\n  "
    match destination:
        case "sqlite":
            return head + SQLITE + "\n"
        case "duckdb":
            return head + DUCKDB + "\n"
        case "parquet" | "jsonl":
            return f"{head}connector: file@^1\n  config: {{root: lake, format: {destination}}}\n"
        case url:
            parts = urlsplit(url)
            login = POSTGRES_LOGIN.replace("USER", parts.username or "postgres")
            if parts.scheme == "mariadb":
                place = f"mariadb://{parts.hostname}:{parts.port or 3306}{parts.path}"
                return f"{login}{head}connector: mariadb@^1\n  auth: warehouse\n  config: {{url: {place!r}}}\n"
            place = f"postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"
            config = f"{{url: {place!r}, schema: {schema}}}"
            return f"{login}{head}connector: postgresql@^1\n  auth: warehouse\n  config: {config}\n"


def settings_of(root: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of a house, with the password that its warehouse may need."""
    return read_settings(root, {"SYNCLINE_ACTOR": "tests", "WAREHOUSE_PASSWORD": "postgres", **(environ or {})})


def build(root: Path, texts: Mapping[str, str]) -> Settings:
    """Writes the manifests; settings for them."""
    repository.write(root, texts)
    return settings_of(root)


def line(n: int, generation: int = 1) -> str:
    """One customer as CSV. Every 7th has no valid e-mail address, every 11th a balance that isn't a number."""
    email = "nowhere" if n % 7 == 0 else f"c{n}@example.com"
    balance = "1,000" if n % 11 == 0 else f"{n * generation}.{n % 100:02d}"
    return f'{n},"Name {n}, {generation}",{email},"{balance}",19{n % 90 + 10}-02-{n % 28 + 1:02d}'


def customers(root: Path, rows: int, generation: int = 1, *, malformed: bool = True) -> Path:
    """A CSV of customers, with rejects, a line of too many columns (`malformed`) and a customer who is there twice."""
    path = root / "data" / "customers.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [line(n, generation) for n in range(1, rows + 1)]
    if malformed:
        lines.insert(rows // 2, "1,2,3,4,5,6,7")
    lines.append(line(rows, generation))
    path.write_text("id,name,email,balance,born\n" + "\n".join(lines) + "\n")
    return path


# --- what is seen from outside ---------------------------------------------------------------------------------------


def rows(root: Path, scenario: Scenario) -> list[Any] | None:
    """The rows of the destination in the order they lie there; None where there is no table."""
    if scenario.sink:
        from tests.e2e.writing import contacts

        return contacts(scenario.sink)
    match scenario.destination:
        case "sqlite":
            found = _sqlite_rows(root / "warehouse.db", scenario.table)
        case "duckdb":
            found = _duckdb_rows(root / "warehouse.duckdb", scenario.table)
        case "parquet" | "jsonl":
            return list(_file_rows(root / "lake" / TABLE))
        case url if url.startswith("mariadb:"):
            found = _mariadb_rows(url, scenario.table)
        case url:
            found = _postgres_rows(url, scenario.schema, scenario.table)
    # Of the last column of a soft delete, only whether it is there: the time is the run's.
    return [[*row[:-1], row[-1] is not None] for row in found] if found and scenario.deletes == "soft" else found


def _sqlite_rows(path: Path, table: str) -> list[Any] | None:
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchall():
            return None
        return [list(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]


def _duckdb_rows(path: Path, table: str) -> list[Any] | None:
    if not path.exists():
        return None
    import duckdb

    with closing(duckdb.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = $1", [table]).fetchall():
            return None
        return [[str(value) for value in row] for row in connection.execute(f"SELECT * FROM {table}").fetchall()]


def mariadb(url: str) -> Any:
    """A connection to the database of a URL, as its user."""
    import pymysql

    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:] or None,
        autocommit=True,
    )


def _mariadb_rows(url: str, table: str) -> list[Any] | None:
    with closing(mariadb(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        if (table,) not in cursor.fetchall():
            return None
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")
        return [[str(value) for value in row] for row in cursor.fetchall()]


def _postgres_rows(url: str, schema: str, table: str) -> list[Any] | None:
    import psycopg

    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass(%s)", (f'"{schema}".{table}',)).fetchall() == [(None,)]:
            return None
        found = connection.execute(f'SELECT * FROM "{schema}".{table} ORDER BY id, {table}::text').fetchall()
        return [[None if value is None else str(value) for value in row] for row in found]


def _file_rows(folder: Path) -> Iterator[Any]:
    listing = folder / "_syncline.json"
    if not listing.exists():
        return
    for part in json.loads(listing.read_text())["parts"]:
        path = folder / part["file"]
        if path.suffix == ".jsonl":
            yield from path.read_text().splitlines()
        else:
            import pyarrow.parquet as pq

            yield from ({k: str(v) for k, v in row.items()} for row in pq.read_table(path).to_pylist())


def _removed(url: str) -> int:
    """How many records an API has deleted."""
    import urllib.request

    with urllib.request.urlopen(f"{url}/__removed", timeout=120) as answer:  # noqa: S310 - a server of the test
        return int(answer.read())


def _tally(url: str) -> dict[str, int]:
    from tests.e2e.exporting import tally

    return tally(url)


def audit_ok(settings: Settings) -> bool:
    """Whether the audit log verifies."""
    if not settings.audit.exists():
        return True
    origin = audit_origin(Look(settings.state_url).lineage)
    return verify(DirectoryFetcher(settings.audit), origin, [log_verifier(settings)]).ok


def audit_events(settings: Settings) -> list[dict[str, Any]]:
    """The audit log's entries, in order."""
    from syncline.audit.log import AuditLog

    origin = audit_origin(Look(settings.state_url).lineage)
    return [json.loads(entry) for entry in AuditLog.open(settings.audit, load_signer(settings), origin).read()]


def accounted(settings: Settings, scenario: Scenario) -> bool:
    """Whether the last receipt says what became of every row, or says that it can't."""
    from syncline import workflow

    last = Look(settings.state_url).runs(scenario.key)[0].id
    receipt = workflow.find_run(settings, last).receipt or {}
    counts = receipt["counts"]
    did = sum(counts[n] for n in ("inserted", "updated", "unchanged", "deleted"))
    return counts["written"] == did or bool(receipt["notes"])


def outcome(settings: Settings, scenario: Scenario) -> dict[str, Any]:
    """The table, the last run, its rejects and its cursor, as plain data."""
    from syncline import workflow

    reader = Look(settings.state_url)
    runs = reader.runs(scenario.key)
    last = runs[0]
    receipt = last.receipt or {}
    counts = receipt.get("counts", {})
    cursor = copy_of(settings, scenario.key)
    rejects = [[r.place, r.field, r.rule, r.value, r.message, r.record] for r in workflow.rejects(settings, last.id)]
    return {
        "rows": rows(settings.root, scenario),
        "state": str(last.state),
        "open": [str(run.state) for run in runs if str(run.state) in {"Pending", "Running", "Interrupted"}],
        "finished": sum(run.receipt is not None for run in runs),
        "totals": {name: counts.get(name) for name in ("read", "written", "rejected", "skipped", "deleted", "absent")},
        "digests": [receipt.get("read_digest"), receipt.get("written_digest")],
        "batches": receipt.get("batches"),
        "files": receipt.get("file_counts"),
        "rejects": rejects,
        "position": Checkpoint.loads(cursor).position if cursor else None,
        "audit": audit_ok(settings),
        "accounted": accounted(settings, scenario),
        "jobs": _tally(scenario.api) if scenario.jobs else None,
        "removed": _removed(scenario.sink) if scenario.sink and scenario.deletes else None,
    }
