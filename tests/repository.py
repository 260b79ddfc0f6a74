"""Configuration repositories for tests: small, valid, and changed by one edit at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from syncline.manifests.desired import Desired

TENANT = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec:
  residency:
  - {classes: [pii.*], regions: [eu-*], unless: [drop, hash]}
"""

FILES = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm, tenant: acme}
spec:
  connector: file@^1
  region: eu-west
  config: {root: data}
  streams: {customers: {files: "customers*.csv", key: [id]}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, region: eu-west, config: {path: warehouse.db}}
"""

MAPPING = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: name, from: name}
  - {to: email, from: email, class: pii.email, check: {format: email}}
"""

IMPORT = """\
apiVersion: syncline/v1
kind: Import
metadata: {name: customers, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: warehouse/customers, write: upsert}
"""

#: File name → text of a repository that imports customers from CSV into SQLite.
CUSTOMERS = {"tenant.yaml": TENANT, "files.yaml": FILES, "mapping.yaml": MAPPING, "import.yaml": IMPORT}


def edited(file: str, before: str, after: str, base: Mapping[str, str] = CUSTOMERS) -> dict[str, str]:
    """The repository with one text replaced in one file."""
    assert before in base[file]
    return {**base, file: base[file].replace(before, after)}


def desired(texts: Mapping[str, str]) -> Desired:
    """What the texts declare; they must be valid."""
    loaded = [load_text(text, file) for file, text in texts.items()]
    findings = [d for result in loaded for d in result.diagnostics]
    resolved = resolve([m for result in loaded for m in result.manifests])
    assert not findings
    assert not [d for d in resolved.diagnostics if d.severity == "error"]
    return resolved.desired


def write(root: Path, texts: Mapping[str, str]) -> Settings:
    """Writes the repository into a folder, replacing the YAML files that are there; settings for it."""
    root.mkdir(parents=True, exist_ok=True)
    for old in root.glob("*.yaml"):
        old.unlink()
    for file, text in texts.items():
        (root / file).write_text(text)
    return read_settings(root, {"SYNCLINE_ACTOR": "tests"})


def customers(root: Path, rows: int, *, start: int = 1, bad: tuple[int, ...] = ()) -> Path:
    """A CSV of customers; the rows whose number is in `bad` have no valid e-mail address."""
    path = root / "data" / "customers.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["id,name,email"]
    numbers = range(start, start + rows)
    lines += [f"{n},Name {n},{'broken' if n in bad else f'c{n}@example.com'}" for n in numbers]
    path.write_text("\n".join(lines) + "\n")
    return path
