"""What names refer to: as the kinds' own references have it, for manifests that are whole."""

from __future__ import annotations

import pytest

from syncline.editor.cursor import spot_at
from syncline.editor.references import declared_at, kinds_at
from syncline.kinds import KIND_BY_NAME
from syncline.manifests.load import load_text
from tests.repository import CUSTOMERS, desired

MORE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: nightly, tenant: acme}
spec: {run: [Import/customers], on: {event: run.finish, of: [Import/customers]}}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {name: told, tenant: acme}
spec: {on: [run.finish], do: {notify: {integration: chat}}}
---
apiVersion: syncline/v1
kind: Policy
metadata: {name: rules}
spec: {packs: [gdpr]}
---
apiVersion: syncline/v1
kind: Tenant
metadata: {name: globex}
spec: {policies: [gdpr]}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: desk, tenant: acme}
spec: {connector: helpdesk@^1, auth: desk}
"""


def test_what_may_be_referred_to_is_what_is_referred_to():
    """Of every kind, each reference stands where the kind says so, and means a kind that it says; and no place is idle."""
    texts = [*CUSTOMERS.values(), MORE, *(kind.example for kind in KIND_BY_NAME.values())]
    manifests = [manifest for text in texts for manifest in load_text(text, "x.yaml").manifests]
    seen: set[tuple[str, str]] = set()
    for manifest in manifests:
        kind = KIND_BY_NAME[manifest.key.kind]
        for reference in kind.references(manifest.spec):
            field = ".".join(step for step in reference.path[1:] if isinstance(step, str))

            assert reference.kind in kind.refers[field]
            assert kinds_at(kind.name, reference.path) == kind.refers[field]

            seen.add((kind.name, field))

    assert seen == {(kind.name, field) for kind in KIND_BY_NAME.values() for field in kind.refers}


@pytest.mark.parametrize(
    ("text", "key", "path"),
    [
        ("mapping: customer", "acme/Mapping/customer", "mapping.yaml:3:18"),
        ("from: crm/customers", "acme/Integration/crm", "files.yaml:8:13"),
        ("to: warehouse/customers", "acme/Integration/warehouse", "files.yaml:12:18"),
    ],
)
def test_a_name_leads_to_what_it_means(text, key, path):
    """An object to its name, a stream that is declared to its declaration."""
    content = CUSTOMERS["import.yaml"]
    line = next(n for n, line in enumerate(content.splitlines()) if text in line)
    spot = spot_at(content, line, content.splitlines()[line].index(text) + len(text) - 1)
    assert spot is not None
    found = declared_at(spot, [desired(CUSTOMERS)])

    assert found is not None
    assert str(found[0].key) == key
    assert str(found[1]) == path
