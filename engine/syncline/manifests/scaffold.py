"""What `syncline init` writes: a small configuration repository that validates, plans and runs as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from syncline.manifests.schema import SCHEMA_FILE, export, modeline
from syncline.model.diagnostic import Diagnostic, Place
from syncline.model.errors import Invalid

_README: Final = """\
# Data integrations of acme

What flows where, declared in YAML and run by Syncline.

    syncline validate            # every finding, with its place
    syncline plan                # what would change, and what that means for data
    syncline apply               # record it
    syncline run Import/customers

| folder | holds |
|---|---|
| `tenants/` | whose data it is, and where it may be |
| `policies/` | rules that every change must keep |
| `integrations/` | the systems: where they are, how to reach them |
| `mappings/` | how source records become target records, with their own tests |
| `imports/` | which stream goes through which mapping to which table |
| `data/` | a sample export |

Secrets are references (`secretRef`), never values. Local state is in `.syncline/` and what is imported in `warehouse/`;
Git ignores both. Editors with a YAML language server complete and check fields by `.vscode/syncline.schema.json`; after
an update of Syncline write it again with `syncline schema export --out .vscode/syncline.schema.json`.
"""

_TENANT: Final = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec:
  title: Acme GmbH
  regions: [eu-*]
  residency:
  # Personal data stays in the EU, unless it is dropped or hashed on the way.
  - {classes: [pii.*], regions: [eu-*], unless: [drop, hash]}
"""

_POLICY: Final = """\
apiVersion: syncline/v1
kind: Policy
metadata: {name: house-rules}
spec:
  title: House rules
  rules:
  - name: team-label
    on: manifest
    kinds: [Sync, Import]
    require: "'team' in object.labels"
    message: Every sync and import names the team that answers for it, in the label team.
"""

_CRM: Final = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm-export, tenant: acme}
spec:
  connector: file@^1
  region: eu-west
  config: {root: data}
  streams:
    customers:
      files: customers*.csv
      key: [customer_no]
"""

_WAREHOUSE: Final = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec:
  connector: sqlite@^1
  region: eu-west
  config: {path: warehouse/acme.db}
"""

_MAPPING: Final = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec:
  description: A row of the CRM's export to a customer.
  key: [id]
  fields:
  - {to: id, from: customer_no, type: integer, required: true}
  - {to: name, from: full_name, required: true, class: pii.name}
  - {to: email, from: email, check: {format: email}, class: pii.email}
  - {to: since, from: created, type: date, format: "%d.%m.%Y"}
  - {to: plan, from: plan, lookup: {A: basic, B: plus, C: pro}, default: basic}
  - {to: balance, from: balance, type: "decimal(12,2)"}
  tests:
  - name: a complete row
    given: {customer_no: "17", full_name: Ada Lovelace, created: 10.12.2023, plan: C, balance: "12.50"}
    expect: {id: 17, name: Ada Lovelace, since: 2023-12-10, plan: pro, balance: "12.50"}
  - name: a broken e-mail address
    given: {customer_no: "18", full_name: Grace Hopper, email: grace(at)example.com}
    reject: email
"""

_IMPORT: Final = """\
apiVersion: syncline/v1
kind: Import
metadata: {name: customers, tenant: acme, labels: {team: revops}}
spec:
  from: crm-export/customers
  mapping: customer
  to: warehouse/customers
  write: upsert
  guards: {maxRejects: 5%}
"""

_CSV: Final = """\
customer_no,full_name,email,created,plan,balance
1,Ada Lovelace,ada@example.com,10.12.2023,C,12.50
2,Grace Hopper,grace@example.com,09.12.2022,B,0.00
3,"Hamilton, Margaret",margaret@example.com,17.08.2021,A,-3.20
4,Annie Easley,annie@example.com,23.04.2020,,101.01
5,Dorothée Pérez,dorothee@example.com,18.12.2019,B,7.00
"""

_WORKFLOW: Final = """\
# Validates every pull request and shows what merging it would change.
name: syncline

on:
  pull_request:

permissions: {}

concurrency:
  group: syncline-${{ github.ref }}
  cancel-in-progress: true

jobs:
  plan:
    name: Validate and plan
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          persist-credentials: false
      - uses: actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0
        with:
          python-version: "3.13"
      - name: Install
        run: pip install syncline
      - name: Validate and plan
        run: syncline ci check
"""

_PRE_COMMIT: Final = """\
repos:
- repo: local
  hooks:
  - id: syncline
    name: syncline validate
    entry: syncline validate
    language: system
    files: \\.(ya?ml|csv)$
    pass_filenames: false
"""

_GITIGNORE: Final = """\
# Local state, keys, logs and rejects
.syncline/

# What imports write
warehouse/

# What checks of pull requests write
syncline-ci/

# Secrets never belong here
.env
*.age-key
"""

_EDITOR: Final = """\
{
  "yaml.schemas": {
    ".vscode/syncline.schema.json": [
      "tenants/*.yaml",
      "policies/*.yaml",
      "integrations/*.yaml",
      "mappings/*.yaml",
      "imports/*.yaml"
    ]
  },
  "yaml.format.enable": false
}
"""

_MODELINE: Final = modeline(f"../{SCHEMA_FILE}") + "\n"


def files() -> dict[str, str]:
    """The contents of a new configuration repository by path."""
    return {
        "README.md": _README,
        "tenants/acme.yaml": _MODELINE + _TENANT,
        "policies/house-rules.yaml": _MODELINE + _POLICY,
        "integrations/crm-export.yaml": _MODELINE + _CRM,
        "integrations/warehouse.yaml": _MODELINE + _WAREHOUSE,
        "mappings/customer.yaml": _MODELINE + _MAPPING,
        "imports/customers.yaml": _MODELINE + _IMPORT,
        "data/customers.csv": _CSV,
        ".gitignore": _GITIGNORE,
        ".github/workflows/syncline.yml": _WORKFLOW,
        ".pre-commit-config.yaml": _PRE_COMMIT,
        ".vscode/settings.json": _EDITOR,
        SCHEMA_FILE: json.dumps(export(), indent=1) + "\n",
    }


def write(directory: Path) -> tuple[Path, ...]:
    """Writes the files into a folder, made if missing. `Invalid`, with nothing written, if one of them is there."""
    contents = files()
    # A folder that Git or an editor has begun is fine; a file that would be replaced is not.
    in_the_way = [name for name in contents if (directory / name).exists() or (directory / name).is_symlink()]
    if in_the_way:
        findings = [Diagnostic("SYN251", f"{name} is there already", Place(name)) for name in in_the_way]
        raise Invalid(
            f"{directory} already has {', '.join(in_the_way)}",
            code="SYN251",
            help="Give an empty folder.",
            diagnostics=findings,
        )
    written: list[Path] = []
    for name, content in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
        written.append(path)
    return tuple(written)
