"""Two tenants in one house: neither touches what is the other's."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.executor.batches.rejects import unseal
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid, Stalled
from syncline.model.key import ObjectKey
from syncline.secrets.keys.ring import KeyRing
from tests.e2e.house import Scenario, audit_events, build, customers
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings

MINE, YOURS = ObjectKey("acme", "Sync", "customers"), ObjectKey("globex", "Sync", "customers")


def two_tenants(root: Path) -> dict[str, str]:
    """The same flow for two tenants, each with its own folders; e-mail addresses are hashed."""
    texts = {}
    for tenant in ("acme", "globex"):
        for name, text in Scenario("upsert").texts.items():
            own = text.replace("acme", tenant).replace("root: data", f"root: {tenant}/data")
            own = own.replace("path: warehouse.db", f"path: {tenant}/warehouse.db")
            texts[f"{tenant}-{name}"] = own.replace(
                "{format: email}}", "{format: email}, class: pii.email, protect: {hash: tenant}}"
            )
        customers(root / tenant, 20)
    return texts


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file of a folder with its content."""
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_touches_what_is_its_tenants_only(tmp_path):
    """A run of one tenant leaves folders, keys, runs and cursors of the other as they are."""
    settings = build(tmp_path, two_tenants(tmp_path))
    workflow.apply(settings)
    yours = workflow.run(settings, YOURS, progress=Silent())
    before = fingerprint(tmp_path / "globex"), fingerprint(settings.keys / "tenants")
    mine = workflow.run(settings, MINE, progress=Silent())

    reader = Look(settings.state_url)
    after = fingerprint(settings.keys / "tenants")
    assert fingerprint(tmp_path / "globex") == before[0]
    assert {path: after[path] for path in before[1]} == before[1]
    assert {path.rpartition("/")[2] for path in after} == {"acme.key", "globex.key"}
    assert [r.id for r in reader.runs(YOURS)] == [yours.record.id]
    assert {o.key.tenant for o in reader.objects("acme")} == {"acme"}
    told = [e for e in audit_events(settings) if e["unmapped"]["details"].get("run") == mine.record.id]
    assert {e["metadata"].get("tenant_uid") for e in told} == {"acme"}


def test_rejects_of_a_tenant_open_with_its_key_only(tmp_path):
    """Another tenant's key doesn't open them, not even under their own path; nor does any once the key is destroyed."""
    settings = build(tmp_path, two_tenants(tmp_path))
    workflow.apply(settings)
    run = workflow.run(settings, MINE, progress=Silent()).record.id
    workflow.run(settings, YOURS, progress=Silent())
    (sealed,) = Look(settings.state_url).rejects(run)
    keys = KeyRing.open(settings.keys)
    assert len(unseal(keys, MINE, sealed)) == sealed.count
    assert b"nowhere" not in sealed.blob
    with pytest.raises(Stalled):
        unseal(keys, YOURS, sealed)
    keys.destroy("acme")
    with pytest.raises(Stalled):
        list(workflow.rejects(settings, run))


def test_equal_values_hash_differently_for_each_tenant(tmp_path):
    """What one tenant hashes can't be joined with what another does."""
    settings = build(tmp_path, two_tenants(tmp_path))
    workflow.apply(settings)
    hashes = []
    for key in (MINE, YOURS):
        workflow.run(settings, key, progress=Silent())
        with closing(sqlite3.connect(tmp_path / key.tenant / "warehouse.db")) as connection:
            hashes.append({email for (email,) in connection.execute("SELECT email FROM customers")})
    assert len(hashes[0]) == len(hashes[1]) > 10
    assert not hashes[0] & hashes[1]


def _apply_and_run(settings: Settings) -> None:
    workflow.apply(settings)
    workflow.run(settings, YOURS, progress=Silent())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('files: "customers*.csv"', 'files: "../../acme/data/*.csv"'),
        ("path: globex/warehouse.db", "path: ../warehouse.db"),
    ],
)
def test_a_path_that_leads_out_is_refused(tmp_path, before, after):
    """A pattern doesn't leave the root of its integration, nor a database the repository."""
    root = tmp_path / "house"
    texts = {
        name: text.replace(before, after) if "globex" in name else text for name, text in two_tenants(root).items()
    }
    assert texts != two_tenants(root)
    settings = build(root, texts)
    with pytest.raises(Invalid):
        _apply_and_run(settings)
    assert not list(tmp_path.glob("*.db"))
    assert not list((root / "globex").glob("*.db"))
