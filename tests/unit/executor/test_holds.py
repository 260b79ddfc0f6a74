"""Legal holds: which of them stand over what a flow wrote or reads, whichever tenant's flow it is."""

from __future__ import annotations

import datetime as dt

import pytest

from syncline.executor.batches.holds import holds_over, told
from syncline.executor.flows.applied import Applied
from syncline.manifests.overlay import declared
from syncline.manifests.resolve import resolve
from syncline.model.key import ObjectKey
from syncline.planner.compiled import compile_flows
from tests import repository
from tests.e2e import house

TODAY = dt.date(2026, 1, 1)
HELD = house.TENANT.replace(
    "spec: {", "spec: {holds: [{flows: [Sync/cust*], reason: case 7 of Acme, owner: legal, until: 2026-06-30}], "
)
MINE, YOURS = ObjectKey("acme", "Sync", "customers"), ObjectKey("globex", "Sync", "customers")


def applied(root, change):
    """Acme, which holds what its flow wrote, and Globex with the same flow; `change` of Globex's manifests."""
    texts = {f"acme-{name}": text for name, text in house.Scenario("upsert").texts.items()} | {"acme-tenant.yaml": HELD}
    for name, text in house.Scenario("upsert").texts.items():
        texts[f"globex-{name}"] = change(text.replace("acme", "globex"))
    repository.write(root, texts)
    desired = resolve(list(declared(root, "").manifests)).desired
    return Applied(0, "", "", {}, desired, compile_flows(desired))


def held(found, key, root, **how):
    return [told(hold) for hold in holds_over(found, found.flows[key], root, how.pop("today", TODAY), **how)]


def test_a_hold_is_over_its_own_flow_for_its_time(tmp_path):
    """With its reason and owner, until its last day; not over a flow of another tenant that writes elsewhere."""
    found = applied(tmp_path, lambda text: text.replace("path: warehouse.db", "path: other.db"))
    assert held(found, MINE, tmp_path) == ["case 7 of Acme (legal, until 2026-06-30)"]
    assert held(found, MINE, tmp_path, today=dt.date(2026, 7, 1)) == []
    assert held(found, YOURS, tmp_path) == []


@pytest.mark.parametrize("path", ["warehouse.db", "./x/../warehouse.db", "WAREHOUSE.db"])
def test_a_flow_of_another_tenant_is_no_way_around_it(tmp_path, path):
    """Where policy lets two tenants write one table, what one holds isn't deleted for the other, nor is why told."""
    found = applied(tmp_path, lambda text: text.replace("path: warehouse.db", f"path: {path}"))
    (said,) = held(found, YOURS, tmp_path)
    assert said.startswith("a legal hold of another tenant")
    assert "case 7" not in said
    assert "2026-06-30" not in said


def test_a_shared_source_is_no_way_around_it(tmp_path):
    """A person isn't erased at a source that both read, for the request of the one that holds nothing."""
    found = applied(tmp_path, lambda text: text.replace("path: warehouse.db", "path: other.db"))
    assert held(found, YOURS, tmp_path, reading=True) == []
    for name in ("acme", "globex"):
        (tmp_path / f"{name}-source.yaml").unlink()
    (tmp_path / "shared.yaml").write_text(house.SOURCE.replace(", tenant: acme", ""))
    desired = resolve(list(declared(tmp_path, "").manifests)).desired
    found = Applied(0, "", "", {}, desired, compile_flows(desired))
    (said,) = held(found, YOURS, tmp_path, reading=True)
    assert said.startswith("a legal hold of another tenant")
