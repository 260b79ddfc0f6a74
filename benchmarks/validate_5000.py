"""
Loading and checking a repository of 5,000 manifests: CPU and wall seconds, and the share of each part.

    python benchmarks/validate_5000.py [COUNT]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

TENANTS = 50


def manifests(tenant: str, count: int) -> list[tuple[str, str]]:
    """Files of one tenant: an integration pair, then mappings and syncs, half and half."""
    files = [
        (
            f"{tenant}/tenant.yaml",
            f"apiVersion: syncline/v1\nkind: Tenant\nmetadata: {{name: {tenant}}}\nspec: {{title: {tenant}}}\n",
        ),
        (
            f"{tenant}/systems.yaml",
            f"""\
apiVersion: syncline/v1
kind: Integration
metadata: {{name: files, tenant: {tenant}}}
spec:
  connector: file@^1
  region: eu-west
  config: {{root: data}}
  streams:
    customers: {{files: customers-*.csv}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {{name: warehouse, tenant: {tenant}}}
spec: {{connector: sqlite@^1, region: eu-west, config: {{path: warehouse.db}}}}
""",
        ),
    ]
    for number in range((count - 3) // 2):
        fields = "\n".join(
            f"  - {{to: column_{n}, from: source_{n}, type: string, check: {{maxLength: 80}}}}" for n in range(10)
        )
        files.append(
            (
                f"{tenant}/mappings/m{number}.yaml",
                f"""\
apiVersion: syncline/v1
kind: Mapping
metadata: {{name: m{number}, tenant: {tenant}, labels: {{team: revops}}}}
spec:
  description: Customers, version {number}
  key: [id]
  fields:
  - {{to: id, from: id, type: integer, required: true}}
  - to: email
    from: contact.email
    class: pii.email
    check: {{format: email}}
    protect: {{hash: tenant}}
{fields}
  tests:
  - given: {{id: 1, source_1: a}}
    expect: {{id: 1, column_1: a}}
""",
            )
        )
        files.append(
            (
                f"{tenant}/syncs/s{number}.yaml",
                f"""\
apiVersion: syncline/v1
kind: Sync
metadata: {{name: s{number}, tenant: {tenant}, labels: {{team: revops}}}}
spec:
  from: files/customers
  mapping: m{number}
  to: warehouse/customers_{number}
  write: upsert
  guards: {{maxRejects: 1%, maxDeletes: 1%}}
""",
            )
        )
    return files


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for tenant in range(TENANTS):
            for name, content in manifests(f"t{tenant}", count // TENANTS):
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        start = (time.perf_counter(), time.process_time())
        from syncline.manifests.load import load_tree

        loaded = load_tree(root)
        middle = (time.perf_counter(), time.process_time())
        from syncline.manifests.resolve import resolve

        resolved = resolve(loaded.manifests)
        end = (time.perf_counter(), time.process_time())
        assert not loaded.diagnostics, loaded.diagnostics[:3]
        assert not resolved.diagnostics, resolved.diagnostics[:3]
        print(f"{len(loaded.manifests):,} manifests in {len(loaded.files):,} files")
        print(f"load     {middle[0] - start[0]:6.2f} s wall  {middle[1] - start[1]:6.2f} s CPU")
        print(f"resolve  {end[0] - middle[0]:6.2f} s wall  {end[1] - middle[1]:6.2f} s CPU")
        print(f"in all   {end[0] - start[0]:6.2f} s wall  {end[1] - start[1]:6.2f} s CPU")


if __name__ == "__main__":
    main()
