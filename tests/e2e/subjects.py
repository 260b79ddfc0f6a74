"""People in a house whose flows have run: customers and visitors, one of whom is to be found and erased."""

from __future__ import annotations

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.subject import Subject
from tests.e2e import house

ADA = Subject("customer", "Ada@example.com")

DATA = """\
id,name,email,balance,born
1,Ada,Ada@example.com,1.00,1990-01-01
2,Bob,bob@example.com,2.00,1991-01-01
3,Ada again,ada@example.com,"1,000",1990-01-01
4,Eve,eve@example.com,"1,000",1992-01-01
"""

MAPPING = house.MAPPING.replace("spec:\n  key: [id]", "spec:\n  key: [id]\n  subject: {customer: email}").replace(
    "from: email,", "from: lower(email),"
)

HASHED = """\
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: visitor, tenant: acme}
spec:
  key: [id]
  subject: {customer: who}
  fields:
  - {to: id, from: id, type: integer}
  - {to: who, from: lower(email), protect: {hash: tenant}}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: visitors, tenant: acme}
spec: {from: crm/customers, mapping: visitor, to: warehouse/visitors, read: full, write: upsert}
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from syncline import privacy
from syncline.executor.privacy import erasure
from syncline.model.subject import Subject
from tests.e2e import house

real, at = erasure.erase_rows, sys.argv[2]

def killed(*args):
    if at == "after the rows":
        real(*args)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(erasure, "erase_rejects" if at == "before the rejects" else "erase_rows", killed)
privacy.erase(house.settings_of(Path(sys.argv[1])), "acme", Subject("customer", "Ada@example.com"), lambda _: None)
"""


def lived_in(root, scenario, tenant=house.TENANT):
    """A house whose flows have run over the four customers, one of them twice there and one of those rejected."""
    texts = scenario.texts | {"mapping.yaml": MAPPING + HASHED, "tenant.yaml": tenant}
    settings = house.build(root, texts)
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text(DATA)
    workflow.apply(settings)
    for applied in workflow.objects(settings):
        if applied.key.kind in {"Sync", "Import"}:
            workflow.run(settings, applied.key, progress=Silent())
    return settings


def emails(settings, scenario):
    """The addresses of the customers that were written."""
    return sorted(str(row[2]) for row in house.rows(settings.root, scenario))


def rejects(settings):
    """The records that runs set aside."""
    return [reject.record for run in workflow.runs(settings, None, 20) for reject in workflow.rejects(settings, run.id)]
