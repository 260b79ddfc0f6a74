"""Planning 1,000 objects against an unchanged state: loads, resolves, compiles, checks policy, reads the state, diffs.

python benchmarks/plan_1000.py [OBJECTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from syncline import workflow
from syncline.settings import read_settings

SHARED = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: files, tenant: acme}
spec:
  connector: file@^1
  config: {root: data}
  streams: {orders: {files: "*.csv"}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, config: {path: warehouse.db}}
"""

PAIR = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: order-%(n)d, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: name, from: "join(' ', [first, last])"}
  - {to: email, from: lower(email), check: {format: email}, class: pii.email}
  - {to: total, from: total, type: "decimal(12,2)"}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: order-%(n)d, tenant: acme}
spec: {from: files/orders, mapping: order-%(n)d, to: warehouse/orders_%(n)d}
"""


def main(objects: int) -> None:
    """Prints the first plan's, the apply's and the unchanged plan's seconds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "shared.yaml").write_text(SHARED)
        for n in range((objects - 3) // 2):
            (root / f"order-{n}.yaml").write_text(PAIR % {"n": n})
        settings = read_settings(root, {})
        marks = [time.perf_counter()]
        first = workflow.plan(settings)
        marks.append(time.perf_counter())
        workflow.apply(settings, first)
        marks.append(time.perf_counter())
        again = workflow.plan(settings)
        marks.append(time.perf_counter())
        assert again.empty
        names = ("first plan", "apply", "plan of no change")
        for name, start, end in zip(names, marks, marks[1:], strict=False):
            print(f"{name:20} {end - start:6.2f} s   {len(first.changes)} objects")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
